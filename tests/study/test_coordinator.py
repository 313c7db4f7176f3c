"""What the coordinator promises: totals, resumption, ends, and no layout twice."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.storages import RDBStorage
from optuna.trial import TrialState

from placement_search.engine.engine import Infeasible
from placement_search.errors import EvaluationError, FailureError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.layout import Connection, Layout
from placement_search.modules import parse_layout
from placement_search.space.budget import Budget
from placement_search.study import coordinator, records
from placement_search.study.baselines import EVERY_PARALLEL, Baseline
from placement_search.study.coordinator import Coordinator, TrialSetup
from placement_search.study.ledger import is_failed
from placement_search.study.progress import Silence
from placement_search.study.samplers import SAMPLERS
from placement_search.study.samplers.sampler import Sampler, Setting
from placement_search.study.search_budget import SearchBudget
from tests.study.stub_engine import StubEngine
from tests.study.stub_search import interrupt_at, outcome, run, space

N_BASELINES = 8


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "pruner"),
    [
        ("tpe", "median"),
        ("random", "hyperband"),
        pytest.param("tpe", "hyperband", marks=pytest.mark.slow),
        pytest.param("tpe", "none", marks=pytest.mark.slow),
        pytest.param("random", "median", marks=pytest.mark.slow),
        pytest.param("random", "none", marks=pytest.mark.slow),
    ],
)
def test_an_interrupted_study_ends_as_an_uninterrupted_one(
    tmp_path: Path, sampler: str, pruner: str
) -> None:
    """Stopped in a baseline, in a search trial and between epochs, the trials are the same."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = run(tmp_path / "whole", StubEngine(), 20, sampler=sampler, pruner=pruner)
    for number, epoch in ((3, 2), (8, 1), (2, 3)):
        engine = StubEngine(at_epoch=interrupt_at(number, epoch))
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "parts", engine, 20, sampler=sampler, pruner=pruner)

    parts = run(tmp_path / "parts", StubEngine(), 20, sampler=sampler, pruner=pruner)

    assert outcome(parts) == outcome(whole)


@pytest.mark.slow
def test_an_interruption_before_the_first_score_loses_no_layout(tmp_path: Path) -> None:
    """A trial that was asked for and never scored runs again with its own layout."""
    first = StubEngine(before=lambda number: _interrupt(number == N_BASELINES + 1))
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, first, 20)
    second = StubEngine()

    trials = run(tmp_path, second, 12)

    assert second.requests[0] == first.requests[-1]
    assert len(trials) == 12


@pytest.mark.slow
def test_a_layout_over_budget_is_not_trained(tmp_path: Path) -> None:
    """It ends infeasible, and says by how much; baselines that are no candidates may be over."""
    # A space whose own rules know nothing of the budget: as if a sampler did not heed it.
    searched, engine = replace(space(), budget=Budget(450)), StubEngine()
    trials = run(tmp_path, engine, 20, searched=searched)
    over = [t for t in trials if t.user_attrs.get(records.END) == records.TrialEnd.INFEASIBLE]
    trained = {request.layout.notation for request in engine.requests}

    assert len(trials) == 20
    assert 0 < len(over) < 20
    assert trained.isdisjoint(trial.user_attrs[records.LAYOUT] for trial in over)
    assert EVERY_PARALLEL in {t.user_attrs[records.ROLE] for t in trials if t not in over}
    for trial in over:
        n_parameters = trial.user_attrs[records.N_PARAMETERS]
        assert trial.user_attrs[records.REASON] == (
            f"over budget: {n_parameters:,} parameters, the most is 450"
        )


def _interrupt(is_time: bool) -> None:
    if is_time:
        raise KeyboardInterrupt


@pytest.mark.slow
def test_n_trials_is_the_total(tmp_path: Path) -> None:
    """Asking for the same total again evaluates nothing; asking for more adds the difference."""
    run(tmp_path, StubEngine(), 12)
    again, more = StubEngine(), StubEngine()

    assert len(run(tmp_path, again, 12)) == 12
    assert again.requests == []
    assert len(run(tmp_path, more, 15)) == 15
    assert len(more.requests) == 3


