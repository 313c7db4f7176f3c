"""A greedy choice of connections by a proxy, places near chosen ones discounted; loads no torch."""

from collections.abc import Sequence

from placement_search.space.node_names import Pair

GAMMA = 0.6
"""Strength of the discount in the paper; 0 is none."""


def greedy_pairs(
    scores: Sequence[Sequence[float]], pairs: Sequence[Pair], n: int, gamma: float = GAMMA
) -> list[Pair]:
    """``n`` places with high scores that do not crowd together, in the order of their choice.

    Gradient Guided Adapters (Nowak et al. 2024): the place with the highest score is taken again
    and again, and after each choice the score of every place is multiplied by
    ``1 - gamma ** distance`` to it. The paper leaves the distance open; here it is Manhattan's,
    ``|Δsource| + |Δtarget|``. Ties go to the earlier of ``pairs``.

    Args:
        scores: By ``[source][target]``, at least 0, larger for a better place.
        pairs: The places to choose from, as (source, target).
        n: How many; all of them where there are fewer.
        gamma: Strength of the discount, within [0, 1].

    Raises:
        ValueError: If gamma is outside its range, or the score of a place is negative or NaN, which
            a discount would not make worse.
    """
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must lie within 0 and 1, got {gamma}")
    left = {pair: float(scores[pair[0]][pair[1]]) for pair in pairs}
    wrong = {pair: score for pair, score in left.items() if not score >= 0}
    if wrong:
        raise ValueError(f"scores must be at least 0, got {wrong}")
    chosen: list[Pair] = []
    while left and len(chosen) < n:
        best = max(left, key=left.__getitem__)
        del left[best]
        chosen.append(best)
        for pair in left:
            left[pair] *= 1 - gamma ** _distance(pair, best)
    return chosen


def _distance(one: Pair, other: Pair) -> int:
    return abs(one[0] - other[0]) + abs(one[1] - other[1])
