"""Trials of several trainings: on parts of the data one after the other, and from several seeds."""

from pathlib import Path
from statistics import fmean

import pytest
from optuna.trial import FrozenTrial, TrialState

from placement_search.errors import StudyError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import Costs, ScoreCard
from placement_search.layout import Layout
from placement_search.study import records
from placement_search.study.course import Course
from placement_search.study.search_budget import spent_by
from tests.study.stub_engine import StubEngine
from tests.study.stub_search import interrupt_at, outcome, run

N_BASELINES, N_STEPS = 8, 30
PLAN = TrainingPlan(epochs=3)
HALVED, BANDED, REPEATED = (
    ("successive-halving", "data", 1), ("hyperband", "data", 1), ("wilcoxon", "epochs", 5)
)  # fmt: skip
COURSES = [
    HALVED,
    pytest.param(BANDED, marks=pytest.mark.slow),
    pytest.param(REPEATED, marks=pytest.mark.slow),
]


def trials_of(
    folder: Path, engine: StubEngine, course: tuple[str, str, int], n_trials: int = 40
) -> list[FrozenTrial]:
    """A study whose trials run so."""
    folder.mkdir(exist_ok=True)
    pruner, fidelity, replicates = course
    return run(
        folder, engine, n_trials, sampler="random", pruner=pruner, fidelity=fidelity,
        replicates=replicates, concurrency=3,
    )  # fmt: skip


def parts_of(engine: StubEngine, trial: FrozenTrial) -> list[int]:
    """What part of the data each training of a trial had, one in so many."""
    wanted = trial.user_attrs[records.LAYOUT]
    return [r.one_in for r in engine.requests if r.layout.notation == wanted]


