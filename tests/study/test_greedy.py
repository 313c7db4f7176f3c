"""The greedy choice of places, with its discount near chosen ones."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placement_search.space.groups import Group
from placement_search.space.node_names import Pair
from placement_search.study.greedy import GAMMA, greedy_groups

SCORES = [[1.0, 9.0, 8.0, 2.0], [7.0, 8.5, 3.0, 5.0], [0.0, 1.0, 2.0, 6.0], [4.0, 0.0, 1.0, 3.0]]
PAIRS = [(source, target) for source in range(4) for target in range(4)]


def chosen_of(
    scores: Sequence[Sequence[float]], pairs: Sequence[Pair], n: int, gamma: float = GAMMA
) -> list[Pair]:
    """The places that are chosen, each a group of its own."""
    return [pairs[number] for number in greedy_groups(scores, [(p,) for p in pairs], n, gamma)]


def test_without_a_discount_the_highest_scores_are_chosen() -> None:
    """Gamma 0 is plain top-k, in the order of the scores."""
    assert chosen_of(SCORES, PAIRS, 4, gamma=0) == [(0, 1), (1, 1), (0, 2), (1, 0)]


def test_places_near_chosen_ones_are_discounted() -> None:
    """By 1 - 0.6^distance for each of them, with Manhattan's distance: computed by hand.

    After (0, 1) with 9: (1, 3), 3 steps away, is worth 5·0.784 = 3.92, and (2, 3), 4 away,
    6·0.8704 = 5.2224, more than (1, 1) with 8.5·0.4 = 3.4. After that (3, 0), 4 steps from both,
    has 4·0.8704·0.8704 = 3.03, and (1, 1), 3 away, 3.4·0.784 = 2.67.
    """
    assert chosen_of(SCORES, [(0, 1), (1, 1), (1, 3), (2, 3), (3, 0)], 4, gamma=0.6) == [
        (0, 1), (2, 3), (3, 0), (1, 1),
    ]  # fmt: skip


@given(st.integers(0, 20), st.floats(0, 1))
def test_no_place_is_chosen_twice(n: int, gamma: float) -> None:
    """As many as asked for, or all; also where a discount of everything leaves only zeros."""
    chosen = chosen_of(SCORES, PAIRS, n, gamma)

    assert len(chosen) == len(set(chosen)) == min(n, len(PAIRS))


@given(st.floats(0.01, 100), st.integers(1, 16))
def test_a_proxys_unit_does_not_matter(factor: float, n: int) -> None:
    """Only the ratios of scores do; a power of two keeps them exactly."""
    factor = 2.0 ** round(factor / 10)
    scaled = [[factor * score for score in row] for row in SCORES]

    assert chosen_of(scaled, PAIRS, n) == chosen_of(SCORES, PAIRS, n)


def test_only_the_given_places_are_chosen() -> None:
    """However high the others score."""
    assert set(chosen_of(SCORES, [(3, 3), (2, 0)], 5)) == {(3, 3), (2, 0)}


def test_ties_go_to_the_earlier_place() -> None:
    """A numerical rank has many of them, and a study must come out the same again."""
    assert chosen_of([[1.0] * 4] * 4, PAIRS, 1) == [(0, 0)]


@pytest.mark.parametrize("score", [-1.0, float("nan")])
def test_scores_that_a_discount_would_not_make_worse_are_refused(score: float) -> None:
    """Multiplying a negative score by less than one raises it."""
    with pytest.raises(ValueError, match="at least 0"):
        chosen_of([[score]], [(0, 0)], 1)


@pytest.mark.parametrize("gamma", [-0.1, 1.1])
def test_gamma_is_a_share(gamma: float) -> None:
    """Beyond it a discount would be a reward."""
    with pytest.raises(ValueError, match="gamma"):
        chosen_of(SCORES, PAIRS, 1, gamma)


def test_groups_score_their_mean_and_are_discounted_by_their_nearest_connections() -> None:
    """By hand: 8 of (0, 2) and 7.75 of the pair beside it, at 0.4 3.1, less than 3.75·0.8704."""
    groups: list[Group] = [((0, 1), (1, 0), (1, 2)), ((0, 2),), ((1, 3), (2, 2)), ((3, 3), (3, 0))]
    scores = [
        [0.0, 9.0, 8.0, 0.0],
        [9.0, 0.0, 5.25, 4.0],
        [0.0, 0.0, 3.0, 0.0],
        [4.0, 0.0, 0.0, 3.5],
    ]

    assert greedy_groups(scores, groups, 3, gamma=0) == [1, 0, 3]
    assert greedy_groups(scores, groups, 3, gamma=0.6) == [1, 3, 0]


def test_groups_that_are_taken_come_first() -> None:
    """They count, and discount the rest."""
    groups = [((0, 1),), ((0, 2),), ((3, 3),)]

    assert greedy_groups(SCORES, groups, 2, taken=[0]) == [0, 1]
    assert greedy_groups(SCORES, groups, 1, taken=[0, 2]) == [0, 2]
