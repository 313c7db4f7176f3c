"""Columns of labels read as classes, sets of labels, or numbers."""

import math
from typing import Any

import numpy as np
import pytest

from placement_search.errors import TaskError
from placement_search.tasks.label_column import LabelColumn, Labels
from placement_search.tasks.labels import is_hidden, read_labels
from placement_search.tasks.target import Target


def labels_of(
    values: list[Any], asked: str | None = None, declared: tuple[str, ...] | None = None
) -> Labels:
    return read_labels(LabelColumn("y", declared, {"train": values}), asked)


@pytest.mark.parametrize(
    ("values", "names", "expected"),
    [
        (["pos", "neg", "pos"], ("neg", "pos"), [1, 0, 1]),
        (["10", "9", "2"], ("2", "9", "10"), [2, 1, 0]),
        ([10, 9, -2], ("-2", "9", "10"), [2, 1, 0]),
        ([2.0, 1.0], ("1", "2"), [1, 0]),
        ([True, False], ("False", "True"), [1, 0]),
        ([" pos", "pos ", "neg"], ("neg", "pos"), [1, 1, 0]),
    ],
)
def test_classes_are_named_in_order(
    values: list[Any], names: tuple[str, ...], expected: list[int]
) -> None:
    """Of the alphabet, or of numbers where all names are numbers."""
    labels = labels_of(values)

    assert labels.target is Target.SINGLE_LABEL
    assert labels.names == names
    assert labels.values["train"].tolist() == expected
    assert not labels.faults


def test_declared_classes_keep_their_order_and_those_not_seen() -> None:
    """A head has an output for each class that the data set speaks of."""
    labels = labels_of([2, 0], declared=("c", "b", "a"))

    assert labels.names == ("c", "b", "a")
    assert labels.values["train"].tolist() == [2, 0]


@pytest.mark.parametrize(
    ("values", "declared", "names", "expected"),
    [
        ([["joy", "fear"], [], ["joy"]], None, ("fear", "joy"), [[1, 1], [0, 0], [0, 1]]),
        ([[10, 2], [2]], None, ("2", "10"), [[1, 1], [1, 0]]),
        ([[0, 1, 1], [1, 0, 0]], None, ("0", "1", "2"), [[0, 1, 1], [1, 0, 0]]),
        ([[True, False], [False, False]], None, ("0", "1"), [[1, 0], [0, 0]]),
        ([[0.0, 1.0], [1.0, 1.0]], None, ("0", "1"), [[0, 1], [1, 1]]),
        ([[1], [0]], None, ("0", "1"), [[0, 1], [1, 0]]),
        ([[1, 2], [0]], ("a", "b", "c"), ("a", "b", "c"), [[0, 1, 1], [1, 0, 0]]),
        ([[0, 1], [1, 1]], ("a", "b"), ("a", "b"), [[0, 1], [1, 1]]),
        ([[0, 1], [1, 0]], ("a", "b", "c"), ("a", "b", "c"), [[1, 1, 0], [1, 1, 0]]),
        ([[0, 1, 0], [1, 0, 0]], ("a", "b"), ("0", "1", "2"), [[0, 1, 0], [1, 0, 0]]),
    ],
)
def test_lists_are_sets_of_labels(
    values: list[Any],
    declared: tuple[str, ...] | None,
    names: tuple[str, ...],
    expected: list[list[int]],
) -> None:
    """Of labels, or of a 0 or 1 for each where all are as long as the classes, at least 2."""
    labels = labels_of(values, declared=declared)

    assert labels.target is Target.MULTI_LABEL
    assert labels.names == names
    assert labels.values["train"].tolist() == expected
    assert labels.values["train"].dtype == np.float32


@pytest.mark.parametrize(
    ("values", "asked", "declared"),
    [
        ([1.5, 2.0], None, None),
        ([1, 2], "regression", None),
        (["1.5", "2"], "regression", None),
        ([1, 0], "regression", ("2", "1.5")),
    ],
)
def test_numbers_are_predicted_where_they_have_fractions_or_are_asked_for(
    values: list[Any], asked: str | None, declared: tuple[str, ...] | None
) -> None:
    """Ratings can be asked for as numbers, whether stored as such or as classes."""
    labels = labels_of(values, asked, declared)

    assert labels.target is Target.REGRESSION
    assert labels.names == ("y",)
    assert sorted(labels.values["train"].tolist()) in ([1.5, 2.0], [1.0, 2.0])


def test_numbers_with_fractions_can_be_asked_for_as_classes() -> None:
    """Half stars are classes if a user says so."""
    assert labels_of([1.5, 2.0, 1.5], "single-label").names == ("1.5", "2")


@pytest.mark.parametrize(
    ("values", "asked", "said"),
    [
        (["a"], "multi-label", "label column 'y' holds no lists"),
        ([["a"]], "single-label", "label column 'y' holds lists"),
        ([["a"]], "regression", "holds lists"),
        (["a"], "regresion", "did you mean 'regression'"),
    ],
)
def test_a_target_that_does_not_fit_is_refused(values: list[Any], asked: str, said: str) -> None:
    """With what the column holds."""
    with pytest.raises(TaskError, match=said):
        labels_of(values, asked)


@pytest.mark.parametrize(
    ("values", "asked", "declared", "rows", "said"),
    [
        (["a", None, "", " ", "b"], None, None, [1, 2, 3], "must not be missing"),
        ([1.0, math.nan, 2.0], None, None, [1], "must not be missing"),
        ([0, -1, 3, 1], None, ("a", "b"), [1, 2], "classes that the column declares"),
        ([1.5, None, math.nan, math.inf], None, None, [1, 2, 3], "finite number"),
        (["1", "two"], "regression", None, [1], "finite number"),
        ([[1], None, [0, 1]], None, None, [1], "must not be missing"),
        ([[1], [5]], None, ("a", "b"), [1], "classes that the column declares"),
        ([[0, 1], None], None, None, [1], "must not be missing"),
    ],
)
def test_faulty_labels_are_found_by_row(
    values: list[Any],
    asked: str | None,
    declared: tuple[str, ...] | None,
    rows: list[int],
    said: str,
) -> None:
    """All of them, with what stands there."""
    faults = labels_of(values, asked, declared).faults

    assert [fault.row for fault in faults] == rows
    assert all(said in fault.rule and fault.got for fault in faults)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([-1, -1], True),
        ([None, None], True),
        ([-1.0], True),
        ([-1, 0], False),
        ([], False),
        ([math.nan] * 2, True),
        (["", " "], True),
        (["-1"], False),
    ],
)
def test_withheld_labels_are_all_missing_or_minus_one(values: list[Any], expected: bool) -> None:
    """One label is enough to make a test split."""
    assert is_hidden(values) == expected


@pytest.mark.parametrize("declared", [None, ("a", "b")])
def test_a_missing_label_in_a_set_is_told_as_such(declared: tuple[str, ...] | None) -> None:
    """Whether the column declares classes or not."""
    faults = labels_of([[0, None], [1], [0]], declared=declared).faults

    assert [fault.rule for fault in faults] == ["a label must not be missing"]
