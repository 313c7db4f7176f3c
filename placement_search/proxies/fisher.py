"""Empirical Fisher information, as in FISH masks (Sung et al. 2021)."""

from torch import Tensor

from placement_search.proxies.gradients import GradientMap


def fisher(gradients: GradientMap) -> Tensor:
    """Trace of the empirical Fisher: mean over examples of the squared norm of their own gradient.

    It uses the true labels. Where the Frobenius norm sees only what examples agree on, this sees
    what each of them asks for.

    Cost: two Gram matrices of each example's tokens while the gradient map is made.

    Returns:
        Shape ``(n_nodes, n_nodes)``, at least 0, in squared loss units.
    """
    return gradients.example_energies
