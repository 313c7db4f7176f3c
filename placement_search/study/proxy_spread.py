"""How much a proxy map depends on the batch and on the head that it was computed from."""

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import stats

Grid = list[list[float]]
"""Scores by ``[source][target]``."""
RANDOM_HEAD = "@random_head"
"""Ends the names of proxies that were computed with random heads in place of the probed one."""


@dataclass(frozen=True, slots=True)
class ProxySpread:
    """How stable the proxies of a map are.

    Args:
        n_batches: Disjoint parts of the examples that were compared.
        n_heads: Head states that were compared, on one part: the probed one, and random ones.
        between_batches: By proxy, the mean of Spearman's rank correlation between the scores from
            any two parts, over the connections of some sources: 1 where examples do not matter.
            None where scores do not vary.
        between_heads: The same between any two head states.
        random_head: By proxy, the mean score over the random heads; ``[source][target]``.
    """

    n_batches: int
    n_heads: int
    between_batches: dict[str, float | None]
    between_heads: dict[str, float | None]
    random_head: dict[str, Grid] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, Grid]:
        """The scores with random heads, by names that say so."""
        return {f"{name}{RANDOM_HEAD}": grid for name, grid in self.random_head.items()}


def agreements(states: Sequence[Mapping[str, Grid]]) -> dict[str, float | None]:
    """By proxy, how alike any two of ``states`` rank the same connections."""
    names = states[0] if states else {}
    return {name: mean_agreement([state[name] for state in states]) for name in names}


def mean_agreement(grids: Sequence[Grid]) -> float | None:
    """The mean of Spearman's rank correlation over all pairs of grids; None where none has one."""
    flat = [np.ravel(grid) for grid in grids]
    pairs = [pair for pair in itertools.combinations(flat, 2) if all(map(_varies, pair))]
    found = [float(stats.spearmanr(*pair).statistic) for pair in pairs]
    return statistics.fmean(found) if found else None


def _varies(values: np.ndarray) -> bool:
    return bool((values != values[0]).any())
