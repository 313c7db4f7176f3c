"""Numerical rank, the score of Nowak et al. (2024, Section 4)."""

from torch import Tensor

from placement_search.proxies.gradients import GradientMap

RELATIVE_TOLERANCE = 1e-2
"""The paper gives no tolerance; without a relative one nearly every gradient has full rank."""


def numerical_rank(gradients: GradientMap) -> Tensor:
    """Number of singular values above `RELATIVE_TOLERANCE` times the largest; 0 for a zero matrix.

    Cost: a sum over the singular values that the gradient map holds.

    Returns:
        Shape ``(n_nodes, n_nodes)``, within ``[0, width]``.
    """
    values = gradients.singular_values
    return (values > RELATIVE_TOLERANCE * values[..., :1]).sum(-1).to(values.dtype)
