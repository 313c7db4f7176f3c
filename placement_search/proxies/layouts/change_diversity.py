"""How differently a layout changes different examples: a score in the manner of NASWOT."""

import torch
from torch.nn import functional

from placement_search.proxies.layouts.write import WrittenLayout

RIDGE = 1e-3
"""Added to the kernel's diagonal: examples that are changed alike do not send the score to 0."""


def change_diversity(written: WrittenLayout) -> float:
    """``exp(log det(K + εI) / n)``, with K the cosines between the changes of n examples' features.

    NASWOT (Mellor et al. 2021) asks how well an untrained network tells examples apart, by the log
    determinant of a kernel of their binary activation patterns. Here the network is frozen and
    pre-trained, so its patterns are nearly the same for all layouts, and most transformers have no
    ReLU to make them from. What differs between layouts is the change that they can make: at a
    small random write, the kernel is that of the changes of the pooled features. A layout that
    moves all examples the same way can't learn to move them differently.

    Cost: two forward passes of some examples for each layout, three for a recurrent one; no labels
    and no head. It depends on the random write, and in half precision a change may be no more than
    rounding.

    Returns:
        The geometric mean of the kernel's eigenvalues, within 0 and 1 + ε; 0 without connections.
    """
    changes = written.changes()
    if not changes.any():
        return 0.0
    directions = functional.normalize(changes, dim=1)
    kernel = directions @ directions.T + RIDGE * torch.eye(len(directions), dtype=torch.float64)
    return float((torch.linalg.slogdet(kernel).logabsdet / len(kernel)).exp())
