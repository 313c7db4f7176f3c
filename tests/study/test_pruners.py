import random
import warnings
from collections.abc import Callable, Mapping, Sequence
from statistics import fmean

import optuna
import pytest
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.evaluation.plan import TrainingPlan
from placement_search.study.course import Course
from placement_search.study.pruners import PRUNERS
from placement_search.study.pruners.judge import Judge
from placement_search.study.records import ROLE, SEARCHED

EPOCHS = 8
NAME = "pruned"
"""The study's, which Hyperband deals out its brackets by."""

OPTUNAS: Mapping[str, Callable[[int], BasePruner]] = {
    "none": lambda _epochs: optuna.pruners.NopPruner(),
    "median": lambda epochs: optuna.pruners.MedianPruner(
        n_startup_trials=5, n_warmup_steps=max(1, epochs // 4)
    ),
    "successive-halving": lambda _epochs: optuna.pruners.SuccessiveHalvingPruner(
        min_resource=1, reduction_factor=3
    ),
    "wilcoxon": lambda _epochs: optuna.pruners.WilcoxonPruner(p_threshold=0.1, n_startup_steps=4),
    "hyperband": lambda epochs: optuna.pruners.HyperbandPruner(
        min_resource=1, max_resource=epochs, reduction_factor=3
    ),
}
"""What each of ours has to decide like."""


@pytest.fixture(params=PRUNERS)
def name(request: pytest.FixtureRequest) -> str:
    """Each pruner in turn."""
    chosen: str = request.param
    return chosen


def new_judge(pruner: str, epochs: int = EPOCHS, sign: int = 1) -> Judge:
    horizon = Course(TrainingPlan(epochs=epochs)).horizon(NAME)
    return Judge(PRUNERS[pruner](horizon), sign)


def ended(
    number: int, scores: Sequence[float], role: str = SEARCHED, *, is_pruned: bool = False
) -> FrozenTrial:
    """A trial as a study holds it once it is over."""
    trial = optuna.create_trial(
        state=TrialState.PRUNED if is_pruned else TrialState.COMPLETE,
        value=scores[-1],
        intermediate_values=dict(enumerate(scores, start=1)),
        user_attrs={ROLE: role},
    )
    trial.number = number
    return trial


def stop_of(judge: Judge, number: int, scores: Sequence[float]) -> int | None:
    """The epoch at which a trial that was begun is stopped, if it is."""
    for epoch in range(1, len(scores)):
        if judge.is_hopeless(number, dict(enumerate(scores[:epoch], start=1))):
            return epoch
    return None


def stops(
    pruner: str, trials: Sequence[Sequence[float]], epochs: int = EPOCHS, sign: int = 1
) -> list[int | None]:
    """Where each of a study's trials is stopped, one after another."""
    judge = new_judge(pruner, epochs, sign)
    history: list[FrozenTrial] = []
    found = []
    for number, scores in enumerate(trials):
        judge.begin(history, number)
        found.append(stop_of(judge, number, scores))
        is_pruned = found[-1] is not None
        history.append(ended(number, scores[: found[-1]], is_pruned=is_pruned))
    return found


def optunas_stops(
    pruner: str, trials: Sequence[Sequence[float]], epochs: int, sign: int
) -> list[int | None]:
    """The same, by Optuna's pruner in a study of its own."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.simplefilter("ignore", ExperimentalWarning)
    direction = StudyDirection.MAXIMIZE if sign > 0 else StudyDirection.MINIMIZE
    study = optuna.create_study(
        study_name=NAME, direction=direction, pruner=OPTUNAS[pruner](epochs)
    )
    average = fmean if pruner == "wilcoxon" else lambda scores: scores[-1]
    return [_optunas_stop(study, scores, average(scores)) for scores in trials]


def _optunas_stop(study: optuna.Study, scores: Sequence[float], value: float) -> int | None:
    trial = study.ask()
    for epoch, score in enumerate(scores, start=1):
        trial.report(score, epoch)
        if trial.should_prune() and epoch < len(scores):
            study.tell(trial, state=TrialState.PRUNED)
            return epoch
    study.tell(trial, value)
    return None


def rising(level: float, epochs: int = EPOCHS) -> list[float]:
    return [level + epoch / 100 for epoch in range(epochs)]


def capped(pruner: str, epochs: int) -> int:
    """Replicates are few, and scipy's exact test takes long for many."""
    return min(epochs, 10) if pruner == "wilcoxon" else epochs


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "epochs", [1, 3, 9, *(pytest.param(n, marks=pytest.mark.slow) for n in (2, 8, 30))]
)
def test_ours_decide_like_optunas(name: str, epochs: int, sign: int) -> None:
    """Over noisy trials with ties, whether scores or errors."""
    epochs = capped(name, epochs)
    generator = random.Random(epochs)  # noqa: S311
    trials = [
        [round(level + generator.gauss(0, 0.1) + epoch / 50, 2) for epoch in range(epochs)]
        for level in (generator.random() for _ in range(60))
    ]
    found = stops(name, trials, epochs, sign)

    assert found == optunas_stops(name, trials, epochs, sign)
    assert name == "none" or epochs < (5 if name == "wilcoxon" else 3) or any(found)


