from collections.abc import Sequence

import optuna
import pytest
from optuna.study import Study, StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.study.pruners import PRUNERS, Judge
from placement_search.study.records import ROLE, SEARCHED

EPOCHS = 8
UP = StudyDirection.MAXIMIZE


@pytest.fixture(params=PRUNERS)
def name(request: pytest.FixtureRequest) -> str:
    """Each pruner in turn."""
    chosen: str = request.param
    return chosen


def new_study(pruner: str, epochs: int = EPOCHS) -> Study:
    return optuna.create_study(
        study_name="pruned", direction="maximize", pruner=PRUNERS[pruner](epochs)
    )


def run(study: Study, scores: Sequence[float]) -> int | None:
    """Report one score per epoch from 1; the epoch at which the trial was stopped, if it was."""
    trial = study.ask()
    for epoch, score in enumerate(scores, start=1):
        trial.report(score, epoch)
        if trial.should_prune():
            study.tell(trial, state=TrialState.PRUNED)
            return epoch
    study.tell(trial, scores[-1])
    return None


def rising(level: float, epochs: int = EPOCHS) -> list[float]:
    return [level + epoch / 100 for epoch in range(epochs)]


@pytest.mark.parametrize("epochs", [1, 2, 3, 8, 30])
def test_a_trial_better_than_all_before_is_never_stopped(name: str, epochs: int) -> None:
    """Whatever else a pruner does, it keeps the best, for short and long trainings."""
    study = new_study(name, epochs)
    stopped = [run(study, rising(0.3 + number / 100, epochs)) for number in range(25)]

    assert stopped == [None] * 25


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_hopeless_trials_are_stopped(pruner: str) -> None:
    """Among better ones most of them end early, which is what a pruner is for."""
    study = new_study(pruner)
    for number in range(12):
        run(study, rising(0.7 + number / 100))
    stopped = [run(study, rising(0.1 - number / 100)) for number in range(12)]

    # Hyperband's last bracket, a third of the trials or fewer, runs everything to its end.
    assert sum(epoch is not None and epoch < EPOCHS for epoch in stopped) >= 6


def test_no_pruner_stops_nothing() -> None:
    """``none`` trains even the worst to its end."""
    study = new_study("none")
    stopped = [run(study, rising(0.9 - number / 50)) for number in range(20)]

    assert stopped == [None] * 20


def test_the_median_needs_five_trials_to_judge_by() -> None:
    """The first five run to their end, however bad."""
    study = new_study("median")
    stopped = [run(study, rising(0.9 - number / 10)) for number in range(6)]

    assert stopped[:5] == [None] * 5
    assert stopped[5] is not None


def test_the_median_waits_for_a_quarter_of_the_epochs() -> None:
    """What the first epochs say is mostly the head's doing."""
    study = new_study("median", epochs=12)
    for number in range(5):
        run(study, rising(0.5 + number / 100, 12))

    assert run(study, rising(0.1, 12)) == 3


def test_the_median_stops_below_it_and_not_above() -> None:
    """Half of the trials before decide."""
    study = new_study("median")
    for level in (0.1, 0.2, 0.5, 0.8, 0.9):
        run(study, rising(level))

    assert run(study, rising(0.55)) is None
    assert run(study, rising(0.45)) is not None


def finished(level: float, role: str = SEARCHED) -> FrozenTrial:
    """A complete trial with its reports."""
    scores = dict(enumerate(rising(level), start=1))
    return optuna.create_trial(
        value=scores[EPOCHS], intermediate_values=scores, user_attrs={ROLE: role}
    )


def running(level: float, number: int) -> FrozenTrial:
    """A trial that has just reported its fourth epoch."""
    trial = optuna.create_trial(
        state=TrialState.RUNNING,
        intermediate_values=dict(enumerate(rising(level)[:4], start=1)),
        user_attrs={ROLE: SEARCHED},
    )
    # SQLite counts from 1.
    trial.number, trial._trial_id = number, number + 1
    return trial


def is_hopeless(history: Sequence[FrozenTrial], trial: FrozenTrial, pruner: str = "median") -> bool:
    """What a judge says that has just been made, as after an interruption."""
    return Judge("pruned", PRUNERS[pruner](EPOCHS), UP).is_hopeless(history, trial)


def test_a_proposal_is_judged_among_proposals_alone() -> None:
    """Large baselines would make every small layout look hopeless."""
    baselines = [finished(0.9, role="every layer, parallel")] * 6
    proposals = [finished(0.5 + number / 100) for number in range(6)]
    as_proposals = [finished(0.9)] * 6

    assert not is_hopeless([*baselines, *proposals], running(0.7, 12))
    assert is_hopeless([*baselines, *proposals], running(0.3, 12))
    assert is_hopeless([*as_proposals, *proposals], running(0.55, 12))


def test_baselines_alone_stop_nothing() -> None:
    """The median needs proposals to judge by."""
    judge = Judge("pruned", PRUNERS["median"](EPOCHS), UP)

    assert not judge.is_hopeless(
        [finished(0.9, role=f"random {n}") for n in range(8)], running(0.1, 8)
    )


def test_a_judge_of_a_resumed_search_says_what_the_old_one_said(name: str) -> None:
    """The history decides, whether it came at once or trial by trial."""
    levels = [0.5 + number % 5 / 20 for number in range(20)]
    history = [finished(level) for level in levels]
    trials = [running(level, number) for number, level in enumerate(levels)]
    old = Judge("pruned", PRUNERS[name](EPOCHS), UP)
    verdicts = [old.is_hopeless(history[:n], trial) for n, trial in enumerate(trials)]
    fresh = [is_hopeless(history[:n], trial, name) for n, trial in enumerate(trials)]

    assert fresh == verdicts
