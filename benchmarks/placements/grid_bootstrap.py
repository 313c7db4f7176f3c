"""Rank correlations over a grid of connections, with intervals that know of its rows and columns.

Connections share sources and targets, so the cells of a grid are no independent pairs: 625 of them
say less than 625 would. A two-way bootstrap draws source nodes and target nodes with replacement,
each for itself, and correlates over the cells where they meet.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from placement_search.evaluation.estimates import CONFIDENCE, Estimate

Pair = tuple[int, int]
Scores = Mapping[Pair, float]
N_DRAWS = 1000
SEED = 0
MIN_CELLS = 5
"""Cells from which something is correlated at all."""


def grid_correlation(ours: Scores, theirs: Scores) -> Estimate | None:
    """Spearman's correlation over the connections that both have, with a percentile interval.

    Returns:
        None where fewer than five connections, or a constant side, leave nothing to correlate.
    """
    pairs = [pair for pair in ours if pair in theirs]
    columns = np.array([[scores[pair] for pair in pairs] for scores in (ours, theirs)])
    return _estimate([float(each[0, 1]) for each in _correlations(pairs, columns)], len(pairs))


def best_difference(
    ours: Sequence[Scores], theirs: Sequence[Scores], measured: Scores
) -> Estimate | None:
    """How much better the best of some rankings correlates than the best of others.

    The same draws of nodes for all of them, and the best ones of each draw, so that what a draw
    favours, and the choice of the best ones, are part of the interval.

    Args:
        ours: Rankings of connections.
        theirs: Others.
        measured: What they are correlated with.

    Returns:
        None as of `grid_correlation`.
    """
    all_of = [measured, *ours, *theirs]
    pairs = [pair for pair in measured if all(pair in scores for scores in all_of)]
    columns = np.array([[scores[pair] for pair in pairs] for scores in all_of])
    last = 1 + len(ours)
    differences = [
        float(each[0, 1:last].max() - each[0, last:].max())
        for each in _correlations(pairs, columns)
    ]
    return _estimate(differences, len(pairs))


def _correlations(
    pairs: Sequence[Pair], columns: NDArray[np.float64]
) -> Iterator[NDArray[np.float64]]:
    """Correlations between all columns: of all pairs first, then of each draw that has some."""
    if len(pairs) < MIN_CELLS or _is_constant(columns):
        return
    yield _spearman(columns)
    sources, targets = (np.unique([pair[side] for pair in pairs]) for side in (0, 1))
    cells = np.full((len(sources), len(targets)), -1)
    for number, (source, target) in enumerate(pairs):
        cells[np.searchsorted(sources, source), np.searchsorted(targets, target)] = number
    generator = np.random.default_rng(SEED)
    for _ in range(N_DRAWS):
        rows = generator.integers(len(sources), size=len(sources))
        drawn = cells[rows][:, generator.integers(len(targets), size=len(targets))].ravel()
        values = columns[:, drawn[drawn >= 0]]
        if values.shape[1] >= MIN_CELLS and not _is_constant(values):
            yield _spearman(values)


def _is_constant(columns: NDArray[np.float64]) -> bool:
    return bool((columns == columns[:, :1]).all(axis=1).any())


def _spearman(columns: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.atleast_2d(np.corrcoef(rankdata(columns, axis=1)))


def _estimate(found: Sequence[float], n: int) -> Estimate | None:
    """The first value, with the percentiles of the others; of no draws it has no interval."""
    if not found:
        return None
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(found[1:] or found, (tail, 1 - tail))
    return Estimate(found[0], min(float(low), found[0]), max(float(high), found[0]), n)
