import random
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

import optuna
import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.space.encoding import Encoding
from placement_search.space.training import TrainingChoice
from placement_search.study import records
from placement_search.study.samplers import guided
from placement_search.study.samplers.candidates import Candidate, random_candidates
from placement_search.study.samplers.gradient_guided import first_choices, greedy_layouts
from placement_search.study.samplers.guided import most_telling, observations
from tests.study.samplers.asking import (
    ENCODING,
    closeness,
    layouts_of,
    made_up_proxies,
    searched,
    setting_of,
)
from tests.tiny_spaces import N_NODES, bound, space_file

SETTING = setting_of(ENCODING)


def trial(history: list[float], state: TrialState, notation: str) -> optuna.trial.FrozenTrial:
    return optuna.create_trial(
        state=state,
        value=history[-1],
        intermediate_values=dict(enumerate(history, 1)),
        user_attrs={records.LAYOUT: notation, records.ROLE: records.SEARCHED},
    )


@pytest.mark.slow
def test_the_first_layouts_are_the_proxies_choices() -> None:
    """Six greedy ones, of norms and ranks in turn; then the process looks elsewhere."""
    found = layouts_of(searched(SETTING, "guided", 9))
    first = [each.notation for each in first_choices(SETTING, guided.FIRST)]
    greedy = [each.notation for each in greedy_layouts(SETTING)]

    assert found[: len(first)] == first
    assert set(found[:6]) <= set(greedy)
    assert not set(found[6:]) <= set(greedy)


def test_with_a_cost_the_first_layouts_have_all_sizes() -> None:
    """A front needs small ones too, from the beginning."""
    two = replace(SETTING, directions=(StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE))
    proxies = dict.fromkeys(guided.FIRST, made_up_proxies()["effective_rank"])
    sizes = [
        len(layout.connections)
        for layout in first_choices(replace(two, proxies=proxies), guided.FIRST)
    ]

    assert sizes == sorted(sizes, reverse=True)
    assert {max(sizes), min(sizes)} == {ENCODING.space.at_most, ENCODING.space.at_least}


@pytest.mark.slow
def test_a_proxy_that_is_right_helps() -> None:
    """With the map, the first dozen proposals of a search are better than without."""

    def early(*, is_mapped: bool) -> float:
        found = [
            closeness(parse_layout(notation, MODULE_TYPES))
            for seed in range(3)
            for notation in layouts_of(
                searched(setting_of(ENCODING, seed, is_mapped=is_mapped), "guided", 12)
            )
        ]
        return sum(found) / len(found)

    assert early(is_mapped=True) > early(is_mapped=False)


def drawn_closeness(score: Callable[[Layout, random.Random], float]) -> float:
    """How close the random candidates lie after forty scores of random layouts."""
    generator = random.Random(1)  # noqa: S311
    space = ENCODING.space
    layouts = [each.layout for each in random_candidates(space, generator, 40)]
    observed = [guided.Observation(Candidate(each), score(each, generator)) for each in layouts]
    found = guided.Guided(SETTING)._drawn(observed, generator)
    return sum(closeness(each.layout) for each in found) / len(found)


def test_the_combined_proxy_chooses_among_random_candidates_while_it_is_worth_it() -> None:
    """Scores that the proxies tell are followed; scores that they don't leave chance alone."""
    told = drawn_closeness(lambda layout, _: closeness(layout))
    untold = drawn_closeness(lambda _, generator: generator.random())

    assert told > untold + 1


def test_the_same_places_once_more_are_no_evidence_for_a_combined_proxy() -> None:
    """Trained otherwise or with other modules, they would be held out from themselves."""
    generator = random.Random(1)  # noqa: S311
    few = [each.layout for each in random_candidates(ENCODING.space, generator, 10)]
    observed = [
        guided.Observation(Candidate(each, TrainingChoice(rate)), closeness(each))
        for rate in (0.1, 0.2, 0.3, 0.4)
        for each in few
    ]

    assert guided.Guided(SETTING)._combination(observed) is None