@pytest.mark.slow
def test_baselines_come_first_and_once(tmp_path: Path) -> None:
    """The first trials are the baselines in order, also after a continuation."""
    run(tmp_path, StubEngine(), 3)
    trials = run(tmp_path, StubEngine(), 14)
    roles = [trial.user_attrs[records.ROLE] for trial in trials]

    assert roles[:N_BASELINES] == [
        "head only",
        "every layer, parallel",
        "every layer, sequential",
        "last layers",
        *(f"random {index}" for index in range(1, 5)),
    ]
    assert set(roles[N_BASELINES:]) == {records.SEARCHED}


@pytest.mark.slow
def test_the_four_ends_are_told_apart(tmp_path: Path) -> None:
    """Complete, pruned, failed and infeasible trials are counted apart, with their reasons."""

    def before(number: int) -> None:
        if number == 9:
            raise Infeasible("out of memory: 3 GiB")
        if number == 10:
            raise ZeroDivisionError("a bug")

    trials = run(tmp_path, StubEngine(before=before), 30)
    ends = [records._end(trial) for trial in trials]

    assert ends[8] is records.TrialEnd.INFEASIBLE
    assert trials[8].user_attrs[records.REASON] == "out of memory: 3 GiB"
    assert ends[9] is records.TrialEnd.FAILED
    assert "ZeroDivisionError: a bug" in trials[9].user_attrs[records.REASON]
    assert {records.TrialEnd.COMPLETE, records.TrialEnd.PRUNED} <= set(ends)


@pytest.mark.slow
def test_a_search_that_only_fails_stops(tmp_path: Path) -> None:
    """Three failures in a row end the search with the last one's words."""

    def before(_number: int) -> None:
        raise ZeroDivisionError("always")

    engine = StubEngine(before=before)

    with pytest.raises(FailureError, match="ZeroDivisionError: always"):
        run(tmp_path, engine, 30)
    assert len(engine.requests) == 3


@pytest.mark.slow
def test_trainings_that_diverge_are_no_traceback(tmp_path: Path) -> None:
    """What a training said of itself is enough."""

    def before(_number: int) -> None:
        raise EvaluationError("the score of a trained layout is nan")

    with pytest.raises(FailureError) as stopped:
        run(tmp_path, StubEngine(before=before), 30)

    said = str(stopped.value)
    assert "Traceback" not in said
    assert said.endswith("one said:\nthe score of a trained layout is nan")


@pytest.mark.slow
def test_a_baseline_that_failed_runs_again_with_the_next_search(tmp_path: Path) -> None:
    """Without it the answer could not be measured; the failed trial stays on record."""

    def before(number: int) -> None:
        if number == 2:
            raise ZeroDivisionError("a full disk, say")

    run(tmp_path, StubEngine(before=before), 9)
    trials = run(tmp_path, StubEngine(), 9)
    ends = [records._end(t) for t in trials if t.user_attrs[records.ROLE] == EVERY_PARALLEL]

    assert ends == [records.TrialEnd.FAILED, records.TrialEnd.COMPLETE]
    assert len(trials) == 9 + 1


@pytest.mark.slow
def test_an_interruption_after_a_failed_baseline_changes_no_proposal(tmp_path: Path) -> None:
    """The baseline runs again behind them."""

    def before(number: int) -> None:
        if number == 2:
            raise EvaluationError("the training loss is nan")

    def interrupted(number: int) -> None:
        before(number)
        _interrupt(number == 11)

    (tmp_path / "once").mkdir()
    (tmp_path / "twice").mkdir()
    once = run(tmp_path / "once", StubEngine(before=before), 14)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "twice", StubEngine(before=interrupted), 14)
    twice = run(tmp_path / "twice", StubEngine(), 14)

    layouts = [[trial.user_attrs[records.LAYOUT] for trial in trials] for trials in (once, twice)]
    assert layouts[1] == [*layouts[0], layouts[0][1]]


