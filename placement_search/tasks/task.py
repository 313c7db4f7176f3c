"""A data set with its splits and its metric, as one frozen value."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from placement_search.errors import TaskError


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labelled examples, checked once.

    Attributes:
        inputs: What the backbone's forward takes, by argument name; every tensor has the examples
            along its first axis. Pictures are ``pixel_values`` of shape ``(n, channels, height,
            width)``, brightness within ``[0, 1]``, not yet normalised.
        labels: Shape ``(n,)``, int64.

    Raises:
        TaskError: If there is no input, lengths differ, labels are not one int64 each, or a value
            is not finite.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor

    def __post_init__(self) -> None:
        if self.labels.ndim != 1 or self.labels.dtype != torch.int64:
            shape, dtype = tuple(self.labels.shape), self.labels.dtype
            raise TaskError(f"labels must be int64 of shape (n,), got {dtype} of shape {shape}")
        if not self.inputs:
            raise TaskError("examples need at least one input, got none")
        for name, values in self.inputs.items():
            _check_input(name, values, len(self.labels))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A classification task: a search sees ``train`` and ``validation``, finalists ``test`` once.

    Attributes:
        label_names: The name of each class; a label is an index into it.
        metric: The score of a split, within ``[0, 1]``, higher is better.

    Raises:
        TaskError: If class names repeat, or a split holds no example, a label outside the classes,
            or other inputs than the other splits.
    """

    name: str
    description: str
    label_names: tuple[str, ...]
    train: Examples
    validation: Examples
    test: Examples
    metric: str = "accuracy"

    def __post_init__(self) -> None:
        if len(set(self.label_names)) < self.n_classes:
            raise TaskError(f"class names of task {self.name!r} repeat: {self.label_names}")
        for split, examples in self.splits.items():
            self._check_split(split, examples)

    @property
    def n_classes(self) -> int:
        """How many classes a label can name."""
        return len(self.label_names)

    @property
    def splits(self) -> dict[str, Examples]:
        """The three splits by name, training first."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with the name, a class name or any example."""
        digest = hashlib.sha256(repr((self.name, self.label_names)).encode())
        for split, examples in self.splits.items():
            tensors = {**examples.inputs, "labels": examples.labels}
            for name in sorted(tensors):
                values = tensors[name].contiguous()
                digest.update(repr((split, name, str(values.dtype), tuple(values.shape))).encode())
                digest.update(values.numpy().tobytes())
        return digest.hexdigest()[:16]

    def _check_split(self, split: str, examples: Examples) -> None:
        place = f"the {split} split of task {self.name!r}"
        if len(examples) == 0:
            raise TaskError(f"{place} must hold at least one example, got none")
        lowest, highest = int(examples.labels.min()), int(examples.labels.max())
        if lowest < 0 or highest >= self.n_classes:
            raise TaskError(
                f"labels must lie within 0 to {self.n_classes - 1}, got {lowest} to {highest} "
                f"in {place}"
            )
        if examples.inputs.keys() != self.train.inputs.keys():
            raise TaskError(
                f"every split needs the same inputs, got {sorted(examples.inputs)} in {place} "
                f"and {sorted(self.train.inputs)} in the train split"
            )


def _check_input(name: str, values: Tensor, n_examples: int) -> None:
    if values.ndim == 0 or len(values) != n_examples:
        raise TaskError(
            f"input {name!r} must have one entry per label, got shape {tuple(values.shape)} "
            f"for {n_examples} labels"
        )
    if values.is_floating_point() and not bool(torch.isfinite(values).all()):
        raise TaskError(f"input {name!r} must be finite, got NaN or infinity")
