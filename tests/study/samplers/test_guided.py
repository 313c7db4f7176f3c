import random

import optuna
import pytest
from optuna.trial import TrialState

from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study import records
from placement_search.study.samplers import guided
from placement_search.study.samplers.candidates import Candidate
from placement_search.study.samplers.gradient_guided import greedy_layouts
from placement_search.study.samplers.guided import most_telling, observations
from tests.study.samplers.asking import (
    ENCODING,
    closeness,
    layouts_of,
    made_up_proxies,
    searched,
    setting_of,
)

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
    """Six of them, the paper's own choice first; then the process looks elsewhere."""
    found = layouts_of(searched(SETTING, "guided", 9))
    greedy = [layout.notation for layout in greedy_layouts(ENCODING.space, made_up_proxies())]

    assert found[0] == greedy[0]
    assert set(found[:6]) <= set(greedy)
    assert not set(found[6:]) <= set(greedy)


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
