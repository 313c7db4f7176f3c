"""What a sampler of Optuna's keeps of a long study."""

from dataclasses import replace

import pytest
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.study.samplers import optuna_samplers
from placement_search.study.samplers.optuna_samplers import OptunaSampler, WholeSpaceTPE, template
from placement_search.study.samplers.sampler import distributions
from tests.study.samplers.asking import ENCODING, question, searched, setting_of

ONE = setting_of(ENCODING)
TWO = replace(ONE, directions=(StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE))
N_SHORT, N_TRIALS = 5, 40


def kept(trials: list[FrozenTrial], *, is_pareto: bool) -> list[list[float]]:
    """The values of what TPE works on after these trials."""
    sampler = OptunaSampler(TWO if is_pareto else ONE, lambda seed: WholeSpaceTPE(seed=seed))
    next(sampler.proposals(question(trials, len(trials))))
    copied = sampler._copy.get_trials(deepcopy=False)
    return [trial.values for trial in copied if trial.values]


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[FrozenTrial]:
    """Early trials where what costs less scores less, and late ones that all of them beat."""
    for constant, value in (("N_RECENT", 12), ("N_BEST", N_SHORT), ("STRIDE", 5)):
        monkeypatch.setattr(optuna_samplers, constant, value)
    found = []
    for number, trial in enumerate(searched(TWO, "random", N_TRIALS)):
        trial.values = [-100.0, 100.0] if number >= 10 else [float(number), float(number)]
        trial.state = TrialState.COMPLETE
        found.append(trial)
    return found


def test_the_whole_front_is_kept(scored: list[FrozenTrial]) -> None:
    """Cheap layouts of low scores too, however many trials came since."""
    front = [[float(number)] * 2 for number in range(10)]

    assert kept(scored, is_pareto=True)[:10] == front


def test_without_a_cost_the_best_are_kept(scored: list[FrozenTrial]) -> None:
    """So many, in their order."""
    alone = [template(trial, distributions(ENCODING)) for trial in scored]
    for trial, whole in zip(alone, scored, strict=True):
        trial.values = whole.values[:1]
    found = kept(alone, is_pareto=False)

    assert found[:N_SHORT] == [[5.0], [6.0], [7.0], [8.0], [9.0]]
    assert found[N_SHORT] == [-100.0]
