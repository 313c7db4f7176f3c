"""Nuclear norm of the gradient: the dual of the spectral norm (Fazel, Hindi and Boyd 2001)."""

from torch import Tensor

from placement_search.proxies.gradients import GradientMap


def nuclear_norm(gradients: GradientMap) -> Tensor:
    """``Σ σ``, the first-order gain of the best update of unit spectral norm, in loss units.

    Cost: a sum over the singular values that the gradient map holds.

    Returns:
        Shape ``(n_nodes, n_nodes)``, at least 0.
    """
    return gradients.singular_values.sum(-1)
