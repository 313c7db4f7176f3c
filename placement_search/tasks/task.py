"""A data set as a backbone takes it, with its splits and its metric, as one frozen value."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from placement_search.errors import TaskError
from placement_search.tasks.divergence import symmetric_divergence
from placement_search.tasks.metrics import Metric
from placement_search.tasks.target import Target


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Labelled examples, checked once.

    Attributes:
        inputs: What the backbone's forward takes, by argument name; every tensor has the examples
            along its first axis. Pictures are ``pixel_values`` of shape ``(n, channels, height,
            width)``, normalised, float32; texts are ``input_ids``, ``attention_mask`` and perhaps
            ``token_type_ids`` of shape ``(n, tokens)``, padded on the right, int64.
        labels: Classes as int64 of shape ``(n,)``; sets of labels as 0.0 or 1.0, float32 of shape
            ``(n, n_labels)``; numbers as float32 of shape ``(n,)``, see `Task.scale`.

    Raises:
        TaskError: If there is no input, lengths differ, labels are of another type or shape, or a
            value is not finite.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor

    def __post_init__(self) -> None:
        allowed = {1: (torch.int64, torch.float32), 2: (torch.float32,)}
        if self.labels.dtype not in allowed.get(self.labels.ndim, ()):
            raise TaskError(
                "labels must be int64 or float32 of shape (n,), or float32 of shape (n, n_labels), "
                f"got {self.labels.dtype} of shape {tuple(self.labels.shape)}"
            )
        if not self.inputs:
            raise TaskError("examples need at least one input, got none")
        for name, values in {**self.inputs, "labels": self.labels}.items():
            _check_values(name, values, len(self.labels))

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """Labelled data: a search sees ``train`` and ``validation``, finalists ``test`` once.

    Attributes:
        name: How studies and layout files call it.
        target: What labels are.
        label_names: The name of each class or label, in the order of outputs; for numbers one name.
        metric: The score of a split.
        train: What layouts are trained on.
        validation: What they are compared on.
        test: What finalists are judged on.
        scale: Mean and standard deviation of the numbers to predict, in their own units; labels
            are what is left after subtracting and dividing. ``(0, 1)`` for classes and labels.
        notes: Lines that tell the user how the data was read.

    Raises:
        TaskError: If class names repeat, or a split holds no example, labels that don't fit
            ``target`` and ``label_names``, or other inputs than the other splits.
    """

    name: str
    target: Target
    label_names: tuple[str, ...]
    metric: Metric
    train: Examples
    validation: Examples
    test: Examples
    scale: tuple[float, float] = (0.0, 1.0)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(set(self.label_names)) < self.n_outputs:
            raise TaskError(f"class names of task {self.name!r} repeat: {self.label_names}")
        if self.target not in self.metric.targets:
            raise TaskError(f"{self.metric.name} can't judge {self.target} task {self.name!r}")
        for split, examples in self.splits.items():
            self._check_split(split, examples)

    @property
    def n_outputs(self) -> int:
        """Width of the head: one logit for each class or label, one for a number."""
        return len(self.label_names)

    @property
    def splits(self) -> dict[str, Examples]:
        """The three splits by name, training first."""
        return {"train": self.train, "validation": self.validation, "test": self.test}

    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that change with a class name, the target or any example.

        Not with the task's own name: that is where its data lie.
        """
        facts = (self.target.value, self.label_names, self.scale)
        digest = hashlib.sha256(repr(facts).encode())
        for split, examples in self.splits.items():
            tensors = {**examples.inputs, "labels": examples.labels}
            for name in sorted(tensors):
                values = tensors[name].contiguous()
                digest.update(repr((split, name, str(values.dtype), tuple(values.shape))).encode())
                digest.update(values.numpy().tobytes())
        return digest.hexdigest()[:16]

    def loss(self, logits: Tensor, labels: Tensor, reduction: str = "mean") -> Tensor:
        """Cross-entropy, binary cross-entropy (mean over labels), or squared error.

        Args:
            logits: Shape ``(batch, n_outputs)``.
            labels: As `Examples` holds them, of the same examples.
            reduction: ``mean`` or ``sum`` over examples, or ``none`` for shape ``(batch,)``.

        Returns:
            In nats, or in squared standard deviations of the training split's numbers.
        """
        if self.target is Target.SINGLE_LABEL:
            return cross_entropy(logits, labels, reduction=reduction)
        if self.target is Target.MULTI_LABEL:
            losses = binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(1)
        else:
            losses = (logits[:, 0] - labels).square()
        return _reduced(losses, reduction)

    def divergence(self, first: Tensor, second: Tensor) -> Tensor:
        """How far two answers to the same examples are apart; see `symmetric_divergence`."""
        return symmetric_divergence(self.target, first, second)

    def score(self, logits: Tensor, labels: Tensor) -> float:
        """The metric: of the largest logit, of logits above 0, or of numbers in their own units.

        Args:
            logits: Shape ``(n, n_outputs)``.
            labels: As `Examples` holds them, of the same examples.

        Returns:
            NaN where a logit is not finite: the largest of such is no answer.
        """
        if not bool(torch.isfinite(logits).all()):
            return math.nan
        found, truth = logits.detach().float().cpu().numpy(), labels.cpu().numpy()
        if self.target is Target.SINGLE_LABEL:
            return self.metric.score(found.argmax(axis=1), truth)
        if self.target is Target.MULTI_LABEL:
            return self.metric.score(found > 0, truth > 0)
        return self.metric.score(self._in_units(found[:, 0]), self._in_units(truth))

    def _in_units(self, values: np.ndarray) -> np.ndarray:
        mean, std = self.scale
        return values.astype(float) * std + mean

    def _check_split(self, split: str, examples: Examples) -> None:
        place = f"the {split} split of task {self.name!r}"
        if len(examples) == 0:
            raise TaskError(f"{place} must hold at least one example, got none")
        _check_labels(examples.labels, self.target, self.n_outputs, place)
        if examples.inputs.keys() != self.train.inputs.keys():
            raise TaskError(
                f"every split needs the same inputs, got {sorted(examples.inputs)} in {place} "
                f"and {sorted(self.train.inputs)} in the train split"
            )


