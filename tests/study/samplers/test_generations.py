import pytest
from optuna.samplers import RandomSampler
from optuna.trial import TrialState

from placement_search.study.samplers import generations
from placement_search.study.samplers.generations import GenerationalSampler
from tests.study.samplers.asking import ENCODING, question, searched, setting_of

SETTING = setting_of(ENCODING)


@pytest.mark.parametrize("name", ["cma-es", "nsga-ii"])
def test_generations_hear_the_scores_of_their_own_layouts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every proposal's score, pruned ones too, is told to the trial that asked for it."""
    made: list[GenerationalSampler] = []
    begin = GenerationalSampler._begin

    def watched(self: GenerationalSampler) -> None:
        made.append(self)
        begin(self)

    monkeypatch.setattr(GenerationalSampler, "_begin", watched)
    trials = searched(SETTING, name, 30)
    made[0]._learn(question(trials, 30).trials)
    copies = [t for t in made[0]._copy.get_trials() if t.state is TrialState.COMPLETE]

    scored = [trial.value for trial in trials if trial.state is not TrialState.FAIL]
    assert [copy.value for copy in copies] == scored
    assert any(copy.system_attrs for copy in copies) or name == "nsga-ii"


def test_a_sampler_that_insists_on_an_old_layout_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """After so many attempts its turn is over, and it holds no trial open."""
    monkeypatch.setattr(generations, "N_ATTEMPTS", 3)
    sampler = GenerationalSampler(SETTING, lambda seed: RandomSampler(seed=seed))

    assert len(list(sampler.proposals(question([], 0)))) == 3
    assert all(trial.state.is_finished() for trial in sampler._copy.get_trials())
