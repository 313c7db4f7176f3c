"""A study by learned switches: trained once, stored, counted, and gone by."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from placement_search.errors import StudyError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.switch_training import TrainedSwitches, train_switches
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.report.findings import gather_findings
from placement_search.report.tables import costs_table, facts_table
from placement_search.space.budget import Budget
from placement_search.space.search_space import SearchSpace, bind_space
from placement_search.study import switches
from placement_search.study.equal_budget import GREEDY_PROXY
from placement_search.study.progress import Silence
from placement_search.study.records import SEARCHED, StudyRecord
from placement_search.study.search import load_ingredients, search
from placement_search.study.settings import SearchSettings
from placement_search.study.switch_record import SwitchRecord
from placement_search.study.switches import learn_switches
from tests.tiny_spaces import space_file
from tests.tiny_task import tiny_bench

PLAN = TrainingPlan(epochs=2, batch_size=16)
LORA = {"type": "lora", "rank": 4}
Report = Callable[[int, float], None]


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return tiny_bench()


@pytest.fixture
def settings(tmp_path: Path) -> SearchSettings:
    """A search by switches without finals, over 13 connections."""
    return SearchSettings(
        storage=f"sqlite:///{tmp_path}/study.db", study_name="switched", space="per_layer",
        sampler="switch", n_trials=20, n_random=3, n_finalists=0, proxy_map=False, training=PLAN,
        concurrency=1, pruner="none",
    )  # fmt: skip


def space_of(n_nodes: int = 7, **changes: object) -> SearchSpace:
    return bind_space(
        space_file(**changes), MODULE_TYPES, n_nodes=n_nodes, places=Places(16), budget=Budget()
    )


def found(record: StudyRecord) -> list[tuple[object, ...]]:
    """All that an interruption must not change."""
    assert record.switches is not None
    learned = replace(record.switches, seconds=0.0)
    return [(learned,), *((t.role, t.layout, t.history) for t in record.trials)]


@pytest.mark.slow
def test_the_kept_connections_are_the_first_proposal(
    settings: SearchSettings, bench: Workbench
) -> None:
    """Those of a probability of one half or more, as many as the space admits."""
    record = search(settings, bench=bench)
    assert record.switches is not None
    first = next(trial for trial in record.trials if trial.role == SEARCHED)
    keep = record.switches.by_pair
    n_admitted = max(1, min(record.switches.n_kept, 6))
    likely = sorted(keep, key=lambda pair: (-keep[pair], pair))[:n_admitted]

    assert len(keep) == 13
    assert {c.split(":")[0] for c in first.layout.split("+")} == {f"{s}>{t}" for s, t in likely}


@pytest.mark.slow
def test_an_interrupted_study_ends_as_one_that_was_not(
    settings: SearchSettings, bench: Workbench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Killed while the switches train they are trained again; killed later they are not."""
    whole = search(settings, bench=bench)
    parted = replace(settings, storage=f"sqlite:///{tmp_path}/parted.db")

    def interrupted(*_: object) -> SwitchRecord:
        learn_switches(bench, space_of(), PLAN, 9, {}, Silence())
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(switches, "learn_switches", interrupted)
        with pytest.raises(KeyboardInterrupt):
            search(parted, bench=bench)
    search(replace(parted, n_trials=14), bench=bench)
    monkeypatch.setattr(switches, "learn_switches", lambda *_: pytest.fail("trained again"))
    resumed = search(parted, bench=bench)

    assert found(resumed) == found(whole)


@pytest.mark.slow
def test_their_steps_are_the_searchs(settings: SearchSettings, bench: Workbench) -> None:
    """A limit that they reach leaves none for trials: 3 steps in each of 2 epochs."""
    record = search(replace(settings, max_steps=6), bench=bench)

    assert record.switches is not None
    assert record.switches.n_steps == 6
    assert not any(trial.card for trial in record.trials)


@pytest.mark.slow
def test_their_cost_is_reported(settings: SearchSettings, bench: Workbench) -> None:
    """Runs, seconds and steps beside those of trials; and what they keep, in words."""
    record = search(replace(settings, n_trials=2), bench=bench)
    findings = gather_findings(record)
    costs = {row[0]: row for row in costs_table(findings).rows}
    assert record.switches is not None

    assert costs["switches of 13 connections, trained at once"][-1] == "6"
    assert ("switches", record.switches.words) in facts_table(findings).rows
    assert "of 13 candidates (all connections of the space)" in record.switches.words


