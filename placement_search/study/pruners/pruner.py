"""What a pruner is: it learns from trials that have ended, and says what others are measured by."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


class Measure(Protocol):
    """What one trial has to reach so as to be finished."""

    @property
    def first_report(self) -> int:
        """Where reports are trainings of their own, the first of them; earlier ones are skipped."""

    def is_missed_by(self, scores: Mapping[int, float]) -> bool:
        """Whether scores by report fall short after the last of them."""


@dataclass(frozen=True, slots=True)
class Bars:
    """A score for each report.

    Args:
        by_report: The score that is just enough, larger being better; reports without one let
            pass.
        is_best_counted: Whether the best score so far is measured, instead of the last one.
        first_report: See `Measure`.
    """

    by_report: Mapping[int, float] = field(default_factory=dict)
    is_best_counted: bool = False
    first_report: int = 1

    def is_missed_by(self, scores: Mapping[int, float]) -> bool:
        """See `Measure`."""
        last = max(scores)
        score = max(scores.values()) if self.is_best_counted else scores[last]
        return score < self.by_report.get(last, -math.inf)


class Pruner(Protocol):
    """Knows the proposals that have ended, and nothing of those under way.

    Scores are signed, so that larger ones are better.
    """

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:
        """A proposal has ended with these scores by report."""

    def measure(self, number: int) -> Measure:
        """What the proposal of this number has to reach."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """How far trials of a study go.

    Args:
        n_reports: Scores that a whole trial reports; they count from 1.
        rungs: Reports at which successive halving judges, each after some three times the
            training of the one before.
        study_name: Deals out brackets, together with a trial's number.
    """

    n_reports: int
    rungs: tuple[int, ...]
    study_name: str
