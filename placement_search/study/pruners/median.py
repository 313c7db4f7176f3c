"""The median rule: a trial has to keep up with the better half of those before it."""

import bisect
from collections.abc import Mapping, Sequence

from placement_search.study.pruners.pruner import Bars, Measure

N_STARTUP_TRIALS = 5
"""Complete proposals that the median needs."""


class MedianPruner:
    """A trial's best score so far has to reach the median of the complete trials' at its report.

    Args:
        n_reports: Scores that a whole trial reports.
    """

    def __init__(self, n_reports: int) -> None:
        self._n_complete = 0
        # What the first scores say is mostly the head's doing.
        self._sorted: dict[int, list[float]] = {
            report: [] for report in range(max(1, n_reports // 4), n_reports + 1)
        }

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        if is_complete:
            self._n_complete += 1
            for report in self._sorted.keys() & scores.keys():
                bisect.insort(self._sorted[report], scores[report])

    def measure(self, number: int) -> Measure:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        if self._n_complete < N_STARTUP_TRIALS:
            return Bars()
        medians = {report: _median(known) for report, known in self._sorted.items() if known}
        return Bars(medians, is_best_counted=True)


def _median(ordered: Sequence[float]) -> float:
    """Between the two in the middle, with numpy's rounding."""
    below, above = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return above - (above - below) * 0.5
