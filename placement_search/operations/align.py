"""One module's hidden units put into the order of another's, before their weights are averaged.

Two trainings number the units of a bottleneck each in its own way, so that plain averaging mixes
units that do different things. After MerA (arXiv 2308.15982), which aligns by optimal transport.
"""

from collections.abc import Callable, Mapping

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from placement_search.modules.contract import ConnectionModule, HiddenLayer

Weights = dict[str, Tensor]
Plan = Callable[[Tensor], Tensor]
"""From costs of shape ``(n, n)``, the first module's units by the other's, to a matrix of the same
shape with rows that sum to 1: how much of each of the other's units makes up each unit."""

SHARPNESS, N_STEPS = 20.0, 200
"""Of `transport`: the mean cost over the entropy's weight, and Sinkhorn's steps."""


def stay(costs: Tensor) -> Tensor:
    """Every unit stays where it is."""
    return torch.eye(len(costs), dtype=costs.dtype)


def permutation(costs: Tensor) -> Tensor:
    """The assignment of units that costs least together, by the Hungarian method."""
    rows, columns = linear_sum_assignment(costs.numpy())
    plan = torch.zeros_like(costs)
    plan[rows, columns] = 1.0
    return plan


def transport(costs: Tensor) -> Tensor:
    """A soft assignment: optimal transport between uniform weights with an entropy term.

    Sinkhorn's iterations of Cuturi (2013), arXiv 1306.0895, in logarithms; rows are normalised
    last. Units that are mixtures of others keep the shape, not the function, of their module.
    """
    logs = -SHARPNESS * costs / costs.mean().clamp(min=torch.finfo(costs.dtype).tiny)
    for _ in range(N_STEPS):
        logs = logs - logs.logsumexp(0, keepdim=True)
        logs = logs - logs.logsumexp(1, keepdim=True)
    return logs.exp()


PLANS: Mapping[str, Plan] = {"permutation": permutation, "transport": transport, "none": stay}


def aligned(module: ConnectionModule, first: ConnectionModule, plan: Plan) -> Weights:
    """The parameters of ``module`` with its hidden units in the order of those of ``first``.

    Units are compared by all weights that go in and out of them; the cost of a pair is the squared
    distance, so a permutation leaves the average nearest to both.

    Args:
        module: Stays as it is.
        first: A module of the same type and settings.
        plan: One of `PLANS`.

    Returns:
        By name, in float64, on the CPU.
    """
    weights, target = _weights(module), _weights(first)
    for layer in module.hidden_layers():
        costs = torch.cdist(_units(target, layer), _units(weights, layer)).square()
        made = plan(costs)
        for name, axis in layer:
            first_axis = weights[name].movedim(axis, 0)
            mixed = made @ first_axis.reshape(len(made), -1)
            weights[name] = mixed.view(first_axis.shape).movedim(0, axis)
    return weights


def _weights(module: ConnectionModule) -> Weights:
    return {name: p.detach().double().cpu() for name, p in module.named_parameters()}


def _units(weights: Weights, layer: HiddenLayer) -> Tensor:
    """All that belongs to each unit, shape ``(n_units, n_weights)``."""
    first_name, first_axis = layer[0]
    n_units = weights[first_name].shape[first_axis]
    return torch.cat(
        [weights[name].movedim(axis, 0).reshape(n_units, -1) for name, axis in layer], 1
    )
