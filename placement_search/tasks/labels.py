"""A column of labels read as classes, sets of labels, or numbers."""

import math
from collections.abc import Sequence

import numpy as np

from placement_search.errors import TaskError, nearest
from placement_search.tasks.faults import Fault, shortened
from placement_search.tasks.label_column import (
    NO_CLASS,
    NO_LABEL,
    LabelColumn,
    Labels,
    called,
    names_of,
    number_of,
    places,
)
from placement_search.tasks.label_sets import read_sets
from placement_search.tasks.target import Target

NO_NUMBER = "a regression target must be a finite number"


def read_labels(column: LabelColumn, asked: str | None) -> Labels:
    """Read a column as ``asked``, or as what its values look like.

    Strings, booleans, whole numbers and declared classes are classes; lists are sets of labels;
    numbers with fractions are numbers to predict.

    Raises:
        TaskError: If ``asked`` is no target, or one that such values can't have.
    """
    target = _guessed(column) if asked is None else _named(asked)
    is_list = any(isinstance(value, list) for value in column.present)
    if column.present and is_list != (target is Target.MULTI_LABEL):
        held = "lists" if is_list else "no lists"
        raise TaskError(
            f"--target {target} does not fit: label column {column.name!r} holds {held}"
        )
    if target is Target.REGRESSION:
        return _numbers(column)
    return read_sets(column) if target is Target.MULTI_LABEL else _classes(column)


def is_hidden(values: Sequence[object]) -> bool:
    """Whether all labels are withheld, as in the test splits of GLUE: missing, empty, or -1."""
    return len(values) > 0 and all(called(value) == "" or value == -1 for value in values)


def _named(name: str) -> Target:
    known = [target.value for target in Target]
    if name not in known:
        raise TaskError(f"--target has no {name!r}{nearest(name, known)}")
    return Target(name)


def _guessed(column: LabelColumn) -> Target:
    values = column.present
    if any(isinstance(value, list) for value in values):
        return Target.MULTI_LABEL
    if any(isinstance(v, float) and math.isfinite(v) and not v.is_integer() for v in values):
        return Target.REGRESSION
    return Target.SINGLE_LABEL


def _classes(column: LabelColumn) -> Labels:
    names = column.declared or names_of(column.present)
    index = places(column, names)
    arrays = {
        split: np.array([index.get(called(value), -1) for value in values], dtype=np.int64)
        for split, values in column.values.items()
    }
    faults = [
        _class_fault(column, split, row)
        for split, values in arrays.items()
        for row in np.flatnonzero(values < 0).tolist()
    ]
    return Labels(Target.SINGLE_LABEL, names, arrays, tuple(faults))


def _class_fault(column: LabelColumn, split: str, row: int) -> Fault:
    value = column.values[split][row]
    if called(value) == "":
        return Fault(NO_LABEL, split, row, column.name, repr(value))
    highest = len(column.declared or ()) - 1
    got = f"{shortened(value)}, declared are 0 to {highest}"
    return Fault(NO_CLASS, split, row, column.name, got)


def _numbers(column: LabelColumn) -> Labels:
    """Classes that a column declares count by their names, if those are numbers."""
    arrays = {
        split: np.array([number_of(_undeclared(column, value)) for value in values], dtype=float)
        for split, values in column.values.items()
    }
    faults = [
        Fault(NO_NUMBER, split, row, column.name, shortened(column.values[split][row]))
        for split, values in arrays.items()
        for row in np.flatnonzero(~np.isfinite(values)).tolist()
    ]
    return Labels(Target.REGRESSION, (column.name,), arrays, tuple(faults))


def _undeclared(column: LabelColumn, value: object) -> object:
    if column.declared is None or not isinstance(value, int):
        return value
    return column.declared[value] if 0 <= value < len(column.declared) else None
