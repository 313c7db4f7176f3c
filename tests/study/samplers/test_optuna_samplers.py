"""What a sampler of Optuna's keeps of a long study."""

from dataclasses import replace
from itertools import islice

import pytest
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.space.encoding import Encoding
from placement_search.study.samplers import SAMPLERS, optuna_samplers
from placement_search.study.samplers.optuna_samplers import OptunaSampler, WholeSpaceTPE, template
from placement_search.study.samplers.sampler import Question, Setting, distributions
from tests.study.samplers.asking import ENCODING, question, searched, setting_of, told
from tests.tiny_spaces import bound, space_file

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


@pytest.fixture(scope="module")
def alone() -> tuple[Setting, list[FrozenTrial]]:
    """A space of single connections, and what a dozen random ones scored."""
    setting = setting_of(Encoding(bound(space_file(connections={"at_most": 1}))))
    return setting, searched(setting, "random", 12)


def liked(setting: Setting, asked: Question, n: int) -> list[str]:
    """The first layouts that the Gaussian process would try."""
    proposals = SAMPLERS["gp"](setting).proposals(asked)
    return [proposal.id for proposal in islice(proposals, n)]


def test_a_process_whose_proposal_is_old_proposes_others(
    alone: tuple[Setting, list[FrozenTrial]],
) -> None:
    """Instead of its favourite again and again, until a random layout has to do."""
    setting, trials = alone

    assert len(set(liked(setting, question(trials, 12), 4))) == 4


def test_a_process_reckons_with_trials_under_way(
    alone: tuple[Setting, list[FrozenTrial]],
) -> None:
    """What it would try is tried already, so it tries something else."""
    setting, trials = alone
    favourite = next(SAMPLERS["gp"](setting).proposals(question(trials, 12)))
    pending = told(setting, favourite)
    lagging = replace(setting, concurrency=2)

    # Asked as the same trial, so that its luck is the same.
    assert liked(setting, Question(12, trials), 1) == [favourite.id]
    assert liked(lagging, Question(12, trials, [pending]), 1) != [favourite.id]
