"""One proxy made of all others: a regression of ranks, fitted on a study's own trials.

Needs no torch and no backbone: proxies' scores of layouts go in, predictions come out.
"""

import math
import random
from bisect import bisect_left, bisect_right
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.linear_model import RidgeCV

from placement_search.evaluation.estimates import Estimate, rank_correlation
from placement_search.layout import Kind, Layout
from placement_search.layout_scores import Grid, coverage, layout_sum
from placement_search.study.map_record import RANDOM_HEAD

COMBINED = "combined"
"""The name of the proxy."""
COVERAGE_OF = "coverage of "
"""Begins the names of columns that hold the coverage of a proxy in place of its sum."""
MIN_TRIALS = 20
"""With fewer sets of places a regression on a dozen columns fits what it finds."""
N_FOLDS = 5
TRUST_BOUND = 0.3
"""What the low end of the held-out correlation's interval has to exceed.

At a true correlation of 0.3 the tenth of the layouts that a proxy likes best holds about a fifth of
the truly best tenth: twice as much as chance. With less, choosing by it is hardly worth its noise.
"""
STRENGTHS = tuple(10.0**power for power in range(-1, 5))
"""Of the ridge penalty; leave-one-out on the fitted trials chooses."""

Columns = Mapping[str, Sequence[float]]
"""A number for each set of places, by name."""


@dataclass(frozen=True, slots=True)
class CombinedProxy:
    """A fitted combination.

    Args:
        columns: What each number is, in the order of ``weights``.
        known: Sorted values of each column over the trials that it was fitted on.
        weights: Of the columns' ranks, each from -1 to 1.
        held_out: Spearman's correlation of predictions for places that the fit had not seen with
            their scores; None where predictions do not vary.
        predictions: Those predictions, in the rows' order; larger for a better layout.
    """

    columns: tuple[str, ...]
    known: tuple[tuple[float, ...], ...]
    weights: tuple[float, ...]
    held_out: Estimate | None
    predictions: tuple[float, ...]

    @property
    def is_trusted(self) -> bool:
        """Whether its held-out correlation is worth it: the interval lies above `TRUST_BOUND`."""
        return self.held_out is not None and self.held_out.low > TRUST_BOUND

    def score(self, values: Mapping[str, float]) -> float:
        """The prediction for a layout, from its values of all `columns`; larger is better.

        Raises:
            KeyError: If a column is missing.
        """
        return sum(
            weight * _rank_among(known, values[name])
            for name, known, weight in zip(self.columns, self.known, self.weights, strict=True)
        )


def fit_combined(columns: Columns, measured: Sequence[float]) -> CombinedProxy | None:
    """Fit a combination, and judge it on places that it had not seen.

    Columns and scores become ranks from -1 to 1, so no unit matters; a ridge regression weighs
    them. Rows are dealt into five folds by a fixed shuffle, and each fold is predicted from the
    other four. A combination of columns that tell nothing has a held-out correlation below zero,
    since a fold that lies high lowers the mean of the others; so the judgement is on the safe side.
    Layouts of one study resemble each other, as the sampler repeats what was good: they say less
    than as many independent ones would. The same places once more say nothing new of columns that
    see places alone, so they must be one row (`same_places`): else a fold is predicted from itself.

    Args:
        columns: Proxies' scores of each set of places, and other facts; see `layout_columns`.
            What does not vary, or is not finite, is left out.
        measured: How good the layouts there were, larger for better, in the same order.

    Returns:
        None where there are fewer than `MIN_TRIALS`, all are equally good, or no column varies.
    """
    names = [name for name, values in columns.items() if _tells(values)]
    if len(measured) < MIN_TRIALS or len(set(measured)) == 1 or not names:
        return None
    table, target = _ranked([columns[name] for name in names]), _ranked([measured])[:, 0]
    predictions = np.empty(len(target))
    for fold in _folds(len(target)):
        others = np.setdiff1d(np.arange(len(target)), fold)
        predictions[fold] = _fitted(table[others], target[others]).predict(table[fold])
    found = tuple(float(value) for value in predictions)
    return CombinedProxy(
        columns=tuple(names),
        known=tuple(tuple(sorted(columns[name])) for name in names),
        weights=tuple(float(weight) for weight in _fitted(table, target).coef_),
        held_out=rank_correlation(found, measured),
        predictions=found,
    )


def layout_columns(scores: Mapping[str, Grid], layout: Layout) -> dict[str, float]:
    """All numbers of a layout that a combination is made of; none needs a backbone.

    Args:
        scores: Connections' scores by proxy, see `ProxyMap.all_scores`.
        layout: What the numbers are of.

    Returns:
        The sum of each proxy under its own name, its coverage, and `layout_facts`.
    """
    covered = {
        f"{COVERAGE_OF}{name}": coverage(grid, layout)
        for name, grid in scores.items()
        if not name.endswith(RANDOM_HEAD)
    }
    return layout_sums(scores, layout) | covered | layout_facts(layout)


def layout_sums(scores: Mapping[str, Grid], layout: Layout) -> dict[str, float]:
    """The sum of each proxy over a layout's connections, by the proxy's name."""
    return {name: layout_sum(grid, layout) for name, grid in scores.items()}


def same_places(layouts: Sequence[Layout]) -> list[list[int]]:
    """Indices of layouts whose connections have the same ends, in the order of their first.

    However they are trained, and whatever their modules, `layout_columns` has the same numbers.
    """
    return alike(
        tuple(sorted((each.source, each.target) for each in layout.connections))
        for layout in layouts
    )


def alike(keys: Iterable[Hashable]) -> list[list[int]]:
    """Indices of equal keys, in the order of their first."""
    found: dict[Hashable, list[int]] = {}
    for index, key in enumerate(keys):
        found.setdefault(key, []).append(index)
    return list(found.values())


def layout_facts(layout: Layout) -> dict[str, float]:
    """What is known of a layout without any proxy: how many connections, and of which kinds."""
    kinds = [connection.kind for connection in layout.connections]
    return {"connections": float(len(kinds))} | {
        f"{kind.value} connections": float(kinds.count(kind)) for kind in Kind
    }


def _tells(values: Sequence[float]) -> bool:
    return len(set(values)) > 1 and all(map(math.isfinite, values))


def _ranked(columns: Sequence[Sequence[float]]) -> np.ndarray:
    """Ranks from -1 to 1, ties sharing theirs, shape ``(n_trials, n_columns)``."""
    known = [sorted(values) for values in columns]
    return np.array(
        [
            [_rank_among(order, value) for value in values]
            for order, values in zip(known, columns, strict=True)
        ]
    ).T


def _rank_among(known: Sequence[float], value: float) -> float:
    """Where ``value`` lies among sorted ones: -1 below all of them, 1 above."""
    return (bisect_left(known, value) + bisect_right(known, value)) / len(known) - 1


def _fitted(table: np.ndarray, target: np.ndarray) -> RidgeCV:
    return RidgeCV(alphas=STRENGTHS).fit(table, target)


def _folds(n_rows: int) -> list[np.ndarray]:
    order = list(range(n_rows))
    random.Random(0).shuffle(order)  # noqa: S311 - reproducible, not secret
    return [np.array(sorted(order[start::N_FOLDS])) for start in range(N_FOLDS)]
