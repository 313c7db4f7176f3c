"""A column of labels before and after it is understood, and how its values are called."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from placement_search.tasks.faults import Fault
from placement_search.tasks.target import Target

NO_LABEL = "a label must not be missing"
NO_CLASS = "a label must be one of the classes that the column declares"


@dataclass(frozen=True, slots=True, eq=False)
class LabelColumn:
    """A column of labels.

    Args:
        name: Of the column.
        declared: Names of the classes that its integers stand for; None if it declares none.
        values: By split, as Python's own types.
    """

    name: str
    declared: tuple[str, ...] | None
    values: Mapping[str, Sequence[object]]

    @property
    def present(self) -> list[object]:
        """Every value that is not missing."""
        return [value for values in self.values.values() for value in values if value is not None]


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Labels as they were understood.

    Args:
        target: What they are.
        names: Of each class or label; for numbers the column's name.
        values: By split, as `RawSplit` holds them; whatever in the place of faulty ones.
        faults: What is wrong with them.
    """

    target: Target
    names: tuple[str, ...]
    values: Mapping[str, np.ndarray]
    faults: tuple[Fault, ...]


def called(value: object) -> str:
    """How a value is called as a class: numbers as short as they go; empty for a missing one."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def names_of(values: Iterable[object]) -> tuple[str, ...]:
    """Different names in alphabetic order, or in that of their numbers if all are numbers."""
    names = {called(value) for value in values} - {""}
    numbers = {name: number_of(name) for name in names}
    if any(math.isnan(number) for number in numbers.values()):
        return tuple(sorted(names))
    return tuple(sorted(names, key=lambda name: (numbers[name], name)))


def number_of(value: object) -> float:
    """A value as a number; NaN if it is none."""
    if not isinstance(value, str | int | float):
        return math.nan
    try:
        return float(value)
    except ValueError:
        return math.nan


def places(column: LabelColumn, names: Sequence[str]) -> dict[str, int]:
    """The index of each class, by how the column's values call it."""
    if column.declared is None:
        return {name: place for place, name in enumerate(names)}
    return {str(place): place for place in range(len(names))}