def test_a_pruned_score_counts_as_if_it_had_gained_what_others_did() -> None:
    """Complete trials gained 0.2 and 0.4 after the first epoch: 0.3 in the median, and doubted."""
    found = observations(
        [
            trial([0.5, 0.7], TrialState.COMPLETE, "0>1:bottleneck(rank=4)"),
            trial([0.4, 0.8], TrialState.COMPLETE, "0>2:bottleneck(rank=4)"),
            trial([0.3], TrialState.PRUNED, "0>3:bottleneck(rank=4)"),
        ],
        SETTING,
        random.Random(0),  # noqa: S311
    )

    assert [round(each.score, 6) for each in found] == [0.7, 0.8, 0.6]
    assert [round(each.doubt, 6) for each in found] == [0, 0, 0.01]


def test_a_pruned_mean_of_replicates_is_compared_with_the_same_replicates() -> None:
    """One hard seed, which all layouts share, is no gain that was still to come."""
    hard = [0.8, 0.8, 0.8, 0.7, 0.8]
    complete = [
        trial([score + n / 100 for score in hard], TrialState.COMPLETE, f"0>{n}:bottleneck(rank=4)")
        for n in range(1, 4)
    ]
    pruned = trial(
        [score - 0.03 for score in hard[:4]], TrialState.PRUNED, "0>5:bottleneck(rank=4)"
    )
    for each in (*complete, pruned):
        each.values = [fmean(each.intermediate_values.values())]
    setting = replace(SETTING, value_of=lambda scores: fmean(scores.values()))
    found = observations([*complete, pruned], setting, random.Random(0))  # noqa: S311

    assert found[-1].score == pytest.approx(fmean(hard) - 0.03)


def test_a_trial_that_began_later_shows_the_gain_too() -> None:
    """Hyperband leaves out some trials' first reports; the pruned one's last report counts."""
    late = [
        trial([0.7, 0.9], TrialState.COMPLETE, "0>1:bottleneck(rank=4)"),
        trial([0.7, 0.9], TrialState.COMPLETE, "0>2:bottleneck(rank=4)"),
    ]
    for each in late:
        each.intermediate_values = {2: 0.7, 3: 0.9}
    pruned = trial([0.4, 0.5], TrialState.PRUNED, "0>3:bottleneck(rank=4)")
    found = observations([*late, pruned], SETTING, random.Random(0))  # noqa: S311

    assert found[-1].score == pytest.approx(0.7)


def test_a_gain_that_one_trial_shows_is_doubted() -> None:
    """It may have been the only one, so it is as unsure as it is large."""
    found = observations(
        [
            trial([0.5, 0.8], TrialState.COMPLETE, "0>1:bottleneck(rank=4)"),
            trial([0.3], TrialState.PRUNED, "0>3:bottleneck(rank=4)"),
        ],
        SETTING,
        random.Random(0),  # noqa: S311
    )

    assert found[1].score == pytest.approx(0.6)
    assert found[1].doubt == pytest.approx(0.09)


def test_a_long_search_learns_from_the_best_and_the_latest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Half of the limit each."""
    monkeypatch.setattr(guided, "N_LEARNED", 4)
    layouts = [parse_layout(f"0>{n}:bottleneck(rank=4)", MODULE_TYPES) for n in range(8)]
    scores = [0.1, 0.9, 0.2, 0.8, 0.3, 0.4, 0.0, 0.5]
    observed = [
        guided.Observation(Candidate(layout), score)
        for layout, score in zip(layouts, scores, strict=True)
    ]

    assert [each.score for each in most_telling(observed)] == [0.9, 0.8, 0.0, 0.5]


@pytest.mark.slow
def test_a_proxy_that_knows_one_place_alone_stops_no_search() -> None:
    """What no random layout of reference shows has no spread to measure it by."""
    file = space_file(connections={"exactly": 3}, modules=[{"type": "bottleneck", "rank": 4}])
    nodes = range(N_NODES)
    proxy = {"effective_rank": [[1.0 + (s == t == 7) for t in nodes] for s in nodes]}
    setting = replace(setting_of(Encoding(bound(file)), seed=2), proxies=proxy)

    assert len(searched(setting, "guided", 16)) == 16
