"""What must hold for labels of all splits together, and for settings before anything is read."""

import math

import numpy as np

from placement_search.errors import TaskError
from placement_search.tasks.faults import Fault, refuse
from placement_search.tasks.label_column import Labels
from placement_search.tasks.metrics import is_correlation
from placement_search.tasks.raw import RawTask
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.target import Target

LEAST = {"shots": 1, "train_size": 1, "validation_size": 1, "max_length": 1, "split_seed": 0}
"""The lowest value of each number that a user may give."""


def check_settings(settings: DataSettings) -> None:
    """Numbers are in their range, and no two options say different things.

    Raises:
        TaskError: If not, with all that is wrong.
    """
    wrong = [
        f"--{name.replace('_', '-')} must be at least {least}, got {value}"
        for name, least in LEAST.items()
        if (value := getattr(settings, name)) is not None and value < least
    ]
    if not settings.data.strip():
        wrong.append("--data must not be empty")
    if settings.shots is not None and settings.train_size is not None:
        wrong.append("--shots and --train-size both say how much to train on; give one")
    if wrong:
        raise TaskError("; ".join(wrong))


def label_faults(labels: Labels, column: str) -> list[Fault]:
    """What keeps sound labels from being trained on; nothing is said of faulty ones.

    Args:
        labels: Of the splits as they were given.
        column: Which column they come from.
    """
    if labels.faults or labels.target is Target.REGRESSION:
        return []
    if labels.target is Target.MULTI_LABEL:
        return _unseen_sets(labels, column)
    return _unseen_classes(labels, column)


def check_used(raw: RawTask) -> None:
    """What is left of the splits after cutting and reducing can be trained on and judged.

    Raises:
        TaskError: If numbers do not vary where they must, or training lost a label.
    """
    if raw.target is Target.REGRESSION:
        refuse(raw.name, _constant_numbers(raw))
    if raw.target is Target.MULTI_LABEL:
        _check_kept(raw)


def spread(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of numbers; summed exactly, so alike on every machine.

    Raises:
        OverflowError: If their squares are beyond all floating-point numbers.
    """
    numbers = values.tolist()
    mean = math.fsum(numbers) / len(numbers)
    variance = math.fsum((number - mean) ** 2 for number in numbers) / len(numbers)
    return mean, math.sqrt(variance)


def _constant_numbers(raw: RawTask) -> list[Fault]:
    (column,) = raw.label_names
    try:
        mean, deviation = spread(raw.train.targets)
    except OverflowError:
        largest = np.abs(raw.train.targets).max()
        rule = "a regression target must be within what can be squared; give other units"
        return [Fault(rule, "train", None, column, f"up to {largest:g}")]
    faults = []
    if deviation == 0:
        rule = "a regression target must vary in training"
        faults.append(Fault(rule, "train", None, column, f"always {mean:g}"))
    if not is_correlation(raw.metric):
        return faults
    rule = (
        f"{raw.metric.name} needs at least two different numbers in each split; give more rows, or "
        "--metric rmse"
    )
    for name in ("validation", "test"):
        targets = raw.splits[name].targets
        if np.ptp(targets) == 0:
            faults.append(Fault(rule, name, None, column, f"always {targets[0]:g}"))
    return faults


def _check_kept(raw: RawTask) -> None:
    is_asked = raw.validation.targets.any(axis=0) | raw.test.targets.any(axis=0)
    lost = np.flatnonzero(is_asked & ~raw.train.targets.any(axis=0))
    if len(lost):
        names = ", ".join(repr(raw.label_names[index]) for index in lost)
        raise TaskError(
            f"cutting the splits of {raw.name!r} left no training example of {names}; give the "
            "splits, another --split-seed or a larger --train-size"
        )


def _unseen_classes(labels: Labels, column: str) -> list[Fault]:
    known = np.unique(labels.values["train"])
    if len(known) < 2:
        name = labels.names[known[0]]
        rule = "training needs at least two classes"
        return [Fault(rule, "train", None, column, f"only {name!r}")]
    rule = "a label must occur in training, too; numbers may be meant as --target regression"
    return [
        Fault(rule, split, row, column, repr(labels.names[values[row]]))
        for split, values in labels.values.items()
        for row in np.flatnonzero(~np.isin(values, known)).tolist()
    ]


def _unseen_sets(labels: Labels, column: str) -> list[Fault]:
    train = labels.values["train"]
    if not train.any():
        return [Fault("training needs at least one label", "train", None, column, "none is set")]
    unknown = np.flatnonzero(~train.any(axis=0))
    rule = "a label must occur in training, too"
    return [
        Fault(rule, split, row, column, repr(labels.names[index]))
        for split, values in labels.values.items()
        for index in unknown.tolist()
        for row in np.flatnonzero(values[:, index]).tolist()
    ]
