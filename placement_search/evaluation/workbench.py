"""What all evaluations of a study share: backbone, data, frozen states and the probed head."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from placement_search.adapted.model import AdaptedBackbone
from placement_search.adapted.probe import ProbedHead, probe_head
from placement_search.adapted.states import FrozenStates, frozen_states, take
from placement_search.backbones.loading import Backbone
from placement_search.errors import TaskError
from placement_search.evaluation.cost import count_flops
from placement_search.layout import Layout
from placement_search.tasks.task import Examples, Task

MEMORY_LIMIT = 2 * 1024**3
"""Bytes that the frozen states of one split may take by default."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """One split as the backbone takes it, with its frozen states.

    Args:
        inputs: The backbone's inputs, each of shape ``(n_examples, …)``.
        labels: Classes, shape ``(n_examples,)``.
        states: Frozen states of the same examples.
    """

    inputs: Mapping[str, Tensor]
    labels: Tensor
    states: FrozenStates


class Workbench:
    """A backbone and a task, prepared once for many evaluations.

    Args:
        backbone: The frozen backbone.
        task: The data set; its test split is prepared only when `test` is first read.
        memory_limit: Bytes that the frozen states of one split may take; see `frozen_states`.

    Raises:
        TaskError: If the task's examples do not fit the backbone.
    """

    def __init__(self, backbone: Backbone, task: Task, *, memory_limit: int = MEMORY_LIMIT) -> None:
        self.backbone = backbone
        self.task = task
        self._memory_limit = memory_limit
        for examples in task.splits.values():
            _check_fit(examples, backbone)

    @cached_property
    def train(self) -> Split:
        """The training split."""
        return self._prepared(self.task.train)

    @cached_property
    def validation(self) -> Split:
        """The validation split, which the search scores on."""
        return self._prepared(self.task.validation)

    @cached_property
    def test(self) -> Split:
        """The test split; reading it is what finalists do, and nothing else."""
        return self._prepared(self.task.test)

    @cached_property
    def head(self) -> ProbedHead:
        """The head that every evaluation starts from, fitted on the training split."""
        return probe_head(self.train.states.features, self.train.labels, self.task.n_classes)

    @cached_property
    def n_bare_flops(self) -> int:
        """Floating-point operations of the bare backbone with its head, for one example."""
        bare = AdaptedBackbone(self.backbone, Layout(), self.task.n_classes)
        return count_flops(bare, self.first(1))

    def first(self, n_examples: int) -> dict[str, Tensor]:
        """Inputs of the first validation examples, or of all where there are fewer."""
        n_examples = min(n_examples, len(self.validation.labels))
        return take(self.validation.inputs, torch.arange(n_examples))

    def _prepared(self, examples: Examples) -> Split:
        inputs = _fitted(examples, self.backbone)
        return Split(
            inputs, examples.labels, frozen_states(self.backbone, inputs, self._memory_limit)
        )


def _check_fit(examples: Examples, backbone: Backbone) -> None:
    """Check that the backbone takes these inputs.

    Raises:
        TaskError: If the backbone takes another kind of input, or images of another shape.
    """
    wanted, form = backbone.graph.family.inputs, backbone.image_format
    if wanted not in examples.inputs:
        raise TaskError(
            f"{backbone.facts.id} takes {wanted}, the task gives {', '.join(examples.inputs)}"
        )
    if form is None:
        return
    shape, given = (form.n_channels, form.size, form.size), examples.inputs[wanted].shape[1:]
    if tuple(given) != shape:
        raise TaskError(
            f"{backbone.facts.id} takes images of shape {shape} (channels, height, width), "
            f"the task gives {tuple(given)}"
        )


def _fitted(examples: Examples, backbone: Backbone) -> dict[str, Tensor]:
    """The examples' inputs in the form that the backbone takes."""
    if backbone.image_format is None:
        return dict(examples.inputs)
    name = backbone.graph.family.inputs
    images = backbone.image_format.pixel_values(examples.inputs[name])
    return {**examples.inputs, name: images}
