"""Layouts from elsewhere whose places are tried with modules of the study's own space."""

from dataclasses import replace

import pytest

from placement_search.layout import FirstPass, Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.space.search_space import SearchSpace
from placement_search.space.training import TrainingChoice
from placement_search.study.adapted_starts import adapted
from placement_search.study.definition import NEWEST_BASELINES
from placement_search.study.queue import Queue, make_queue
from placement_search.study.starts import StartLayout, adapted_role, is_adapted, is_start
from tests.tiny_records import DEFINITION
from tests.tiny_spaces import N_RANK_4, N_RANK_8, bound, space_file

MIXED = [
    {"type": "bottleneck", "rank": [2, 8], "activation": ["gelu", "relu"]},
    {"type": "tiny_attention", "width": 1},
]


def layout(notation: str) -> Layout:
    return parse_layout(notation, MODULE_TYPES)


def made(space: SearchSpace, notation: str) -> str:
    """The notation of what is made of a layout, which the space contains."""
    found = adapted(space, layout(notation))
    assert found is not None
    assert space.contains(found.layout)
    return found.layout.notation


def test_a_layout_of_the_space_is_not_adapted() -> None:
    """Nor is one of whose places the space has none, or that has no places at all."""
    space = bound(space_file(kinds=["parallel"]))

    assert adapted(space, layout("3>4:bottleneck(rank=4)")) is None
    assert adapted(space, layout("4>3:bottleneck(rank=4)")) is None
    assert adapted(space, Layout()) is None


@pytest.mark.parametrize(
    ("given", "nearest"),
    [
        ("bottleneck(rank=5)", "bottleneck(rank=2)"),
        ("bottleneck(rank=6,activation=relu)", "bottleneck(rank=8,activation=relu)"),
        ("tiny_attention(width=2)", "tiny_attention"),
        ("adamix(rank=4)", "bottleneck(rank=8,activation=relu)"),
    ],
)
def test_the_nearest_module_is_taken(given: str, nearest: str) -> None:
    """Of the same type first, then of the most similar parameters, then of the same settings."""
    space = bound(space_file(modules=MIXED, module_per="connection"))
    shared = bound(space_file(modules=MIXED))

    assert made(space, f"3>9:{given}") == layout(f"3>9:{nearest}").notation
    assert made(shared, f"3>9:{given}") == layout(f"3>9:{nearest}").notation


def test_places_that_the_budget_can_pay_with_cheaper_modules_stay() -> None:
    """They are what a layout from elsewhere has to say."""
    given = "+".join(f"{n}>9:bottleneck(rank=7)" for n in range(3))
    cheap = "+".join(f"{n}>9:bottleneck(rank=4)" for n in range(3))

    assert made(bound(max_parameters=3 * N_RANK_4), given) == layout(cheap).notation
    free = bound(space_file(module_per="connection"), max_parameters=3 * N_RANK_8)
    assert made(free, given) == layout(given.replace("7", "8")).notation


def test_too_many_places_are_cut() -> None:
    """To as many of them as a layout may have."""
    found = adapted(bound(), layout("+".join(f"{n}>9:bottleneck(rank=4)" for n in range(5))))

    assert found is not None
    assert found.said == "has 3 of the 5 places of “{}”, with bottleneck(rank=4)"


def test_groups_are_taken_whole() -> None:
    """What ties bring along is told."""
    space = bound(space_file(kinds=["parallel"], tied="blocks"))
    found = adapted(space, layout("2>3:bottleneck(rank=4)+9>2:bottleneck(rank=4)"))

    assert found is not None
    assert found.said == "has 1 of the 2 places of “{}” and 11 others, with bottleneck(rank=4)"


def test_what_is_always_there_comes_along() -> None:
    """A layout without it is none of the space."""
    space = bound(space_file(always=["5>5"]))

    assert made(space, "3>9:bottleneck(rank=4)") == (
        layout("3>9:bottleneck(rank=4)+5>5:bottleneck(rank=4)").notation
    )


def test_the_first_pass_is_the_spaces() -> None:
    """Places are what a layout from elsewhere gives."""
    given = replace(layout("9>3:bottleneck(rank=4)"), first_pass=FirstPass.ADAPTED)
    found = adapted(bound(), given)

    assert found is not None
    assert found.layout == layout("9>3:bottleneck(rank=4)")


def queue(space: SearchSpace, *notations: str, baseline_set: int = NEWEST_BASELINES) -> Queue:
    training = TrainingChoice(0.003)
    given = {
        f"start: {number}": StartLayout(
            notation, str(number), "first", "abc", "accuracy", 0.9, 3, training
        )
        for number, notation in enumerate(notations)
    }
    asked = replace(DEFINITION, baseline_set=baseline_set, start_from=given)
    return make_queue(asked, space, None)


def test_a_study_tries_its_places_with_modules_of_its_own() -> None:
    """After all layouts as they were found, trained as those, in a role that says what it is."""
    rates = space_file(training={"learning_rate": [0.003, 0.01]})
    made = queue(bound(rates), "3>9:bottleneck(rank=5)", "8>2:bottleneck(rank=4)")
    roles = [each.role for each in made.layouts]
    space = bound(rates)

    assert roles[-3:] == ["start: 0", "start: 1", "adapted start: 0"]
    assert [space.contains(each.layout) for each in made.layouts[-3:]] == [False, True, True]
    assert made.trainings["adapted start: 0"] == TrainingChoice(0.003)
    assert made.notes["adapted start: 0"] == (
        "has 1 of the 1 places of “start: 0”, with bottleneck(rank=4)"
    )
    assert made.notes["start: 0"].endswith(
        "; its places are tried with the space's modules, “adapted start: 0”"
    )


def test_one_that_the_study_has_anyway_is_not_tried_twice() -> None:
    """The notes of both say where it stands."""
    made = queue(bound(), "3>9:bottleneck(rank=5)", "3>9:bottleneck(rank=4)")

    assert "adapted start: 0" not in {each.role for each in made.layouts}
    assert "is the same layout as “start: 1”" in made.notes["adapted start: 0"]
    assert "its places are tried with the space's modules, “start: 1”" in made.notes["start: 0"]


def test_studies_of_earlier_versions_go_on_without() -> None:
    """Else one under way would get trials that it was not planned with."""
    made = queue(bound(), "3>9:bottleneck(rank=5)", baseline_set=4)

    assert made.layouts[-1].role == "start: 0"


def test_a_role_says_what_it_is() -> None:
    """It is no baseline."""
    role = adapted_role("start: digits")

    assert role == "adapted start: digits"
    assert is_start(role)
    assert is_adapted(role)
    assert not is_adapted("start: digits")