def test_many_connections_are_chosen_from_by_a_proxy(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The words say which; others have no switch."""
    monkeypatch.setattr(switches, "MAX_CANDIDATES", 4)
    scores = [[float(source == 2) + 0.01 for _ in range(7)] for source in range(7)]
    learned = learn_switches(bench, space_of(), PLAN, 0, {GREEDY_PROXY: scores}, Silence())

    assert len(learned.keep) == 4
    assert all(name.startswith("2>") for name in learned.keep)
    assert f"greedy choice by {GREEDY_PROXY} of the 49 connections" in learned.words


@pytest.mark.parametrize(
    ("changes", "types", "n_lora"),
    [
        ({}, {"bottleneck"}, 0),
        ({"module_per": "connection"}, {"bottleneck", "lora"}, 6),
    ],
)
def test_all_are_trained_with_one_module_where_a_layout_has_one(
    bench: Workbench,
    monkeypatch: pytest.MonkeyPatch,
    changes: dict[str, object],
    types: set[str],
    n_lora: int,
) -> None:
    """With the one that fits most of them, so none is left out."""
    trained: list[Layout] = []

    def seen(bench: Workbench, request: Evaluation, report: Report) -> TrainedSwitches:
        trained.append(request.layout)
        return train_switches(bench, request, report)

    monkeypatch.setattr(switches, "train_switches", seen)
    file = space_file(
        kinds=["sequential", "parallel"],
        modules=[{"type": "bottleneck", "rank": 1}, LORA],
        **changes,
    )
    space = bind_space(file, MODULE_TYPES, n_nodes=7, places=bench.backbone.places, budget=Budget())
    learned = learn_switches(bench, space, replace(PLAN, epochs=1), 0, {}, Silence())
    (layout,) = trained

    assert {c.module.type for c in layout.connections} == types
    assert sum(c.module.type == "lora" for c in layout.connections) == n_lora
    assert len(learned.keep) == 13
    assert learned.candidates == "all connections of the space"


def test_connections_that_the_module_does_not_fit_have_no_switch(bench: Workbench) -> None:
    """Three MLPs and three attentions with a module of their own; the words say which had one."""
    file = space_file(
        kinds=["parallel"],
        modules=[{"type": "adapter_bias"}, {"type": "hadamard"}],
        connections={"at_most": 6},
    )
    space = bind_space(file, MODULE_TYPES, n_nodes=7, places=bench.backbone.places, budget=Budget())
    learned = learn_switches(bench, space, replace(PLAN, epochs=1), 0, {}, Silence())

    assert len(space.pairs) == 6
    assert list(learned.keep) == ["0>1", "2>3", "4>5"]
    assert learned.candidates == "all connections of the space, where hadamard fits"


def test_too_many_connections_and_no_proxy_are_refused(
    settings: SearchSettings, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is written; the cure is said."""
    monkeypatch.setattr(switches, "MAX_CANDIDATES", 12)
    with pytest.raises(StudyError, match="at most 12 connections at once, 'per_layer' has 13"):
        load_ingredients(settings, bench)
    load_ingredients(replace(settings, proxy_map=True), bench)


@pytest.mark.slow
def test_other_samplers_train_no_switches(settings: SearchSettings, bench: Workbench) -> None:
    """They would cost time and change nothing."""
    record = search(replace(settings, sampler="random", n_trials=1), bench=bench)

    assert record.switches is None


def test_more_connections_that_are_always_there_than_train_at_once_are_an_error() -> None:
    """Layouts without them are none of the space, so the switches would be trained for nothing."""
    space = space_of(25, always=["1-9>10-17"], connections={"at_most": 80})

    with pytest.raises(StudyError, match=r"at most 64 connections at once, and 72 are always"):
        switches.check_switches(space, is_mapped=True)


def test_connections_that_come_together_by_too_many_are_an_error() -> None:
    """Of groups that no training holds none would be left to train."""
    file = space_file(kinds=["parallel"], tied="blocks")
    space = bind_space(file, MODULE_TYPES, n_nodes=161, places=Places(16), budget=Budget())

    with pytest.raises(StudyError, match="come together by 80 and more; leave tied or symmetric"):
        switches.check_switches(space, is_mapped=True)


def test_memory_that_does_not_suffice_is_told(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All connections at once are the most that a study asks of it."""

    def fail(*_: object) -> None:
        raise MemoryError("no more")

    monkeypatch.setattr(switches, "train_switches", fail)
    with pytest.raises(StudyError, match=r"trained at once: out of memory: no more; begin another"):
        switches.learn_switches(bench, space_of(4), TrainingPlan(), 0, {}, Silence())
