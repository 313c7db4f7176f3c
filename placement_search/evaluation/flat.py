"""A model's parameters in one vector, so that an optimizer steps one tensor for each model."""

import torch
from torch import nn


class FlatParameters:
    """Puts a model's trainable parameters, and their gradients, one behind the other in memory.

    The model computes with views of the vector, and backward passes add to views of its gradient.

    Args:
        model: Its trainable parameters have one dtype and one device.
    """

    def __init__(self, model: nn.Module) -> None:
        self._parameters = [p for p in model.parameters() if p.requires_grad]
        values = torch.cat([p.detach().flatten() for p in self._parameters])
        self.vector = nn.Parameter(values)
        self.vector.grad = torch.zeros_like(values)
        sizes = [p.numel() for p in self._parameters]
        parts = zip(values.split(sizes), self.vector.grad.split(sizes), strict=True)
        for parameter, (value, gradient) in zip(self._parameters, parts, strict=True):
            parameter.data = value.view_as(parameter)
            parameter.grad = gradient.view_as(parameter)

    def forget_gradients(self) -> None:
        """Set all gradients to zero."""
        if self.vector.grad is not None:
            self.vector.grad.zero_()

    def release(self) -> None:
        """Give every parameter memory of its own again, and no gradient."""
        for parameter in self._parameters:
            parameter.data = parameter.data.clone()
            parameter.grad = None
