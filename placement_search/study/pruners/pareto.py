"""Pruning where a score is set against a cost, which Optuna leaves to its users."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from placement_search.study.pruners.median import N_STARTUP_TRIALS
from placement_search.study.pruners.pruner import Bars, Measure, Pruner


@dataclass(frozen=True, slots=True)
class Known:
    """A proposal that has ended.

    Args:
        number: Its number.
        cost: What its layout costs.
        scores: What it reported; its last one is its score where it is complete.
        is_complete: Whether it was trained to its end.
    """

    number: int
    cost: float
    scores: Mapping[int, float]
    is_complete: bool

    @property
    def final(self) -> float:
        """The last score."""
        return self.scores[max(self.scores)]


@dataclass(frozen=True, slots=True)
class Both:
    """Two measures, either of which may be missed."""

    first: Measure
    second: Measure

    @property
    def first_report(self) -> int:
        """See `Measure`."""
        return self.first.first_report

    def is_missed_by(self, scores: Mapping[int, float]) -> bool:
        """See `Measure`."""
        return self.first.is_missed_by(scores) or self.second.is_missed_by(scores)


class ParetoPruner:
    """Stops a trial that can't be hoped to come upon the Pareto front.

    Two rules. The pruner of the study's choice judges each trial among those that cost no more:
    a small layout is not stopped for being worse than large ones, which is what it is there for,
    while a large one has to be worth more than the small ones too.

    And a trial is stopped where it is dominated: some complete trial costs no more and was better
    at the same report, by a margin. Early scores lie close and learning curves cross, so the
    margin is what the trial could still make up: the largest gain that any complete trial made
    from that report to its end, less the other's own. Which is to say: even if it gains as much as
    the luckiest did, it will end below a trial that costs no more. With five complete trials at
    least, since fewer don't show what can be gained.

    Args:
        make: Gives the pruner of the study's choice, knowing nothing.
        cost_of: What the trial of a number costs.
        is_dominance_judged: Whether the second rule holds too; not for replicates, whose reports
            are no learning curve.
    """

    def __init__(
        self,
        make: Callable[[], Pruner],
        cost_of: Callable[[int], float],
        *,
        is_dominance_judged: bool = True,
    ) -> None:
        self._make = make
        self._cost_of = cost_of
        self._is_dominance_judged = is_dominance_judged
        self._known: list[Known] = []
        self._largest_gains: dict[int, float] = {}

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:
        """See `Pruner`."""
        if not scores:
            return
        ended = Known(number, self._cost_of(number), dict(scores), is_complete)
        self._known.append(ended)
        if is_complete:
            for report, score in scores.items():
                gain = max(self._largest_gains.get(report, -math.inf), ended.final - score)
                self._largest_gains[report] = gain

    def measure(self, number: int) -> Measure:
        """See `Pruner`."""
        cost = self._cost_of(number)
        no_dearer = [known for known in self._known if known.cost <= cost]
        pruner = self._make()
        for known in no_dearer:
            pruner.learn(known.number, known.scores, is_complete=known.is_complete)
        return Both(pruner.measure(number), Bars(self._dominated_below(no_dearer)))

    def _dominated_below(self, no_dearer: Sequence[Known]) -> dict[int, float]:
        """By report, the score from which the best of these is just within reach."""
        finals = [known.final for known in no_dearer if known.is_complete]
        n_complete = sum(known.is_complete for known in self._known)
        if not self._is_dominance_judged or not finals or n_complete < N_STARTUP_TRIALS:
            return {}
        return {report: max(finals) - gain for report, gain in self._largest_gains.items()}
