from dataclasses import replace
from statistics import fmean

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.space.encoding import Encoding, Gene
from placement_search.study import records
from placement_search.study.samplers import ONE_OBJECTIVE, SAMPLERS, optuna_samplers, proposer
from placement_search.study.samplers.proposer import SpaceExhaustedError
from placement_search.study.samplers.sampler import Setting, distribution
from placement_search.study.training_choices import training_of
from tests.study.samplers.asking import (
    ENCODING,
    SMALL,
    SMALL_TRAINED,
    TRAINED,
    closeness,
    ids_of,
    layouts_of,
    proposer_of,
    question,
    searched,
    setting_of,
)
from tests.tiny_spaces import bound, space_file

SETTING = setting_of(ENCODING)
ENUMERATING = {"brute-force"}
"""Samplers that refuse a space as large as the others are tested on."""
SLOW = {"gp", "guided"}
"""Samplers that think for long."""


@pytest.fixture(
    params=[pytest.param(each, marks=pytest.mark.slow if each in SLOW else ()) for each in SAMPLERS]
)
def name(request: pytest.FixtureRequest) -> str:
    """Each sampler in turn."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def setting(name: str) -> Setting:
    """What the sampler can work on."""
    return setting_of(SMALL) if name in ENUMERATING else SETTING


def n_of(setting: Setting, wanted: int) -> int:
    """As many trials as wanted, or as the space has layouts."""
    return min(wanted, 4) if setting.encoding is SMALL else wanted


def test_numbers_of_the_encoding_have_optunas_distributions() -> None:
    """The unit interval, or every integer below the number of values."""
    assert distribution(Gene("source_0")) == FloatDistribution(0, 1)
    assert distribution(Gene("module", 3)) == IntDistribution(0, 2)


def test_a_proposal_is_a_layout_of_the_space_with_its_numbers(name: str, setting: Setting) -> None:
    """What is written down with the trial means the layout that is evaluated."""
    for trial in searched(setting, name, n_of(setting, 14)):
        layout = parse_layout(trial.user_attrs[records.LAYOUT], MODULE_TYPES)
        assert setting.encoding.space.contains(layout)
        assert setting.encoding.decode(trial.params) == layout


def test_what_was_seen_is_never_proposed(name: str) -> None:
    """A layout is trained once: a space of four gives its four in four proposals."""
    trials = searched(setting_of(SMALL), name, 4)

    assert len(set(layouts_of(trials))) == 4


def test_a_space_that_was_seen_whole_is_exhausted(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error says so and names the space, for the search to end well."""
    monkeypatch.setattr(proposer, "N_DRAWN", 50)
    trials = searched(setting_of(SMALL), name, 4)
    seen = {trial.user_attrs[records.LAYOUT_ID] for trial in trials}

    with pytest.raises(SpaceExhaustedError, match="'tiny'"):
        proposer_of(name, setting_of(SMALL)).propose(question(trials, 4), seen)


