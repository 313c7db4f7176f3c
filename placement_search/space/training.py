"""Training settings that a space searches or fixes, one choice for each layout."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from placement_search.space.format import Interval, TrainingOptions

N_DIGITS = 4
"""Significant digits of a number that is drawn from an interval; more would mean nothing."""


@dataclass(frozen=True, slots=True)
class TrainingChoice:
    """How one layout is trained where it is not as the study says.

    Args:
        learning_rate: Peak of the schedule; None for the study's own.
        weight_decay: AdamW's; None for the study's own.
    """

    learning_rate: float | None = None
    weight_decay: float | None = None

    @property
    def notation(self) -> str:
        """The settings in one line, e.g. ``learning_rate=0.003``; empty where there are none."""
        said = (("learning_rate", self.learning_rate), ("weight_decay", self.weight_decay))
        return ",".join(f"{name}={value:.12g}" for name, value in said if value is not None)

    def id_with(self, layout_id: str) -> str:
        """What names a layout trained so: its own id, and the settings where there are any."""
        return f"{layout_id}@{self.notation}" if self.notation else layout_id

    def name_with(self, name: str) -> str:
        """The same for readers: what a layout is called, and the settings where there are any."""
        return f"{name} @ {self.notation}" if self.notation else name


NO_CHOICE = TrainingChoice()
"""As the study says."""


@dataclass(frozen=True, slots=True)
class SearchedNumber:
    """The values of one training setting.

    Args:
        values: To choose from; empty for those of an interval.
        low: Smallest value of the interval.
        high: Largest value of the interval.
        is_log: Whether factors, not steps, count alike in the interval.
    """

    values: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    is_log: bool = False

    @property
    def n_values(self) -> int | None:
        """How many values there are to choose from; None for an interval."""
        return len(self.values) or None

    def at(self, number: float) -> float:
        """The value that a number means: its index, or its place within [0, 1] of the interval."""
        if self.values:
            return self.values[int(number)]
        if self.is_log:
            value = math.exp(math.log(self.low) + number * math.log(self.high / self.low))
        else:
            value = self.low + number * (self.high - self.low)
        return min(max(float(f"{value:.{N_DIGITS}g}"), self.low), self.high)

    def nearest(self, value: float) -> float:
        """The value of the space that is nearest to ``value``."""
        if self.values:
            return min(self.values, key=lambda each: abs(each - value))
        return self.at(self.place_of(min(max(value, self.low), self.high)))

    def place_of(self, value: float) -> float:
        """A number that means ``value``.

        Raises:
            ValueError: If it is none of the values.
        """
        if self.values:
            return self.values.index(value)
        if not self.low <= value <= self.high:
            raise ValueError(f"{value:g} lies outside of {self.low:g} to {self.high:g}")
        if self.is_log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


@dataclass(frozen=True, slots=True)
class TrainingSpace:
    """The training settings of a space, by name; those that it does not name are the study's."""

    settings: tuple[tuple[str, SearchedNumber], ...] = ()

    @property
    def n_listed(self) -> int:
        """How many choices the lists of values make together."""
        return math.prod(searched.n_values or 1 for _, searched in self.settings)

    @property
    def intervals(self) -> tuple[str, ...]:
        """The settings that have any number of an interval."""
        return tuple(name for name, searched in self.settings if searched.n_values is None)

    def nearest(self, learning_rate: float, weight_decay: float) -> TrainingChoice:
        """The choice that is nearest to a study's own settings."""
        own = {"learning_rate": learning_rate, "weight_decay": weight_decay}
        return TrainingChoice(**{name: s.nearest(own[name]) for name, s in self.settings})


def read_training(options: TrainingOptions) -> TrainingSpace:
    """The training settings that a file means."""
    named = (
        ("learning_rate", options.learning_rate),
        ("weight_decay", options.weight_decay),
    )
    return TrainingSpace(tuple((n, _searched(given)) for n, given in named if given is not None))


def _searched(given: float | Sequence[float] | Interval) -> SearchedNumber:
    if isinstance(given, Interval):
        return SearchedNumber((), given.low, given.high, given.log)
    if isinstance(given, Sequence):
        return SearchedNumber(tuple(dict.fromkeys(given)))
    return SearchedNumber((given,))