def _reduced(losses: Tensor, reduction: str) -> Tensor:
    if reduction not in {"mean", "sum", "none"}:
        raise ValueError(f"reduction must be mean, sum or none, got {reduction!r}")
    if reduction == "none":
        return losses
    return losses.mean() if reduction == "mean" else losses.sum()


def _check_labels(labels: Tensor, target: Target, n_outputs: int, place: str) -> None:
    n_axes = 2 if target is Target.MULTI_LABEL else 1
    is_integer = target is Target.SINGLE_LABEL
    if labels.ndim != n_axes or (labels.dtype == torch.int64) != is_integer:
        shape, dtype = tuple(labels.shape), labels.dtype
        raise TaskError(f"{target} labels can't be {dtype} of shape {shape}, as in {place}")
    if target is Target.REGRESSION:
        return
    if target is Target.MULTI_LABEL:
        if labels.shape[1] != n_outputs or not bool(((labels == 0) | (labels == 1)).all()):
            raise TaskError(f"labels must be 0 or 1 for each of {n_outputs} names in {place}")
        return
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < 0 or highest >= n_outputs:
        raise TaskError(
            f"labels must lie within 0 to {n_outputs - 1}, got {lowest} to {highest} in {place}"
        )


def _check_values(name: str, values: Tensor, n_examples: int) -> None:
    if values.ndim == 0 or len(values) != n_examples:
        raise TaskError(
            f"input {name!r} must have one entry per label, got shape {tuple(values.shape)} "
            f"for {n_examples} labels"
        )
    if values.is_floating_point() and not bool(torch.isfinite(values).all()):
        raise TaskError(f"{name!r} must be finite, got NaN or infinity")
