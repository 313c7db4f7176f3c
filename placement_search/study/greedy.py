"""The paper's greedy choice: the best-scored connections, but not too near each other."""

from collections.abc import Sequence

from placement_search.space.search_space import Pair

GAMMA = 0.6
"""Strength of the discount near chosen connections (Nowak et al. 2024)."""


def greedy_pairs(
    scores: Sequence[Sequence[float]], pairs: Sequence[Pair], n: int, gamma: float = GAMMA
) -> list[Pair]:
    """Up to ``n`` connections, each the best by its discounted score after those before it.

    A score is multiplied by ``1 - gamma^distance`` for every chosen connection; the distance of two
    connections is that of their sources plus that of their targets. With ``gamma`` 0 the choice is
    the ``n`` best. After "Towards Optimal Adapter Placement" (Nowak et al. 2024), which leaves the
    form of the discount and the distance open. Cost: ``O(n · len(pairs))``.

    Args:
        scores: Of every connection, ``[source][target]``, at least 0.
        pairs: Those to choose from; ties go to the earlier one.
        n: How many.
        gamma: Strength of the discount, within [0, 1].
    """
    left = {pair: scores[pair[0]][pair[1]] for pair in pairs}
    chosen: list[Pair] = []
    while left and len(chosen) < n:
        best = max(left, key=left.__getitem__)
        chosen.append(best)
        del left[best]
        for pair in left:
            left[pair] *= 1 - gamma ** _distance(pair, best)
    return chosen


def _distance(one: Pair, other: Pair) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])
