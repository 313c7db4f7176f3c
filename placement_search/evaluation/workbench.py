"""What all evaluations of a study share: backbone, data, frozen states and the probed head."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from placement_search.adapted.probe import ProbedHead, probe_head
from placement_search.adapted.states import FrozenStates, frozen_states
from placement_search.backbones.loading import Backbone
from placement_search.errors import TaskError
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
        self.train = self._prepared(task.train)
        self.validation = self._prepared(task.validation)

    @cached_property
    def test(self) -> Split:
        """The test split; reading it is what finalists do, and nothing else."""
        return self._prepared(self.task.test)

    @cached_property
    def head(self) -> ProbedHead:
        """The head that every evaluation starts from, fitted on the training split."""
        return probe_head(self.train.states.features, self.train.labels, self.task.n_classes)

    def _prepared(self, examples: Examples) -> Split:
        inputs = _fitted(examples, self.backbone)
        return Split(
            inputs, examples.labels, frozen_states(self.backbone, inputs, self._memory_limit)
        )


def _fitted(examples: Examples, backbone: Backbone) -> dict[str, Tensor]:
    """The examples' inputs in the form that the backbone takes.

    Raises:
        TaskError: If the backbone takes another kind of input, or images of another shape.
    """
    wanted, form = backbone.graph.family.inputs, backbone.image_format
    if wanted not in examples.inputs:
        raise TaskError(
            f"{backbone.facts.id} takes {wanted}, the task gives {', '.join(examples.inputs)}"
        )
    if form is None:
        return dict(examples.inputs)
    images = examples.inputs[wanted]
    shape = (form.n_channels, form.size, form.size)
    if tuple(images.shape[1:]) != shape:
        raise TaskError(
            f"{backbone.facts.id} takes images of shape {shape} (channels, height, width), "
            f"the task gives {tuple(images.shape[1:])}"
        )
    return {**examples.inputs, wanted: form.pixel_values(images)}
