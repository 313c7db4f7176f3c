"""The directions of each node that its gradients live in, found without forming a gradient.

The gradients that read node i are ``F_iᵀ Δ_j`` for all j. With one shared sketch
``S = Σ_j Δ_j Ω_j`` of all deltas, ``F_iᵀ S`` is a random combination of the columns of all of
them, so its leading directions capture theirs: the randomised range finder of Halko, Martinsson
and Tropp (2011, Algorithm 4.1) on all targets at once. The principal directions of the reads
alone would miss more, since reads vary most where deltas cancel.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from placement_search.proxies.factors import GradientFactors
from placement_search.proxies.plan import sketch_size
from placement_search.proxies.precision import doubled

_SEED = 0
"""Of the random matrices: the same gradients give the same map."""


@dataclass(frozen=True, slots=True, eq=False)
class Bases:
    """Orthonormal directions of every node.

    Args:
        reads: Of gradients that read a node, shape ``(n_nodes, width, n_directions)``.
        deltas: Of gradients that write to it, same shape.
    """

    reads: Tensor
    deltas: Tensor


def find_bases(chunks: Iterable[GradientFactors], n_directions: int) -> Bases:
    """Find directions of all nodes in one pass over the factors.

    Args:
        chunks: Factors of all examples.
        n_directions: How many per node, at most the width.

    Raises:
        ValueError: If there is no chunk.
    """
    sketches: tuple[Tensor, Tensor] | None = None
    random = torch.empty(0)
    for chunk in chunks:
        if sketches is None:
            random = _random_matrices(chunk.reads, n_directions)
            sketches = torch.zeros_like(random), torch.zeros_like(random)
        for sketch, factors, others in (
            (sketches[0], chunk.reads, chunk.deltas),
            (sketches[1], chunk.deltas, chunk.reads),
        ):
            _add_sketch(sketch, factors.flatten(1, 2), others.flatten(1, 2), random)
    if sketches is None:
        raise ValueError("bases need the factors of at least one example; got none")
    return Bases(*(_leading(sketch, n_directions) for sketch in sketches))


def gaussian(shape: tuple[int, ...], like: Tensor, seed: int) -> Tensor:
    """Independent standard normal numbers, the same on every device."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator).to(like)


def _random_matrices(reads: Tensor, n_directions: int) -> Tensor:
    """One matrix a node, shape ``(n_nodes, width, columns)``."""
    n_nodes, *_, width = reads.shape
    return gaussian((n_nodes, width, sketch_size(n_directions, width)), reads, _SEED)


def _add_sketch(sketch: Tensor, factors: Tensor, others: Tensor, random: Tensor) -> None:
    shared = others[0] @ random[0]
    for other, matrix in zip(others[1:], random[1:], strict=True):
        shared.addmm_(other, matrix)
    for total, factor in zip(sketch, factors, strict=True):
        total.addmm_(factor.T, shared)


def _leading(sketch: Tensor, n_directions: int) -> Tensor:
    """Orthonormal leading left singular vectors of each sketch."""
    bases = sketch.new_empty((*sketch.shape[:2], n_directions))
    for basis, columns in zip(bases, sketch, strict=True):
        exact = doubled(columns)
        combinations = torch.linalg.eigh(exact.T @ exact).eigenvectors[:, -n_directions:]
        basis.copy_(torch.linalg.qr(exact @ combinations).Q)
    return bases
