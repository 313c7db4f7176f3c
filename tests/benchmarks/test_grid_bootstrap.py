import random

import pytest

from benchmarks.placements.grid_bootstrap import best_difference, grid_correlation
from placement_search.evaluation.estimates import rank_correlation

N_NODES = 12
PAIRS = [(source, target) for source in range(N_NODES) for target in range(N_NODES)]


def by_target(seed: int, noise: float) -> dict[tuple[int, int], float]:
    """Scores that a target's connections share, but for some noise."""
    generator = random.Random(seed)  # noqa: S311 - reproducible, not secret
    shared = [generator.gauss(0, 1) for _ in range(N_NODES)]
    return {pair: shared[pair[1]] + noise * generator.gauss(0, 1) for pair in PAIRS}


def test_connections_that_share_nodes_count_for_less_than_as_many_pairs() -> None:
    """Twelve targets that agree by chance are twelve, not a hundred and forty-four."""
    ours, theirs = by_target(0, 0.1), by_target(1, 0.1)
    found = grid_correlation(ours, theirs)
    naive = rank_correlation(list(ours.values()), list(theirs.values()))

    assert found is not None
    assert naive is not None
    assert found.mean == pytest.approx(naive.mean)
    assert found.high - found.low > 2 * (naive.high - naive.low)


@pytest.mark.slow
def test_the_interval_is_the_same_every_time() -> None:
    """And lies about the correlation of all connections."""
    ours, theirs = by_target(0, 1.0), by_target(0, 2.0)
    found = grid_correlation(ours, theirs)

    assert found == grid_correlation(ours, theirs)
    assert found is not None
    assert found.low < found.mean < found.high


def test_connections_that_one_side_lacks_are_left_out() -> None:
    """As of a table that is still being built."""
    scores = by_target(0, 0.1)
    some = {pair: scores[pair] for pair in PAIRS[::3]}
    found = grid_correlation(some, scores)

    assert found is not None
    assert found.mean == pytest.approx(1.0)
    assert found.n == len(some)


def test_nothing_is_said_of_equal_scores() -> None:
    """Nor of a few."""
    scores = by_target(0, 0.1)

    assert grid_correlation(dict.fromkeys(PAIRS, 0.5), scores) is None
    assert grid_correlation({pair: scores[pair] for pair in PAIRS[:4]}, scores) is None


@pytest.mark.slow
def test_families_are_compared_by_the_best_of_each() -> None:
    """One that knows and one that does not are apart; equal ones are not."""
    measured, strange = by_target(0, 0.1), by_target(5, 0.1)
    apart = best_difference([strange, measured], [strange], measured)
    same = best_difference([measured, strange], [strange, measured], measured)

    assert apart is not None
    assert apart.low > 0
    assert same is not None
    assert (same.low, same.mean, same.high) == (0, 0, 0)
