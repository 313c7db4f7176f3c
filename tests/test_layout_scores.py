import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from placement_search.layout import Connection, Layout, ModuleSpec
from placement_search.layout_scores import (
    AGGREGATES,
    coverage,
    distance,
    kept_share,
    layout_sum,
)
from placement_search.study.greedy import greedy_groups

N_NODES = 6
SCORES = [
    [1.0 + (7 * source + 3 * target) % 11 for target in range(N_NODES)] for source in range(N_NODES)
]
PAIRS = st.tuples(st.integers(0, N_NODES - 1), st.integers(0, N_NODES - 1))


def layout(*pairs: tuple[int, int]) -> Layout:
    """Connections between these nodes."""
    return Layout(tuple(Connection(*pair, ModuleSpec("bottleneck")) for pair in pairs))


@pytest.mark.parametrize("name", AGGREGATES)
def test_a_layout_without_connections_scores_zero(name: str) -> None:
    """And one with a single connection scores what that does."""
    assert AGGREGATES[name](SCORES, layout()) == 0
    assert AGGREGATES[name](SCORES, layout((2, 4))) == SCORES[2][4]


def test_a_sum_reads_source_and_target() -> None:
    """At ``[source][target]``, not the other way round."""
    scores = [[10.0 * source + target for target in range(N_NODES)] for source in range(N_NODES)]

    assert layout_sum(scores, layout((1, 3), (4, 5))) == 13 + 45


@given(st.sets(PAIRS, min_size=1, max_size=6), st.floats(0, 1))
def test_coverage_lies_between_the_best_connection_and_the_sum(
    pairs: set[tuple[int, int]], strength: float
) -> None:
    """A discount takes away, and never from the best."""
    made = layout(*pairs)
    covered = coverage(SCORES, made, strength)

    assert max(SCORES[s][t] for s, t in pairs) <= covered <= layout_sum(SCORES, made) + 1e-9


@given(st.sets(PAIRS, min_size=1, max_size=6))
def test_no_discount_gives_the_sum(pairs: set[tuple[int, int]]) -> None:
    """As in the paper, where gamma = 0 is the choice of the best without regard to place."""
    made = layout(*pairs)

    assert coverage(SCORES, made, 0.0) == pytest.approx(layout_sum(SCORES, made))


def test_neighbours_cover_less_than_distant_places() -> None:
    """Of equal scores two beside each other are worth 1.4 of one, two far apart nearly 2."""
    flat = [[1.0] * N_NODES for _ in range(N_NODES)]

    assert coverage(flat, layout((2, 2), (2, 3))) == pytest.approx(1.4)
    assert coverage(flat, layout((2, 2), (3, 3))) == pytest.approx(1.64)
    assert coverage(flat, layout((0, 0), (5, 5))) == pytest.approx(2 - 0.6**10)


def test_coverage_is_what_the_greedy_search_would_collect() -> None:
    """The highest first, each later one at its discounted score."""
    made = layout((0, 0), (1, 2), (5, 3))
    pairs = [(0, 0), (1, 2), (5, 3)]
    chosen = [pairs[number] for number in greedy_groups(SCORES, [(p,) for p in pairs], 3)]
    collected = sum(
        SCORES[pair[0]][pair[1]] * math.prod(kept_share(pair, former) for former in chosen[:n])
        for n, pair in enumerate(chosen)
    )

    assert coverage(SCORES, made) == pytest.approx(collected)


def test_the_share_kept_grows_with_distance() -> None:
    """Nothing at the place itself, whatever the strength; the paper's steps at 0.6."""
    kept = [kept_share((2, 2 + steps), (2, 2)) for steps in range(4)]

    assert kept == pytest.approx([0, 0.4, 0.64, 0.784])
    assert kept_share((1, 1), (1, 1), 0.0) == 0
    assert distance((1, 5), (3, 2)) == distance((3, 2), (1, 5)) == 5
