"""Exhaustive search in random order, the yardstick of samplers, counted out exactly."""

from collections.abc import Sequence

import numpy as np


def random_order(worths: Sequence[float], n_trials: int) -> tuple[float, ...]:
    """Expected regret of exhaustive search in random order, after each trial.

    The i-th best of n layouts (from 0) is the best of k drawn ones where none of those above it is
    drawn and it is, which is ``(k / (n - i)) * prod over j < i of (n - j - k) / (n - j)``.

    Args:
        worths: Of all layouts, the best first; observed scores are taken to be the same.
        n_trials: How many trials; no more than there are layouts.
    """
    array = np.asarray(worths, dtype=float)
    left = len(array) - np.arange(len(array))
    curve = []
    for k in range(1, min(n_trials, len(array)) + 1):
        none_above = np.cumprod(np.concatenate([[1.0], np.maximum(left - k, 0)[:-1] / left[:-1]]))
        curve.append(float(array[0] - (none_above * np.minimum(k / left, 1.0)) @ array))
    return tuple(curve)


def mean_until_close(n_layouts: int, n_close: int) -> float:
    """Mean number of trials until one of the close layouts is drawn, without replacement."""
    return (n_layouts + 1) / (n_close + 1)


def median_until_close(n_layouts: int, n_close: int) -> int:
    """Fewest trials in which one of the close layouts is drawn as likely as not.

    Args:
        n_layouts: All, n.
        n_close: At least one of them, m; k trials miss all with probability
            ``C(n - m, k) / C(n, k)``.
    """
    missing, ways, k = 1, 1, 0
    while 2 * missing > ways:
        missing *= n_layouts - n_close - k
        ways *= n_layouts - k
        k += 1
    return k
