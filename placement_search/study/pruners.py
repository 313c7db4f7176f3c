"""The pruners, one line each, and the judge that asks them.

They decide as Optuna's pruners of the same names do. Those ask a live study, in which several
trials under way would see each other's scores as they happen to come; these draw up, when a trial
begins, what it will be measured by, from the trials that it may know.
"""

import binascii
import bisect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from optuna.trial import FrozenTrial, TrialState

from placement_search.study import records

N_STARTUP_TRIALS = 5
"""Complete proposals that the median needs."""
REDUCTION_FACTOR = 3
"""Hyperband keeps the best of so many at each rung, and rungs lie so many times further on."""


@dataclass(frozen=True, slots=True)
class Bars:
    """What a trial has to reach so as to be finished.

    Args:
        by_report: The score that is just enough, larger being better; reports without one let
            pass.
        is_best_counted: Whether the best score so far is measured, instead of the last one.
    """

    by_report: Mapping[int, float] = field(default_factory=dict)
    is_best_counted: bool = False

    def are_missed(self, scores: Mapping[int, float]) -> bool:
        """Whether scores by report fall short after the last of them."""
        last = max(scores)
        score = max(scores.values()) if self.is_best_counted else scores[last]
        return score < self.by_report.get(last, -math.inf)


class Pruner(Protocol):
    """Knows the proposals that have ended, and nothing of those under way.

    Scores are signed, so that larger ones are better.
    """

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:
        """A proposal has ended with these scores by report."""

    def bars(self, number: int) -> Bars:
        """What the proposal of this number has to reach."""


class NoPruner:
    """Lets everything pass."""

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:
        """See `Pruner`."""

    def bars(self, number: int) -> Bars:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        return Bars()


class MedianPruner:
    """A trial's best score so far has to reach the median of the complete trials' at its report."""

    def __init__(self, n_reports: int) -> None:
        self._n_complete = 0
        # What the first reports say is mostly the head's doing.
        self._sorted: dict[int, list[float]] = {
            report: [] for report in range(max(1, n_reports // 4), n_reports + 1)
        }

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        if is_complete:
            self._n_complete += 1
            for report in self._sorted.keys() & scores.keys():
                bisect.insort(self._sorted[report], scores[report])

    def bars(self, number: int) -> Bars:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        if self._n_complete < N_STARTUP_TRIALS:
            return Bars()
        medians = {report: _median(known) for report, known in self._sorted.items() if known}
        return Bars(medians, is_best_counted=True)


def _median(ordered: Sequence[float]) -> float:
    """Between the two in the middle, with numpy's rounding."""
    below, above = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return above - (above - below) * 0.5


class HyperbandPruner:
    """Trials are dealt into brackets, and at each rung of its own a bracket keeps the best third.

    Args:
        n_reports: The most that a trial may make.
        study_name: Deals out the brackets, together with a trial's number.
    """

    def __init__(self, n_reports: int, study_name: str) -> None:
        self._study_name = study_name
        n_brackets = math.floor(math.log(n_reports, REDUCTION_FACTOR)) + 1
        self._shares = [
            math.ceil(n_brackets * REDUCTION_FACTOR ** (n_brackets - 1 - bracket)
                      / (n_brackets - bracket))
            for bracket in range(n_brackets)
        ]  # fmt: skip
        # A later bracket starts to judge at a later rung.
        self._sorted: list[dict[int, list[float]]] = [
            {REDUCTION_FACTOR**rung: [] for rung in range(bracket, n_brackets)}
            for bracket in range(n_brackets)
        ]

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        rungs = self._sorted[self._bracket(number)]
        for report in rungs.keys() & scores.keys():
            bisect.insort(rungs[report], scores[report])

    def bars(self, number: int) -> Bars:
        """See `Pruner`."""
        rungs = self._sorted[self._bracket(number)]
        return Bars({report: _kept(known) for report, known in rungs.items()})

    def _bracket(self, number: int) -> int:
        drawn = binascii.crc32(f"{self._study_name}_{number}".encode()) % sum(self._shares)
        bracket = 0
        while drawn >= self._shares[bracket]:
            drawn -= self._shares[bracket]
            bracket += 1
        return bracket


def _kept(ordered: Sequence[float]) -> float:
    """The score that makes one more the last of the best third, or the best of fewer than six."""
    n_kept = max((len(ordered) + 1) // REDUCTION_FACTOR, 1)
    return ordered[-n_kept] if len(ordered) >= n_kept else -math.inf


PRUNERS: Mapping[str, Callable[[int, str], Pruner]] = {
    "none": lambda _n, _study_name: NoPruner(),
    "median": lambda n, _study_name: MedianPruner(n),
    "hyperband": HyperbandPruner,
}
"""Each from the reports of a trial, which count from 1, and the study's name."""


class Judge:
    """Says whether a proposed layout is worth finishing, among the proposed layouts alone.

    Baselines are never pruned, and most are large: among them nearly every small layout would fall
    below the median (31 of 32 did on the location task), and the search would learn from stumps.

    Args:
        pruner: What decides.
        sign: What a score is multiplied by so that larger is better.
    """

    def __init__(self, pruner: Pruner, sign: int) -> None:
        self._pruner = pruner
        self._sign = sign
        self._n_known = 0
        self._bars: dict[int, Bars] = {}

    def begin(self, history: Sequence[FrozenTrial], number: int) -> None:
        """Draw up what a proposal will be measured by.

        Args:
            history: The trials that it may know, all of them ended, by number from 0; only ever
                extended between calls.
            number: The proposal's.
        """
        for trial in history[self._n_known :]:
            if trial.user_attrs[records.ROLE] == records.SEARCHED:
                is_complete = trial.state is TrialState.COMPLETE
                scores = self._signed(trial.intermediate_values)
                self._pruner.learn(trial.number, scores, is_complete=is_complete)
        self._n_known = len(history)
        self._bars[number] = self._pruner.bars(number)

    def is_hopeless(self, number: int, scores: Mapping[int, float]) -> bool:
        """Whether a proposal that was begun should stop after the last of its scores by report."""
        return self._bars[number].are_missed(self._signed(scores))

    def end(self, number: int) -> None:
        """Forget what a proposal is measured by."""
        self._bars.pop(number, None)

    def _signed(self, scores: Mapping[int, float]) -> dict[int, float]:
        return {report: self._sign * score for report, score in scores.items()}
