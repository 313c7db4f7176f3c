"""Asynchronous successive halving: at each rung the best third goes on."""

import bisect
import math
from collections.abc import Mapping, Sequence

from placement_search.study.pruners.pruner import Bars, Measure

REDUCTION_FACTOR = 3
"""The best of so many are kept at each rung, and rungs lie so many times further on."""


class SuccessiveHalvingPruner:
    """A trial goes on from a rung where it is among the best third that ever got there.

    After Li et al. (2020), "A System for Massively Parallel Hyperparameter Tuning". As in Optuna,
    and unlike there, a trial that was stopped is not taken up again when worse ones follow: its
    end is told to the sampler, and can't be taken back.

    Args:
        rungs: The reports at which trials are judged, in order.
    """

    def __init__(self, rungs: Sequence[int]) -> None:
        self._first = rungs[0]
        self._sorted: dict[int, list[float]] = {report: [] for report in rungs}

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        for report in self._sorted.keys() & scores.keys():
            bisect.insort(self._sorted[report], scores[report])

    def measure(self, number: int) -> Measure:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        bars = {report: _kept(known) for report, known in self._sorted.items()}
        return Bars(bars, first_report=self._first)


def _kept(ordered: Sequence[float]) -> float:
    """The score that makes one more the last of the best third, or the best of fewer than six."""
    n_kept = max((len(ordered) + 1) // REDUCTION_FACTOR, 1)
    return ordered[-n_kept] if len(ordered) >= n_kept else -math.inf
