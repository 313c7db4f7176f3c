"""Several trials at once: what a study finds does not depend on which of them is fast."""

from collections.abc import Container
from pathlib import Path

import pytest
from optuna.trial import TrialState

from placement_search.errors import FailureError
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.file import read_space
from placement_search.space.search_space import bind_space
from placement_search.study import records
from placement_search.study.ledger import FINISHED
from placement_search.study.samplers.proposer import Proposer
from placement_search.study.samplers.sampler import Proposal, Question
from tests.study.stub_engine import StubEngine
from tests.study.stub_search import interrupt_at, outcome, run

N_BASELINES = 8
COMBINATIONS = [
    ("tpe", "median"),
    pytest.param("random", "hyperband", marks=pytest.mark.slow),
    pytest.param("tpe", "hyperband", marks=pytest.mark.slow),
    pytest.param("random", "median", marks=pytest.mark.slow),
]


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "pruner"), COMBINATIONS)
def test_the_order_of_events_decides_nothing(tmp_path: Path, sampler: str, pruner: str) -> None:
    """Same trials, same prunings, same scores, one engine as slow and mixed up as the other."""
    outcomes = []
    for order in (None, 0, 1, 2):
        folder = tmp_path / str(order)
        folder.mkdir()
        engine = StubEngine(order=order)
        trials = run(folder, engine, 40, sampler=sampler, pruner=pruner, concurrency=4)
        outcomes.append(outcome(trials))

    assert outcomes[1:] == outcomes[:1] * 3
    assert {TrialState.COMPLETE, TrialState.PRUNED} == {trial[1] for trial in outcomes[0]}


@pytest.mark.slow
@pytest.mark.parametrize(("sampler", "pruner"), COMBINATIONS)
@pytest.mark.parametrize("order", [pytest.param(None, marks=pytest.mark.slow), 3])
def test_an_interrupted_study_ends_as_an_uninterrupted_one(
    tmp_path: Path, sampler: str, pruner: str, order: int | None
) -> None:
    """Whatever was under way when it was stopped, four times over, and in whatever order."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = run(tmp_path / "whole", StubEngine(), 30, sampler=sampler, pruner=pruner, concurrency=3)
    for number, epoch in ((3, 2), (8, 1), (2, 3), (9, 1)):
        engine = StubEngine(at_epoch=interrupt_at(number, epoch), order=order)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "parts", engine, 30, sampler=sampler, pruner=pruner, concurrency=3)

    parts = run(
        tmp_path / "parts", StubEngine(order=order), 30, sampler=sampler, pruner=pruner,
        concurrency=3,
    )  # fmt: skip

    assert outcome(parts) == outcome(whole)


@pytest.mark.slow
def test_an_interruption_leaves_what_was_under_way_running(tmp_path: Path) -> None:
    """And the next search begins with just these layouts."""
    engine = StubEngine(at_epoch=interrupt_at(12, 2), order=0)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, engine, 30, concurrency=4)
    rest = StubEngine(before=_interrupt)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, rest, 30, concurrency=4)

    assert 1 <= len(rest.requests) <= 4
    assert all(request in engine.requests for request in rest.requests)


def _interrupt(_number: int) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, pytest.param(2, marks=pytest.mark.slow), 5])
def test_as_many_as_allowed_are_under_way(tmp_path: Path, concurrency: int) -> None:
    """No more, and all slots are used; the total is kept."""
    engine = StubEngine(order=0)
    trials = run(tmp_path, engine, 23, concurrency=concurrency)

    assert engine.most_under_way == concurrency
    assert len(trials) == len(engine.requests) == 23
    assert {trial.state for trial in trials} <= set(FINISHED)


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 4])
def test_knowledge_lags_by_the_concurrency(
    tmp_path: Path, concurrency: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trial n is proposed by what the trials up to n - c gave, all of which have ended."""
    known: dict[int, list[TrialState]] = {}
    propose = Proposer.propose

    def watched(self: Proposer, question: Question, seen: Container[str]) -> Proposal:
        known[question.number] = [trial.state for trial in question.trials]
        return propose(self, question, seen)

    monkeypatch.setattr(Proposer, "propose", watched)
    run(tmp_path, StubEngine(order=1), 25, concurrency=concurrency)

    assert list(known) == list(range(N_BASELINES, 25))
    assert all(len(states) == number - concurrency + 1 for number, states in known.items())
    assert all(set(states) <= set(FINISHED) for states in known.values())


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_no_layout_is_evaluated_twice(tmp_path: Path, concurrency: int) -> None:
    """Those under way count too, until a small space has no more."""
    small = bind_space(
        read_space("per_layer").model_copy(update={"sources": ["0-3"], "targets": ["0-2"]}),
        MODULE_TYPES,
        n_nodes=9,
        places=Places(16),
        budget=Budget(400),
    )
    engine = StubEngine(order=0)

    trials = run(tmp_path, engine, 10_000, searched=small, concurrency=concurrency)

    ids = [request.layout.id for request in engine.requests]
    assert len(set(ids)) == len(ids) == len(trials) < 10_000
    assert {trial.state for trial in trials} <= set(FINISHED)


@pytest.mark.slow
def test_a_longer_study_begins_as_a_shorter_one(tmp_path: Path) -> None:
    """More trials asked for later are those that would have come at once."""
    (tmp_path / "once").mkdir()
    (tmp_path / "twice").mkdir()
    once = run(tmp_path / "once", StubEngine(), 26, concurrency=4)
    run(tmp_path / "twice", StubEngine(order=0), 13, concurrency=4)
    twice = run(tmp_path / "twice", StubEngine(order=1), 26, concurrency=4)

    assert outcome(twice) == outcome(once)


@pytest.mark.slow
def test_a_search_that_only_fails_stops(tmp_path: Path) -> None:
    """Not long after the third failure, with its words."""

    def before(_number: int) -> None:
        raise ZeroDivisionError("always")

    engine = StubEngine(before=before, order=0)

    with pytest.raises(FailureError, match="ZeroDivisionError: always"):
        run(tmp_path, engine, 30, concurrency=4)
    assert len(engine.requests) <= 8


@pytest.mark.slow
def test_failures_among_what_succeeds_stop_nothing(tmp_path: Path) -> None:
    """However many they are in all, and however fast a failure is."""

    def before(number: int) -> None:
        if number % 4:
            raise ZeroDivisionError("now and then")

    with pytest.raises(FailureError):
        run(tmp_path, StubEngine(before=before, order=0), 30, concurrency=4)

    (tmp_path / "rarer").mkdir()

    def rarer(number: int) -> None:
        if number % 3:
            before(1)

    trials = run(tmp_path / "rarer", StubEngine(before=rarer, order=0), 30, concurrency=4)
    assert len(trials) == 30


@pytest.mark.slow
def test_a_pruned_trial_says_how_long_it_took(tmp_path: Path) -> None:
    """As its last report said, and its value is its last score."""
    trials = run(tmp_path, StubEngine(order=0), 40, concurrency=4)
    pruned = [trial for trial in trials if trial.state is TrialState.PRUNED]

    assert pruned
    for trial in pruned:
        last = max(trial.intermediate_values)
        assert trial.user_attrs[records.SECONDS] == 0.1 * last
        assert trial.value == trial.intermediate_values[last]
