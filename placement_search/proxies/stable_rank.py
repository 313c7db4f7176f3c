"""Stable rank after Rudelson and Vershynin (2007)."""

import torch
from torch import Tensor

from placement_search.proxies.gradients import GradientMap


def stable_rank(gradients: GradientMap) -> Tensor:
    """``‖G‖_F² / ‖G‖_2²``; 0 for a zero matrix.

    Cost: a sum over the singular values that the gradient map holds.

    Returns:
        Shape ``(n_nodes, n_nodes)``, 0, or within ``[1, width]``.
    """
    energies = gradients.singular_values.square()
    largest = energies[..., 0]
    ranks = energies.sum(-1) / largest.clamp_min(torch.finfo(energies.dtype).tiny)
    return torch.where(largest > 0, ranks, 0.0)
