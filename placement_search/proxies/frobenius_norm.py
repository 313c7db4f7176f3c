"""Frobenius norm of the gradient, the gradient norm of Abdelfattah et al. (2021)."""

from torch import Tensor

from placement_search.proxies.gradients import GradientMap


def frobenius_norm(gradients: GradientMap) -> Tensor:
    """``√Σ σ²``, the first-order gain of the best update of unit Frobenius norm, in loss units.

    Cost: a sum over the singular values that the gradient map holds.

    Returns:
        Shape ``(n_nodes, n_nodes)``, at least 0.
    """
    return gradients.singular_values.square().sum(-1).sqrt()
