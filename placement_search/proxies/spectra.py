"""Singular values of many small matrices, and an estimate of those that were not kept."""

from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor
from torch.nn import functional

NARROW = 128
"""Up to this size singular values are computed without squaring, to full double precision."""
DECAY = 0.15
"""Share of the discarded directions over which their singular values are taken to fall by e.

Measured on all-MiniLM-L6-v2, see docs/decisions/0011; the energy of the tail does not depend on it.
"""


def singular_values(matrices: Tensor) -> Tensor:
    """Singular values of square matrices, largest first.

    LAPACK decomposes one small matrix on one core, so several go at once on the CPU.

    Args:
        matrices: Shape ``(n, size, size)``, in double.

    Returns:
        Shape ``(n, size)``.
    """
    n_threads = min(torch.get_num_threads(), len(matrices))
    if matrices.device.type != "cpu" or n_threads == 1:
        return _singular_values(matrices)
    with ThreadPoolExecutor(n_threads) as pool:
        return torch.cat(list(pool.map(_singular_values, matrices.tensor_split(n_threads))))


def completed(values: Tensor, missed: Tensor, width: int, max_rank: int) -> Tensor:
    """Singular values of which some are known, with a tail that holds the energy of the others.

    Args:
        values: Known ones, shape ``(n, n_known)``.
        missed: Energy of the others, shape ``(n,)``.
        width: How many there are altogether.
        max_rank: How many can differ from zero, which is no more than there are tokens.

    Returns:
        Shape ``(n, width)``, largest first; their squares add up to all the energy.
    """
    n_known = values.shape[-1]
    if n_known == width:
        return values
    n_others = max(1, min(width, max_rank) - n_known)
    places = torch.arange(n_others, dtype=values.dtype, device=values.device)
    tail = torch.exp(-places / (DECAY * n_others))
    tail = tail / tail.square().sum().sqrt()
    both = torch.cat([values, missed.sqrt().unsqueeze(-1) * tail], -1)
    return functional.pad(both.sort(-1, descending=True).values, (0, width - both.shape[-1]))


def _singular_values(matrices: Tensor) -> Tensor:
    """Of wide matrices from eigenvalues of their Gram matrices, in half the time.

    Values below 1e-8 of the largest are then noise, which is less than the rounding of a gradient
    in float32.
    """
    if matrices.shape[-1] <= NARROW:
        values: Tensor = torch.linalg.svdvals(matrices)
        return values
    energies: Tensor = torch.linalg.eigvalsh(matrices.mT @ matrices)
    return energies.clamp_min(0).sqrt().flip(-1)
