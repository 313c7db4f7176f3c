"""What a study evaluates first: the baselines of its set, then layouts from elsewhere."""

from dataclasses import replace

import pytest

from placement_search.errors import StudyError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.modules import MODULE_TYPES, count_parameters
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.file import read_space
from placement_search.space.search_space import SearchSpace, bind_space
from placement_search.space.training import TrainingChoice
from placement_search.study.definition import NEWEST_BASELINES, StudyDefinition
from placement_search.study.equal_budget import EVENLY_SPREAD, GREEDY, GREEDY_PROXY
from placement_search.study.lora_baseline import LORA
from placement_search.study.queue import Wanted, check_starts, make_queue, queue_of
from placement_search.study.records import ProxyMap
from placement_search.study.starts import StartLayout
from tests.tiny_records import DEFINITION
from tests.tiny_spaces import N_NODES, WIDTH, bound, space_file

MAP = ProxyMap({GREEDY_PROXY: [[1.0] * 25] * 25}, n_examples=8, loss=1.0, seconds=0.1)
NEW = replace(DEFINITION, baseline_set=NEWEST_BASELINES)
SAME_BUDGET_ROLES = [f"every layer, {kind}, same budget" for kind in ("parallel", "sequential")]


def start(layout: str, task: str = "digits") -> StartLayout:
    return StartLayout(layout, task, "first", "abc", "accuracy", 0.9, 3)


def with_starts(**layouts: str) -> StudyDefinition:
    named = {f"start: {task}": start(layout, task) for task, layout in layouts.items()}
    return replace(NEW, start_from=named)


def test_studies_of_earlier_versions_keep_their_baselines() -> None:
    """Else one under way would get trials that it was not planned with."""
    roles = [each.role for each in make_queue(DEFINITION, bound(), MAP).layouts]

    assert roles == [
        "head only", "every layer, parallel", "every layer, sequential", "last layers", "random 1",
        "random 2",
    ]  # fmt: skip


def test_new_studies_have_more_of_them_before_the_random_ones() -> None:
    """A named one that a random one repeats keeps its name."""
    queue = make_queue(NEW, bound(), MAP)
    roles = [each.role for each in queue.layouts]

    assert roles == [
        "head only", "every layer, parallel", "every layer, sequential", "last layers", LORA,
        EVENLY_SPREAD, GREEDY, "random 1", "random 2",
    ]  # fmt: skip
    assert queue.notes.keys() == {
        "every layer, parallel, same budget", "every layer, sequential, same budget",
    }  # fmt: skip


def test_a_small_space_says_how_many_random_layouts_it_gave() -> None:
    """Draws that repeat each other are left out; references make up for them in the end."""
    small = bound(
        space_file(
            kinds=["sequential"],
            sources=["3-5"],
            connections={"at_most": 1},
            modules=[{"type": "bottleneck", "rank": 4}],
        )
    )
    queue = make_queue(replace(NEW, n_random=9), small, MAP)
    n_random = sum(each.role.startswith("random") for each in queue.layouts)

    assert n_random < 9
    assert queue.notes["random"].startswith(f"{n_random} of 9, since the others drew")
    assert "random" not in make_queue(NEW, bound(), MAP).notes


def test_the_second_set_has_no_lora() -> None:
    """A study that began with it gets none; its other baselines are the same."""
    second, third = (
        [each.role for each in make_queue(asked, bound(), MAP).layouts]
        for asked in (replace(DEFINITION, baseline_set=2), NEW)
    )

    assert second == [role for role in third if role != LORA]


def extended_on(
    n_blocks: int, width: int, max_parameters: int
) -> tuple[StudyDefinition, SearchSpace]:
    """A new study of the whole space on a backbone of this size."""
    n_nodes = 2 * n_blocks + 1
    backbone = replace(NEW.backbone, n_blocks=n_blocks, width=width, n_nodes=n_nodes)
    space = bind_space(
        read_space("extended"),
        MODULE_TYPES,
        n_nodes=n_nodes,
        places=Places(width),
        budget=Budget(max_parameters),
    )
    return replace(NEW, backbone=backbone), space