@pytest.mark.slow
def test_baselines_that_always_fail_run_again_once_and_stop_no_search(tmp_path: Path) -> None:
    """As diverging ones do: the same command goes on to the finals, however often it is given."""

    def before(number: int) -> None:
        if number in {2, 4, 6, *range(12, 99)}:
            raise EvaluationError("the training loss is nan")

    lengths = [len(run(tmp_path, StubEngine(before=before), 12)) for _ in range(5)]

    assert lengths == [12, 15, 15, 15, 15]


@pytest.mark.slow
def test_a_baseline_that_fails_again_does_not_add_to_failures_before(tmp_path: Path) -> None:
    """The search that stopped is forgiven until something else fails."""

    def failing(*numbers: int) -> StubEngine:
        def before(number: int) -> None:
            if number in numbers:
                raise ZeroDivisionError("a bug")

        return StubEngine(before=before)

    with pytest.raises(FailureError):
        run(tmp_path, failing(2, 10, 11, 12), 13)
    trials = run(tmp_path, failing(2), 13)

    assert [trial.number for trial in trials if is_failed(trial)] == [1, 9, 10, 11, 13]
    assert len(trials) == 13 + 1


@pytest.mark.slow
def test_a_baseline_killed_as_it_failed_runs_again_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After its reason was written and before its end was: it goes on and is not queued again."""

    def before(number: int) -> None:
        if number == 2:
            raise ZeroDivisionError("a full disk, say")

    write = RDBStorage.set_trial_state_values

    def killed(
        storage: RDBStorage, trial_id: int, state: TrialState, values: Sequence[float] | None
    ) -> bool:
        _interrupt(state is TrialState.FAIL)
        return write(storage, trial_id, state, values)

    with monkeypatch.context() as patched:
        patched.setattr(RDBStorage, "set_trial_state_values", killed)
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path, StubEngine(before=before), 2)
    trials = run(tmp_path, StubEngine(), 9)
    again = [t for t in trials if t.user_attrs[records.ROLE] == EVERY_PARALLEL]

    assert len(trials) == 9
    assert [records._end(t) for t in again] == [records.TrialEnd.COMPLETE]
    assert again[0].user_attrs[records.END] == records.TrialEnd.FAILED
    assert records._record(again[0]).reason == ""


@pytest.mark.slow
def test_baselines_are_never_pruned(tmp_path: Path) -> None:
    """What the answer is measured by is always complete."""
    trials = run(tmp_path, StubEngine(), 30)

    assert all(trial.state is optuna.trial.TrialState.COMPLETE for trial in trials[:N_BASELINES])


def test_the_sampler_gets_the_studys_discounts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of its definition, not the paper's."""
    known: list[Setting] = []

    def made(setting: Setting) -> Sampler:
        known.append(setting)
        return SAMPLERS["random"](setting)

    monkeypatch.setattr(coordinator, "SAMPLERS", {"random": made})
    setup = TrialSetup(
        space(), [], TrainingPlan(epochs=3), seed=0, sampler="random", pruner="none",
        concurrency=1, gammas=(0.25,),
    )  # fmt: skip
    Coordinator(optuna.create_study(), setup, StubEngine(), Silence())

    assert [setting.gammas for setting in known] == [(0.25,)]


@pytest.mark.slow
def test_a_baseline_that_was_proposed_before_is_not_evaluated_again(tmp_path: Path) -> None:
    """A proxy map that comes later adds a greedy choice, which a sampler may have found already."""
    engine = StubEngine()
    trials = run(tmp_path, engine, 12)
    proposed = next(t for t in trials if t.user_attrs[records.ROLE] == records.SEARCHED)
    greedy = Baseline("greedy", parse_layout(proposed.user_attrs[records.LAYOUT]))
    new = Baseline("new", Layout((Connection(8, 0, greedy.layout.connections[0].module),)))
    setup = TrialSetup(
        space(), [greedy, new], TrainingPlan(epochs=3), seed=0, sampler="tpe", pruner="median",
        concurrency=1,
    )  # fmt: skip
    study = optuna.load_study(study_name="study", storage=f"sqlite:///{tmp_path}/study.db")
    Coordinator(study, setup, StubEngine(), Silence()).run(SearchBudget(13))

    assert [t.user_attrs[records.ROLE] for t in study.get_trials()[12:]] == ["new"]