@pytest.mark.slow
@pytest.mark.parametrize("course", COURSES)
def test_the_order_of_events_decides_nothing(tmp_path: Path, course: tuple[str, str, int]) -> None:
    """Nor does an interruption, in the first training of a trial or in a later one."""
    whole = trials_of(tmp_path / "whole", StubEngine(), course)
    for number, epoch, order in ((3, 2, None), (30, 1, 0), (2, 3, 1), (9, 1, 2)):
        engine = StubEngine(at_epoch=interrupt_at(number, epoch), order=order)
        with pytest.raises(KeyboardInterrupt):
            trials_of(tmp_path / "parts", engine, course)
    parts = trials_of(tmp_path / "parts", StubEngine(order=3), course)

    assert outcome(parts) == outcome(whole)
    assert {t.state for t in whole} == {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.slow
def test_a_promoted_trial_starts_anew_on_more_data(tmp_path: Path) -> None:
    """A ninth, a third, all; what is stopped has seen no more than its rung's part."""
    engine = StubEngine(order=0)
    trials = trials_of(tmp_path, engine, HALVED)
    parts = [parts_of(engine, trial) for trial in trials]

    assert parts[:N_BASELINES] == [[1]] * N_BASELINES
    for trial, seen in list(zip(trials, parts, strict=True))[N_BASELINES:]:
        is_whole = trial.state is TrialState.COMPLETE
        assert seen == [9, 3, 1][: len(seen)]
        assert (len(seen) == 3) == is_whole
        assert list(trial.intermediate_values) == [1, 2, 3][: len(seen)]
    assert {1, 2, 3} == {len(seen) for seen in parts[N_BASELINES:]}


@pytest.mark.slow
def test_later_brackets_skip_the_smallest_parts(tmp_path: Path) -> None:
    """Hyperband's last one trains on all data at once."""
    engine = StubEngine(order=0)
    trials = trials_of(tmp_path, engine, BANDED)
    starts = {parts_of(engine, trial)[0] for trial in trials[N_BASELINES:]}

    assert starts == {9, 3, 1}


@pytest.mark.slow
def test_a_trial_of_replicates_scores_their_mean(tmp_path: Path) -> None:
    """A baseline too; all layouts have the same seeds, and no layout has one twice."""
    engine = StubEngine(order=0)
    trials = trials_of(tmp_path, engine, REPEATED)
    seeds = {r.layout.id: [] for r in engine.requests}  # type: dict[str, list[int]]
    for request in engine.requests:
        seeds[request.layout.id].append(request.seed)
    longest = max(seeds.values(), key=len)

    assert len(longest) == len(set(longest)) == 5
    assert all(found == longest[: len(found)] for found in seeds.values())
    for trial in trials:
        assert trial.value == pytest.approx(fmean(trial.intermediate_values.values()))
        assert (len(trial.intermediate_values) == 5) == (trial.state is TrialState.COMPLETE)


@pytest.mark.slow
@pytest.mark.parametrize("course", COURSES)
def test_all_trainings_of_a_trial_count(tmp_path: Path, course: tuple[str, str, int]) -> None:
    """Their steps, whether it was finished or stopped."""
    engine = StubEngine(order=0)
    trials = trials_of(tmp_path, engine, course)

    for trial in trials:
        assert spent_by(trial).n_steps == N_STEPS * len(parts_of(engine, trial))


def card(score: float, seed: int) -> ScoreCard:
    costs = Costs(100, 10, 440, 1000, 1.5)
    return ScoreCard(score, (score / 2, score), None, seed, 10, 0.5, costs)


def test_a_card_of_parts_is_the_last_ones() -> None:
    """But for the steps and the time, which are those of all."""
    whole = Course(PLAN, "data").card([card(0.4, 7), card(0.8, 7)])

    assert (whole.score, whole.history) == (0.8, (0.4, 0.8))
    assert (whole.n_steps, whole.train_seconds) == (20, 1.0)


def test_a_card_of_replicates_holds_means() -> None:
    """After each epoch, and in the end; the seed is the first one's."""
    whole = Course(PLAN, replicates=2).card([card(0.4, 7), card(0.8, 8)])

    assert whole.history == pytest.approx((0.3, 0.6))
    assert whole.score == whole.history[-1]
    assert (whole.seed, whole.n_steps, whole.train_seconds) == (7, 20, 1.0)


def test_one_training_is_as_it_ever_was() -> None:
    """Its seed is the layout's, and every score of it a report."""
    (leg,) = Course(PLAN).legs(Layout(), 0, 1)

    assert leg.request.one_in == 1
    assert [leg.report_of(own) for own in (1, 2, 3)] == [1, 2, 3]
    assert Course(PLAN).card([card(0.4, 7)]) == card(0.4, 7)


@pytest.mark.parametrize(
    ("epochs", "rungs"), [(1, (1,)), (2, (1,)), (4, (1, 3)), (27, (1, 3, 9, 27))]
)
def test_rungs_lie_three_times_further_on(epochs: int, rungs: tuple[int, ...]) -> None:
    """As far as the training goes."""
    assert Course(TrainingPlan(epochs=epochs)).horizon("study").rungs == rungs


def test_rungs_are_reports_and_no_epochs() -> None:
    """One long epoch has rungs where it is scored often; parts of the data are one rung each."""
    long = TrainingPlan(epochs=1, reports_per_epoch=9)

    assert Course(long).horizon("study").rungs == (1, 3, 9)
    assert Course(PLAN, "data").horizon("study").rungs == (1, 2, 3)


@pytest.mark.parametrize(
    ("course", "pruner", "said"),
    [
        (Course(PLAN, "data"), "none", "--fidelity data needs a pruner that judges by rungs"),
        (Course(PLAN, "data"), "wilcoxon", "got --pruner wilcoxon"),
        (Course(PLAN, replicates=2), "median", "--replicates goes with --pruner wilcoxon or none"),
        (Course(PLAN, replicates=4), "wilcoxon", "needs --replicates 5 at least"),
        (
            Course(TrainingPlan(reports_per_epoch=2), replicates=5),
            "wilcoxon",
            "--reports-per-epoch has no use",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(course: Course, pruner: str, said: str) -> None:
    """In words that name the options."""
    with pytest.raises(StudyError, match=said):
        course.check(pruner)


def test_what_goes_together_passes() -> None:
    """Replicates without pruning too."""
    Course(PLAN).check("median")
    Course(PLAN, replicates=2).check("none")
    Course(PLAN, "data").check("hyperband")