@pytest.mark.parametrize("concurrency", [1, 4])
def test_a_resumed_search_goes_on_as_if_it_had_not_stopped(
    name: str, setting: Setting, concurrency: int
) -> None:
    """A fresh sampler with the same trials says what the old one says, at any point."""
    lagging = replace(setting, concurrency=concurrency)
    n_trials = n_of(setting, 10 if name == "gp" else 16)
    trials = searched(lagging, name, n_trials)

    for number in {0, 1, n_trials // 2, n_trials - 1}:
        resumed = searched(lagging, name, number + 1, begun=trials[:number])
        assert layouts_of(resumed) == layouts_of(trials[: number + 1])


@pytest.mark.parametrize("sampler", [each for each in SAMPLERS if each not in SLOW])
def test_a_resumed_search_of_training_settings_goes_on_as_if_it_had_not_stopped(
    sampler: str,
) -> None:
    """Layouts come with their learning rates, and nothing is proposed twice with the same one."""
    is_small = sampler in ENUMERATING
    asked = setting_of(SMALL_TRAINED if is_small else TRAINED)
    n_trials = 12 if is_small else 24
    trials = searched(asked, sampler, n_trials)

    assert len(set(ids_of(trials))) == n_trials
    assert len({training_of(trial.user_attrs) for trial in trials}) > 1
    for number in {0, 1, n_trials // 2, n_trials - 1}:
        resumed = searched(asked, sampler, number + 1, begun=trials[:number])
        assert ids_of(resumed) == ids_of(trials[: number + 1])


@pytest.mark.parametrize("sampler", ["gradient-guided", "guided", "switch"])
def test_layouts_have_their_turn_before_one_comes_again_trained_otherwise(sampler: str) -> None:
    """A learning rate drawn anew makes no layout new: the first six proposals are six layouts."""
    rates = {"learning_rate": {"low": 0.001, "high": 0.1}}
    asked = setting_of(Encoding(bound(space_file(training=rates))))

    assert len(set(layouts_of(searched(asked, sampler, 6)))) == 6


def test_asking_again_gives_the_same_proposal(name: str, setting: Setting) -> None:
    """Trials and number decide, not how often was asked."""
    trials = searched(setting, name, n_of(setting, 10))
    asked = proposer_of(name, setting)
    latest = question(trials, len(trials))

    assert asked.propose(latest, ()) == asked.propose(latest, ())


def test_a_score_may_be_set_against_a_cost(name: str, setting: Setting) -> None:
    """Two objectives are searched, and a search that is resumed goes on as it would have."""
    if name in ONE_OBJECTIVE:
        pytest.skip("looks for the best score alone")
    both = replace(setting, directions=(StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE))
    n_trials = n_of(setting, 12)
    trials = searched(both, name, n_trials)

    assert layouts_of(searched(both, name, n_trials, begun=trials[:-1])) == layouts_of(trials)


def test_another_seed_searches_another_way(name: str, setting: Setting) -> None:
    """Proposals are drawn, except where the proxies alone decide."""
    found = {
        tuple(layouts_of(searched(replace(setting, seed=seed), name, n_of(setting, 9))))
        for seed in range(5)
    }

    assert len(found) > 1 or name == "gradient-guided"


def test_trials_outside_the_space_tell_the_sampler_nothing(name: str, setting: Setting) -> None:
    """An adapter in every layer has no numbers; however good, it moves no proposal."""
    outside = optuna.create_trial(
        state=TrialState.COMPLETE,
        value=99.0,
        user_attrs={
            records.ROLE: "every layer",
            records.LAYOUT: "+".join(f"{n}>{n}:bottleneck(rank=32)" for n in range(25)),
            records.LAYOUT_ID: "outside",
        },
    )
    worthless = optuna.create_trial(state=TrialState.FAIL, user_attrs=dict(outside.user_attrs))
    with_it, without = (
        searched(setting, name, n_of(setting, 13), begun=[first]) for first in (outside, worthless)
    )

    assert layouts_of(with_it)[1:] == layouts_of(without)[1:]


def test_a_study_without_a_proxy_map_is_searched_as_well(name: str, setting: Setting) -> None:
    """With ``--no-map`` every sampler still has something to propose."""
    trials = searched(replace(setting, proxies={}), name, n_of(setting, 9))

    assert len(set(layouts_of(trials))) == len(trials)


@pytest.mark.parametrize(
    ("learner", "n_trials"),
    [
        ("tpe", 30),
        ("cma-es", 90),
        *(pytest.param(name, 30, marks=pytest.mark.slow) for name in sorted(SLOW)),
    ],
)
def test_what_learns_finds_where_the_good_layouts_are(learner: str, n_trials: int) -> None:
    """After some trials its proposals are better than random ones, over three searches."""
    late = {
        sampler: fmean(
            closeness(parse_layout(notation, MODULE_TYPES))
            for seed in range(3)
            for notation in layouts_of(
                searched(setting_of(ENCODING, seed, is_mapped=False), sampler, n_trials)[-12:]
            )
        )
        for sampler in ("random", learner)
    }

    # Random connections lie 17 nodes away on average; a quarter less is no matter of luck over 36.
    assert late["random"] < -12
    assert late[learner] > 0.75 * late["random"]


@pytest.mark.slow
def test_a_long_search_that_is_resumed_goes_on_as_if_it_had_not_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What TPE leaves out depends on the trials alone."""
    for constant, value in (("N_RECENT", 12), ("N_BEST", 3), ("STRIDE", 5)):
        monkeypatch.setattr(optuna_samplers, constant, value)
    trials = searched(SETTING, "tpe", 40)

    for number in (15, 27, 39):
        resumed = searched(SETTING, "tpe", number + 1, begun=trials[:number])
        assert layouts_of(resumed)[-1] == layouts_of(trials)[number]


@pytest.mark.parametrize("learner", ["tpe", "guided", pytest.param("gp", marks=pytest.mark.slow)])
def test_trials_that_others_proposed_are_learned_from(learner: str) -> None:
    """Random baselines of the space are scores like any other."""
    begun = searched(SETTING, "random", 12)
    turned = [replaced(trial) for trial in begun]
    one, other = (searched(SETTING, learner, 13, begun=trials)[-1] for trials in (begun, turned))

    assert layouts_of([one]) != layouts_of([other])


def replaced(trial: FrozenTrial) -> FrozenTrial:
    """The trial with the opposite score."""
    return optuna.create_trial(
        state=trial.state,
        value=None if trial.value is None else -trial.value,
        params=trial.params,
        distributions=trial.distributions,
        user_attrs=trial.user_attrs,
        intermediate_values=trial.intermediate_values,
    )
