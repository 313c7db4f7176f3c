"""A search ends where its budget does: trials, training steps or seconds, whichever is first."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from placement_search.study import records
from placement_search.study.search_budget import Account, SearchBudget, Spent, spent_by
from tests.study.stub_engine import StubEngine
from tests.study.stub_search import interrupt_at, outcome, run

PER_EPOCH, EPOCHS = 10, 3
"""Training steps and epochs of the stub engine's evaluations."""


class Told:
    """A progress that keeps what is said."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """See `Progress`."""

    def advance(self, line: str) -> None:
        """See `Progress`."""

    def say(self, line: str) -> None:
        """See `Progress`."""
        self.said.append(line)

    def finish(self) -> None:
        """See `Progress`."""


class Clock:
    """Shows what it was set to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def pruned(number: int, n_steps: int, elapsed: float | None = None) -> FrozenTrial:
    """A trial that was stopped after so many steps."""
    attributes = {records.STEPS: n_steps, records.SECONDS: 0.5}
    if elapsed is not None:
        attributes[records.ELAPSED] = elapsed
    trial = optuna.create_trial(state=TrialState.PRUNED, value=0.1, user_attrs=attributes)
    trial.number = number
    return trial


def steps_of(trials: list[FrozenTrial]) -> list[int]:
    return [spent_by(trial).n_steps for trial in trials]


@pytest.mark.slow
@pytest.mark.parametrize("concurrency", [1, 3])
def test_a_search_ends_with_its_steps(tmp_path: Path, concurrency: int) -> None:
    """The last trial is the first one that is begun knowing of too many, or one beside it."""
    told = Told()
    trials = run(
        tmp_path, StubEngine(order=0), 100, concurrency=concurrency, max_steps=700, progress=told
    )
    steps = steps_of(trials)

    n_known = len(trials) - concurrency

    assert sum(steps[:n_known]) < 700 <= sum(steps[: n_known + 1])
    assert {trial.state for trial in trials} == {TrialState.COMPLETE, TrialState.PRUNED}
    assert [line for line in told.said if "--max-steps" in line] == told.said


@pytest.mark.slow
def test_steps_of_pruned_trials_count(tmp_path: Path) -> None:
    """As many as they had taken when they were stopped."""
    trials = run(tmp_path, StubEngine(), 30)
    wanted = [
        PER_EPOCH * (max(t.intermediate_values) if t.state is TrialState.PRUNED else EPOCHS)
        for t in trials
    ]

    assert steps_of(trials) == wanted
    assert set(wanted) > {PER_EPOCH * EPOCHS}


@pytest.mark.slow
@pytest.mark.parametrize("max_steps", [100, 500])
def test_an_interrupted_search_ends_at_the_same_step(tmp_path: Path, max_steps: int) -> None:
    """Among the baselines or after them, whatever was under way when it was stopped."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = run(tmp_path / "whole", StubEngine(), 99, concurrency=3, max_steps=max_steps)
    for number, epoch in ((2, 1), (1, 3), (2, 2)):
        engine = StubEngine(at_epoch=interrupt_at(number, epoch), order=number)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "parts", engine, 99, concurrency=3, max_steps=max_steps)
    parts = run(tmp_path / "parts", StubEngine(order=1), 99, concurrency=3, max_steps=max_steps)

    assert outcome(parts) == outcome(whole)


@pytest.mark.slow
def test_more_steps_continue_a_search(tmp_path: Path) -> None:
    """What earlier runs spent counts, and the trials are those of one long run."""
    (tmp_path / "once").mkdir()
    (tmp_path / "twice").mkdir()
    once = run(tmp_path / "once", StubEngine(), 99, max_steps=600)
    run(tmp_path / "twice", StubEngine(), 99, max_steps=400)
    again = StubEngine()
    run(tmp_path / "twice", again, 99, max_steps=400)
    twice = run(tmp_path / "twice", StubEngine(), 99, max_steps=600)

    assert again.requests == []
    assert outcome(twice) == outcome(once)


@pytest.mark.slow
def test_no_seconds_begin_nothing(tmp_path: Path) -> None:
    """Time that is over before the search leaves all baselines in the queue."""
    engine, told = StubEngine(), Told()
    trials = run(tmp_path, engine, 99, max_seconds=0, progress=told)

    assert engine.requests == []
    assert {trial.state for trial in trials} == {TrialState.WAITING}
    assert "--max-seconds" in told.said[0]


@pytest.mark.slow
def test_the_number_of_trials_is_said_too(tmp_path: Path) -> None:
    """A user reads which of the limits it was."""
    told = Told()
    run(tmp_path, StubEngine(), 9, max_steps=10_000, progress=told)

    assert told.said == ["the search ends: the study has its 9 trials (--n-trials)"]


def test_seconds_of_all_runs_count() -> None:
    """This run's, and those that had passed when the last trial of an earlier one ended."""
    clock = Clock()
    trials = [pruned(0, 5, 30.0), pruned(1, 5, 20.0)]
    account = Account(SearchBudget(9, max_seconds=40), trials, clock)

    assert account.elapsed == 30
    assert account.reached(trials) is None
    clock.now += 10
    assert account.elapsed == 40
    assert "40 seconds of at most 40" in (account.reached(trials) or "")


def test_trials_of_older_studies_count_with_their_training_time() -> None:
    """They kept no other."""
    trials = [pruned(0, 5), pruned(1, 5)]

    assert Account(SearchBudget(9), trials, Clock()).elapsed == 1


def test_what_several_trainings_took_adds_up() -> None:
    """Seconds and steps apart."""
    assert Spent(1.5, 3) + Spent(0.5, 4) == Spent(2.0, 7)
