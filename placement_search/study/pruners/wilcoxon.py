"""The Wilcoxon rule: a trial of several replicates ends when it is surely worse than the best."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean

import scipy.stats

from placement_search.study.pruners.pruner import Measure

P_THRESHOLD = 0.1
"""A trial is stopped where chance would so rarely make it look so bad."""
MIN_REPLICATES = 5
"""Four can look so bad, being worse in each, and no fewer; the fifth is what that saves."""


@dataclass(frozen=True, slots=True)
class Paired:
    """The best proposal's scores, replicate by replicate.

    Args:
        best: By report, which is a replicate each; empty where there is none.
        first_report: See `Measure`.
    """

    best: Mapping[int, float]
    first_report: int = 1

    def is_missed_by(self, scores: Mapping[int, float]) -> bool:
        """Whether a one-sided signed-rank test over the replicates so far says worse.

        As in Optuna, a trial whose mean so far is above the best one's is never stopped.
        """
        differences = [scores[key] - self.best[key] for key in sorted(scores) if key in self.best]
        if len(differences) < MIN_REPLICATES - 1 or fmean(scores.values()) >= _mean(self.best):
            return False
        tested = scipy.stats.wilcoxon(differences, alternative="less", zero_method="zsplit")
        return bool(tested.pvalue < P_THRESHOLD)


class WilcoxonPruner:
    """Compares with the complete proposal of the best mean, after Optuna's of the same name.

    A replicate has one seed for all layouts, so a pair has seen its examples in the same order.
    """

    def __init__(self) -> None:
        self._best: Mapping[int, float] = {}

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        if is_complete and (not self._best or fmean(scores.values()) > _mean(self._best)):
            self._best = dict(scores)

    def measure(self, number: int) -> Measure:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        return Paired(self._best)


def _mean(scores: Mapping[int, float]) -> float:
    return fmean(scores.values())
