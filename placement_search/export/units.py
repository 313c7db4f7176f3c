"""The head of a regression in the target's own units, as files hold it, and in those of training.

Training subtracts the mean of the training split's numbers and divides by their standard deviation;
an exported head gives the numbers themselves. Heads of other tasks stay as they are.
"""

import torch

from placement_search.adapted.model import AdaptedBackbone
from placement_search.tasks.target import Target
from placement_search.tasks.task import Task


@torch.no_grad()
def to_original_units(model: AdaptedBackbone, task: Task) -> None:
    """Fold the scale of a regression's target into the head, in place."""
    mean, std = task.scale
    if task.target is Target.REGRESSION:
        model.head.weight.mul_(std)
        model.head.bias.mul_(std).add_(mean)


@torch.no_grad()
def to_training_units(model: AdaptedBackbone, task: Task) -> None:
    """Take it out again, for scores, losses and further training, in place."""
    mean, std = task.scale
    if task.target is Target.REGRESSION:
        model.head.weight.div_(std)
        model.head.bias.sub_(mean).div_(std)
