"""Effective rank after Roy and Vetterli (2007)."""

import torch
from torch import Tensor

from placement_search.proxies.gradients import GradientMap


def effective_rank(gradients: GradientMap) -> Tensor:
    """``exp(-Σ p log p)`` with ``p`` the singular values over their sum; 0 for a zero matrix.

    Cost: a sum over the singular values that the gradient map holds.

    Returns:
        Shape ``(n_nodes, n_nodes)``, 0, or within ``[1, width]``.
    """
    values = gradients.singular_values
    total = values.sum(-1)
    shares = values / total.clamp_min(torch.finfo(values.dtype).tiny).unsqueeze(-1)
    return torch.where(total > 0, torch.special.entr(shares).sum(-1).exp(), 0.0)
