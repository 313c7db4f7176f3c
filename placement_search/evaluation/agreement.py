"""How two rankings agree beyond one correlation: within groups, and among the best."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from placement_search.evaluation.estimates import CONFIDENCE, Estimate, correlation_estimate

MIN_FOR_TOP = 10
"""Pairs from which a best tenth is looked at."""


@dataclass(frozen=True, slots=True)
class TopOverlap:
    """How many of what a ranking has in its best tenth are truly in the best tenth.

    Args:
        share: Of the ranking's tenth, with the exact binomial interval of Clopper and Pearson.
        n_top: How many a tenth is.
        chance: The share that a random ranking has on average.
        p_value: Probability that a random ranking has as large a share or larger.
    """

    share: Estimate
    n_top: int
    chance: float
    p_value: float

    @property
    def beats_chance(self) -> bool:
        """Whether a random ranking would have so large a share in at most 5 of 100 cases."""
        return self.p_value <= 1 - CONFIDENCE


def top_overlap(ours: Sequence[float], theirs: Sequence[float]) -> TopOverlap | None:
    """Compare the largest tenth of ``ours`` with that of ``theirs``, which is the truth.

    Of theirs all that equal the border are in the tenth, so who finds nothing but the best has
    found them all. Of ours those at the border count by the chance to be drawn into it.

    Returns:
        None where there are fewer than `MIN_FOR_TOP` pairs or a side is constant.
    """
    n = len(ours)
    if n < MIN_FOR_TOP or len(set(ours)) == 1 or len(set(theirs)) == 1:
        return None
    n_top = max(1, round(n / 10))
    truth = np.asarray(theirs, dtype=float)
    is_best = truth >= np.sort(truth)[-n_top]
    n_best = int(is_best.sum())
    both = float(_memberships(ours, n_top) @ is_best)
    tail = (1 - CONFIDENCE) / 2
    low = float(stats.beta.ppf(tail, both, n_top - both + 1)) if both > 0 else 0.0
    high = float(stats.beta.ppf(1 - tail, both + 1, n_top - both)) if both < n_top else 1.0
    # A share of a border counts as none: the probability is then too large, and never too small.
    p_value = float(stats.hypergeom.sf(np.floor(both + 1e-9) - 1, n, n_best, n_top))
    return TopOverlap(Estimate(both / n_top, low, high, n), n_top, n_best / n, p_value)


def grouped_correlation(
    ours: Sequence[float], theirs: Sequence[float], groups: Sequence[Hashable]
) -> Estimate | None:
    """Rank correlation of pairs within the same group, all groups together.

    Ranks are taken within each group and centred there, so what differs between groups, such as
    the size of a layout, can't make two rankings agree. Groups of one say nothing.

    Returns:
        None where fewer than five pairs are left after one for each group, or a side is constant.
    """
    ranks: list[np.ndarray] = []
    n_free = 0
    for group in dict.fromkeys(groups):
        members = [index for index, other in enumerate(groups) if other == group]
        if len(members) > 1:
            n_free += len(members) - 1
            sides = [[side[index] for index in members] for side in (ours, theirs)]
            ranks.append(np.array([_centred_ranks(side) for side in sides]))
    if n_free < 4:
        return None
    left, right = np.concatenate(ranks, axis=1)
    if not left.any() or not right.any():
        return None
    rho = float(left @ right / np.sqrt((left @ left) * (right @ right)))
    return correlation_estimate(rho, n_free + 1)


def _memberships(values: Sequence[float], n_top: int) -> np.ndarray:
    """The chance of each value to be among the ``n_top`` largest, ties drawn at random."""
    array = np.asarray(values, dtype=float)
    border = np.sort(array)[-n_top]
    above, level = array > border, array == border
    return np.where(above, 1.0, level * (n_top - above.sum()) / level.sum())


def _centred_ranks(values: Sequence[float]) -> np.ndarray:
    """Ranks around 0 within -1 and 1, ties sharing theirs."""
    n = len(values)
    ranks: np.ndarray = (2 * stats.rankdata(values) - (n + 1)) / n
    return ranks