@pytest.mark.parametrize(
    ("n_blocks", "width", "max_parameters", "cost", "dear"),
    [(12, 64, 6021, 4632, "7,704"), (6, 384, 22_565, 13_836, "23,052")],
    ids=["embedded at 1 %", "MiniLM at 0.1 %"],
)
def test_every_layer_fits_the_usual_budgets(
    n_blocks: int, width: int, max_parameters: int, cost: int, dear: str
) -> None:
    """At rank 1 without norms; else there would be no measure for where an answer puts them."""
    queue = make_queue(*extended_on(n_blocks, width, max_parameters), MAP)
    layouts = {each.role: each.layout for each in queue.layouts}

    for role in SAME_BUDGET_ROLES:
        assert len(layouts[role].connections) == 2 * n_blocks
        assert count_parameters(layouts[role], Places(width)) == cost
        assert queue.notes[role] == (
            f"made without norm: else {2 * n_blocks} connections cost {dear} parameters even at "
            f"rank 1, a layout may have {max_parameters:,}"
        )


def test_the_third_set_has_every_layer_only_with_norms() -> None:
    """A study that began with it goes on with its own queue and notes; all others are the same."""
    asked, space = extended_on(12, 64, 6021)
    third, newest = (
        make_queue(replace(asked, baseline_set=number), space, MAP) for number in (3, 4)
    )

    assert [each.role for each in third.layouts] == [
        "head only", "every layer, parallel", "every layer, sequential", "last layers",
        EVENLY_SPREAD, GREEDY, "random 1", "random 2",
    ]  # fmt: skip
    assert list(third.layouts) == [
        each for each in newest.layouts if each.role not in SAME_BUDGET_ROLES
    ]
    assert {third.notes[role] for role in SAME_BUDGET_ROLES} == {
        "left out: 24 connections cost 7,704 parameters even at rank 1, a layout may have 6,021"
    }


def test_random_layouts_are_the_same_in_both_sets() -> None:
    """Their seed is the study's alone."""
    old, new = (
        {each.role: each.layout for each in make_queue(asked, bound(), MAP).layouts}
        for asked in (DEFINITION, NEW)
    )

    assert old.items() <= new.items()


def test_layouts_from_elsewhere_come_last() -> None:
    """One that space and budget admit has nothing to be said of it."""
    queue = make_queue(with_starts(digits="3>9:bottleneck(rank=4)"), bound(), MAP)

    assert queue.layouts[-1].role == "start: digits"
    assert queue.layouts[-1].layout.notation == "3>9:bottleneck(rank=4)"
    assert "start: digits" not in queue.notes


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        ("3>9:bottleneck(rank=5)", "the space has no module bottleneck(rank=5)"),
        ("+".join(f"{n}>9:bottleneck(rank=4)" for n in range(4)), "4 connections"),
    ],
)
def test_a_layout_that_is_not_admitted_is_queued_with_the_reason(layout: str, reason: str) -> None:
    """It is evaluated all the same."""
    queue = make_queue(with_starts(digits=layout), bound(), MAP)

    assert "start: digits" in [each.role for each in queue.layouts]
    assert queue.notes["start: digits"].startswith("can't be the answer: ")
    assert reason in queue.notes["start: digits"]


def test_a_layout_over_the_budget_is_told() -> None:
    """With both numbers."""
    asked = with_starts(digits="+".join(f"{n}>9:bottleneck(rank=8)" for n in range(3)))
    notes = make_queue(asked, bound(max_parameters=2448), MAP).notes

    assert "over budget: 3,672 parameters, the most is 2,448" in notes["start: digits"]


def test_a_layout_that_the_study_has_anyway_is_not_evaluated_twice() -> None:
    """The note says where it stands."""
    parallel = "+".join(f"{n - 1}>{n}:bottleneck(rank=8)" for n in range(1, 25))
    queue = make_queue(with_starts(digits=parallel), bound(), MAP)

    assert "start: digits" not in {each.role for each in queue.layouts}
    assert queue.notes["start: digits"].startswith("is the same layout as “every layer, parallel”")


