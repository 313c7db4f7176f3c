"""How much a proxy map depends on the batch and on the head that it was computed from."""

import itertools
import statistics
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from placement_search.study.map_record import Grid


def agreements(states: Sequence[Mapping[str, Grid]]) -> dict[str, float | None]:
    """By proxy, how alike any two of ``states`` rank the same connections."""
    names = states[0] if states else {}
    return {name: mean_agreement([state[name] for state in states]) for name in names}


def mean_agreement(grids: Sequence[Grid]) -> float | None:
    """The mean of Spearman's rank correlation over all pairs of grids.

    Returns:
        None where there are fewer than two, or one ranks nothing since all its scores are equal.
    """
    flat = [np.ravel(grid) for grid in grids]
    if len(flat) < 2 or not all(map(_varies, flat)):
        return None
    pairs = itertools.combinations(flat, 2)
    return statistics.fmean(float(stats.spearmanr(*pair).statistic) for pair in pairs)


def _varies(values: np.ndarray) -> bool:
    return bool((values != values[0]).any())