@pytest.mark.parametrize("epochs", [1, 3, 8, pytest.param(30, marks=pytest.mark.slow)])
def test_a_trial_better_than_all_before_is_never_stopped(name: str, epochs: int) -> None:
    """Whatever else a pruner does, it keeps the best, for short and long trainings."""
    epochs = capped(name, epochs)
    trials = [rising(0.3 + number / 100, epochs) for number in range(25)]

    assert stops(name, trials, epochs) == [None] * 25


@pytest.mark.parametrize("pruner", ["median", "successive-halving", "hyperband", "wilcoxon"])
def test_hopeless_trials_are_stopped(pruner: str) -> None:
    """Among better ones most of them end early, which is what a pruner is for."""
    good = [rising(0.7 + number / 100) for number in range(12)]
    bad = [rising(0.1 - number / 100) for number in range(12)]
    stopped = stops(pruner, good + bad)[12:]

    # Hyperband's last bracket, a third of the trials or fewer, runs everything to its end.
    assert sum(epoch is not None and epoch < EPOCHS for epoch in stopped) >= 6


def test_no_pruner_stops_nothing() -> None:
    """``none`` trains even the worst to its end."""
    assert stops("none", [rising(0.9 - number / 50) for number in range(20)]) == [None] * 20


def test_the_median_needs_five_trials_to_judge_by() -> None:
    """The first five run to their end, however bad."""
    stopped = stops("median", [rising(0.9 - number / 10) for number in range(6)])

    assert stopped[:5] == [None] * 5
    assert stopped[5] is not None


def test_the_median_waits_for_a_quarter_of_the_epochs() -> None:
    """What the first epochs say is mostly the head's doing."""
    good = [rising(0.5 + number / 100, 12) for number in range(5)]

    assert stops("median", [*good, rising(0.1, 12)], 12)[-1] == 3


def test_the_median_stops_below_it_and_not_above() -> None:
    """Half of the trials before decide."""
    before = [rising(level) for level in (0.1, 0.2, 0.5, 0.8, 0.9)]

    assert stops("median", [*before, rising(0.55)])[-1] is None
    assert stops("median", [*before, rising(0.45)])[-1] is not None


def is_hopeless(history: Sequence[FrozenTrial], level: float, pruner: str = "median") -> bool:
    """What a judge made just now, as when a search goes on, says after the fourth epoch."""
    judge, number = new_judge(pruner), len(history)
    judge.begin(history, number)
    return judge.is_hopeless(number, dict(enumerate(rising(level)[:4], start=1)))


def numbered(trials: Sequence[tuple[float, str]]) -> list[FrozenTrial]:
    return [ended(n, rising(level), role) for n, (level, role) in enumerate(trials)]


def test_a_proposal_is_judged_among_proposals_alone() -> None:
    """Large baselines would make every small layout look hopeless."""
    proposals = [(0.5 + number / 100, SEARCHED) for number in range(6)]
    with_baselines = numbered([(0.9, "every layer, parallel")] * 6 + proposals)
    with_proposals = numbered([(0.9, SEARCHED)] * 6 + proposals)

    assert not is_hopeless(with_baselines, 0.7)
    assert is_hopeless(with_baselines, 0.3)
    assert is_hopeless(with_proposals, 0.55)


def test_baselines_alone_stop_nothing() -> None:
    """The median needs proposals to judge by."""
    assert not is_hopeless(numbered([(0.9, f"random {n}") for n in range(8)]), 0.1)


def test_a_judge_of_a_resumed_search_says_what_the_old_one_said(name: str) -> None:
    """The history decides, whether it came at once or trial by trial."""
    levels = [0.5 + number % 5 / 20 for number in range(20)]
    history = numbered([(level, SEARCHED) for level in levels])
    old = new_judge(name)
    verdicts = []
    for number, level in enumerate(levels):
        old.begin(history[:number], number)
        verdicts.append(old.is_hopeless(number, dict(enumerate(rising(level)[:4], start=1))))
    fresh = [is_hopeless(history[:number], level, name) for number, level in enumerate(levels)]

    assert fresh == verdicts


def test_trials_under_way_together_are_judged_by_what_each_may_know(name: str) -> None:
    """Later trials that begin, learn and end meanwhile change nothing for an earlier one."""
    generator = random.Random(0)  # noqa: S311
    history = numbered([(generator.random(), SEARCHED) for _ in range(30)])
    alone, together = new_judge(name), new_judge(name)
    alone.begin(history[:20], 23)
    for known, number in ((20, 23), (21, 24), (25, 28)):
        together.begin(history[:known], number)
    together.end(24)

    for level in (0.0, 0.3, 0.5, 0.7):
        scores = dict(enumerate(rising(level)[:4], start=1))
        assert together.is_hopeless(23, scores) == alone.is_hopeless(23, scores)


def test_equal_replicates_stop_nothing() -> None:
    """Ties are no evidence, and three replicates are too few for any."""
    best = [0.8, 0.7, 0.9, 0.8, 0.7, 0.8]

    assert stops("wilcoxon", [best, best]) == [None, None]
    assert stops("wilcoxon", [best, [score - 0.1 for score in best]]) == [None, 4]