def searching_rates() -> SearchSpace:
    """Learning rates are a list, weight decay is an interval."""
    return bound(space_file(training={"learning_rate": [0.001, 0.003, 0.01],
                                      "weight_decay": {"low": 0.0, "high": 0.1}}))  # fmt: skip


def trained_there(**settings: float) -> StudyDefinition:
    found = replace(start("3>9:bottleneck(rank=4)"), training=TrainingChoice(**settings))
    return replace(NEW, start_from={"start: digits": found})


def test_a_layout_is_trained_as_it_was_where_it_was_found() -> None:
    """A transfer is measured so; what its file does not say is the study's."""
    queue = make_queue(
        trained_there(learning_rate=0.003, weight_decay=0.05), searching_rates(), MAP
    )
    silent = make_queue(trained_there(learning_rate=0.003), searching_rates(), MAP)

    assert queue.trainings == {"start: digits": TrainingChoice(0.003, 0.05)}
    assert silent.trainings == {"start: digits": TrainingChoice(0.003, NEW.training.weight_decay)}
    assert "start: digits" not in queue.notes | silent.notes


def test_a_training_that_the_space_lacks_is_the_nearest_and_is_told() -> None:
    """The same where the space leaves training to the study."""
    far = make_queue(trained_there(learning_rate=0.004, weight_decay=0.5), searching_rates(), MAP)
    none = make_queue(trained_there(learning_rate=0.003), bound(), MAP)

    assert far.trainings == {"start: digits": TrainingChoice(0.003, 0.1)}
    assert far.notes["start: digits"] == (
        "is trained otherwise than where it was found: learning rate 0.003 instead of 0.004, "
        "weight decay 0.1 instead of 0.5"
    )
    assert none.trainings == {"start: digits": TrainingChoice()}
    assert none.notes["start: digits"].endswith("learning rate 0.01 instead of 0.003")


def test_a_layout_that_was_trained_otherwise_is_another_trial() -> None:
    """A baseline's layout takes part with the file's training too; two files with two."""
    parallel = "+".join(f"{n - 1}>{n}:bottleneck(rank=8)" for n in range(1, 25))
    given = {
        f"start: {rate}": replace(start(parallel), training=TrainingChoice(rate))
        for rate in (0.001, 0.003, 0.01)
    }
    queue = make_queue(replace(NEW, start_from=given), searching_rates(), MAP)

    assert "start: 0.001" in queue.trainings
    assert "start: 0.003" in queue.trainings
    assert "start: 0.01" not in queue.trainings
    assert queue.notes["start: 0.01"].startswith("is the same layout as “every layer, parallel”")


def test_a_node_that_the_backbone_lacks_is_refused() -> None:
    """By name, with the rule, the connection and the cure."""
    starts = with_starts(digits="3>9:bottleneck(rank=4)", count="25>2:bottleneck(rank=4)")

    check_starts(starts.start_from, 26, Places(WIDTH), "embedded")
    with pytest.raises(StudyError) as raised:
        check_starts(starts.start_from, 25, Places(WIDTH), "embedded")
    message = str(raised.value)
    assert "nodes exist on 'embedded', 0 to 24" in message
    assert "start: count (study 'first'): connection 25>2:bottleneck(rank=4)" in message
    assert "start: digits" not in message


def test_random_baselines_that_are_there_are_not_said_to_be_missing() -> None:
    """A dearer module at one of 24 places makes 24 layouts, though the other fits everywhere."""
    file = space_file(
        kinds=["parallel"],
        connections={"at_most": 24},
        module_per="connection",
        when=[{"has": {"module": {"rank": 8}}, "at_most": 1}],
    )
    made = queue_of(Wanted(N_NODES, 3, 0, TrainingPlan(), {}), bound(file), None)

    assert sum(each.role.startswith("random") for each in made.layouts) == 3
    assert "random" not in made.notes
