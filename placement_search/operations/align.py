"""One module's hidden units put into the order of another's, before their weights are averaged.

Two trainings number the units of a bottleneck each in its own way, so that plain averaging mixes
units that do different things. After MerA (arXiv 2308.15982), which aligns by optimal transport.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from placement_search.modules.contract import ConnectionModule, HiddenLayer, Units

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
    distance, so a permutation leaves the average nearest to both. Where weights lead from one
    hidden layer to another, the layer that comes first among the module's is compared without them.

    Args:
        module: Stays as it is.
        first: A module of the same type and settings.
        plan: One of `PLANS`.

    Returns:
        By name, in float64, on the CPU.
    """
    weights, target = _weights(module), _weights(first)
    layers = module.hidden_layers()
    for index, layer in enumerate(layers):
        told = _without(layer, layers[index + 1 :])
        made = plan(torch.cdist(_rows(target, told), _rows(weights, told)).square())
        for units in layer:
            part = _part(weights, units)
            mixed = made @ part.reshape(len(made), -1)
            part.copy_(mixed.view(part.shape))
    return weights


def _weights(module: ConnectionModule) -> Weights:
    """Copies."""
    given = module.named_parameters()
    return {name: p.detach().cpu().to(torch.float64, copy=True) for name, p in given}


def _without(layer: HiddenLayer, later: Sequence[HiddenLayer]) -> HiddenLayer:
    """What of a layer leads to none of the later ones, whose units are not in order yet."""
    not_yet = {units._replace(axis=0) for other in later for units in other}
    return tuple(units for units in layer if units._replace(axis=0) not in not_yet) or layer


def _rows(weights: Weights, layer: HiddenLayer) -> Tensor:
    """All that belongs to each unit, shape ``(n_units, n_weights)``."""
    parts = [_part(weights, units) for units in layer]
    return torch.cat([part.reshape(len(part), -1) for part in parts], 1)


def _part(weights: Weights, units: Units) -> Tensor:
    """A view of where the units are, shape ``(n_units, …)``."""
    part = weights[units.name].chunk(units.n_parts)[units.part]
    return part.movedim(units.axis, 0)
