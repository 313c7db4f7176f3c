"""What a search may spend before its finals, and what its trials have spent.

Steps are counted by trial number, as far as knowledge reaches, so that neither timing nor an
interruption decides which trial is the last. Seconds can't promise that: machines differ.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optuna.trial import FrozenTrial

from placement_search.study import records
from placement_search.study.switch_record import SwitchRecord


@dataclass(frozen=True, slots=True)
class SearchBudget:
    """What a search may spend; whichever is reached first ends it.

    Trials under way are finished and none is begun, so steps and seconds end a little above.

    Args:
        n_trials: Trials in total.
        max_steps: Training steps of all trials, those of pruned ones too; None for no limit.
        max_seconds: Time of the search in all its runs; None for no limit.
    """

    n_trials: int
    max_steps: int | None = None
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Spent:
    """What a trial took until now.

    Args:
        seconds: Training time; its share where several trained together.
        n_steps: Training steps.
    """

    seconds: float = 0.0
    n_steps: int = 0

    def __add__(self, other: "Spent") -> "Spent":
        """Both together."""
        return Spent(self.seconds + other.seconds, self.n_steps + other.n_steps)


NOTHING = Spent()


def spent_on(switches: SwitchRecord | None) -> Spent:
    """What was spent before the first trial: on switches, where the sampler goes by them."""
    return Spent(switches.seconds, switches.n_steps) if switches else NOTHING


def spent_by(trial: FrozenTrial) -> Spent:
    """What an ended trial took; nothing where it never reported."""
    attributes = trial.user_attrs
    card = attributes.get(records.CARD)
    if card:
        return Spent(card["train_seconds"], card["n_steps"])
    return Spent(attributes.get(records.SECONDS) or 0.0, attributes.get(records.STEPS) or 0)


def spent_until_now(trials: Sequence[FrozenTrial], before: Spent = NOTHING) -> Spent:
    """What a search took in all its runs, as far as its trials ended.

    Args:
        trials: The study's trials by number.
        before: What was spent before the first trial.
    """
    n_steps = sum(spent_by(trial).n_steps for trial in trials)
    return Spent(max(_elapsed(trials), before.seconds), before.n_steps + n_steps)


class Account:
    """Says when a budget is spent.

    Args:
        budget: What may be spent.
        trials: The study's trials by number; read again at every question.
        clock: Seconds from any moment on.
        before: What was spent before the first trial.
    """

    def __init__(
        self,
        budget: SearchBudget,
        trials: Sequence[FrozenTrial],
        clock: Callable[[], float] = time.monotonic,
        before: Spent = NOTHING,
    ) -> None:
        self.budget = budget
        self._clock = clock
        self._started = clock()
        # What trials were told already counts what was before them.
        self._earlier = max(_elapsed(trials), before.seconds)
        self._n_steps = before.n_steps
        self._n_counted = 0

    @property
    def elapsed(self) -> float:
        """Seconds of the search in all its runs, until now."""
        return self._earlier + self._clock() - self._started

    def reached(self, known: Sequence[FrozenTrial]) -> str | None:
        """What of the budget is spent, in words; None where there is some left.

        Args:
            known: The trials that the next one may know, all of them ended, by number from 0; only
                ever extended between calls.
        """
        self._n_steps += sum(spent_by(trial).n_steps for trial in known[self._n_counted :])
        self._n_counted = len(known)
        most = self.budget.max_steps
        if most is not None and self._n_steps >= most:
            return f"it took {self._n_steps:,} training steps of at most {most:,} (--max-steps)"
        seconds = self.budget.max_seconds
        if seconds is not None and self.elapsed >= seconds:
            return f"it took {self.elapsed:,.0f} seconds of at most {seconds:,g} (--max-seconds)"
        return None


def _elapsed(trials: Sequence[FrozenTrial]) -> float:
    """Seconds that earlier runs took, as their last end says; older studies kept trials' alone."""
    told = [trial.user_attrs[records.ELAPSED] for trial in trials if _has_elapsed(trial)]
    untold = [spent_by(trial).seconds for trial in trials if not _has_elapsed(trial)]
    return max(told, default=0.0) + sum(untold)


def _has_elapsed(trial: FrozenTrial) -> bool:
    return records.ELAPSED in trial.user_attrs
