"""Gradient norm of a whole layout at a small write."""

import torch

from placement_search.proxies.layouts.write import WrittenLayout
from placement_search.proxies.precision import doubled


def written_gradient(written: WrittenLayout) -> float:
    """``‖∂L/∂θ‖₂`` over all of the layout's adapters, for the mean loss of the probed head.

    The gradient norm of Abdelfattah et al. (2021, "Zero-Cost Proxies for Lightweight NAS"), taken
    where both halves of an adapter have a gradient. Unlike a sum over connections it sees that
    connections change each other's states, and their modules' types and ranks.

    Cost: one forward and one backward pass of some examples for each layout; recurrent layouts
    take two forward passes.

    Returns:
        In loss units; 0 without connections. It grows with the number of parameters.
    """
    parameters = [p for p in written.model.adapters.parameters() if p.requires_grad]
    if not parameters:
        return 0.0
    totals = [torch.zeros_like(parameter) for parameter in parameters]
    with torch.enable_grad():
        for features, indices in written.features():
            loss = written.stream.loss(features, indices) / written.stream.n_examples
            for total, part in zip(
                totals, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True
            ):
                if part is not None:
                    total.add_(part)
    return float(torch.stack([doubled(total).square().sum() for total in totals]).sum().sqrt())
