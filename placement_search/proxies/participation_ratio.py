"""Participation ratio of the gradient's energies, as of eigenvectors in Bell and Dean (1970)."""

import torch
from torch import Tensor

from placement_search.proxies.gradients import GradientMap


def participation_ratio(gradients: GradientMap) -> Tensor:
    """``(Σ σ²)² / Σ σ⁴``, the number of directions that share the energy; 0 for a zero matrix.

    Cost: a sum over the singular values that the gradient map holds.

    Returns:
        Shape ``(n_nodes, n_nodes)``, 0, or within ``[1, width]``.
    """
    values = gradients.singular_values
    relative = values / values[..., :1].clamp_min(torch.finfo(values.dtype).tiny)
    energies = relative.square()
    squares = energies.square().sum(-1)
    ratios = energies.sum(-1).square() / squares.clamp_min(torch.finfo(values.dtype).tiny)
    return torch.where(squares > 0, ratios, 0.0)
