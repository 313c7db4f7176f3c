"""The gradients of all n² connections from one forward and one backward pass.

A zero-initialised linear map on the connection (i, j) has the gradient ``G_ij = Σ f(h_i)ᵀ δ_j``
over all tokens, with ``f`` the adapter's norm and ``δ_j`` the loss's gradient at node j. At zero
the second pass of a recurrent connection equals the first, so the formula holds for every kind.
The bottleneck's own gradient would be no measure: at a zero up-projection its rank is capped by
the bottleneck's.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from placement_search.adapted.batches import take
from placement_search.adapted.states import pooled, widened
from placement_search.backbones.families import Pooling
from placement_search.backbones.loading import Backbone

SummedLoss = Callable[[Tensor, Tensor], Tensor]
"""Sum of the losses of some examples, from their features ``(batch, width)`` and indices."""


@dataclass(frozen=True, slots=True, eq=False)
class GradientFactors:
    """The two thin factors of every ``G_ij``.

    Args:
        reads: ``f(h_i)``, shape ``(n_nodes, n_examples, tokens, width)``.
        deltas: ``∂L/∂h_j``, same shape, for the mean loss over the examples.
    """

    reads: Tensor
    deltas: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class GradientMap:
    """What all proxies of a connection are computed from.

    Args:
        singular_values: Of ``G_ij``, descending, shape ``(n_nodes, n_nodes, width)``, indexed
            ``[source, target]``.
        example_energies: Mean over examples of ``‖g_ij‖²``, where ``g_ij`` is the gradient of that
            example's own loss; shape ``(n_nodes, n_nodes)``.
    """

    singular_values: Tensor
    example_energies: Tensor


class _Probe:
    """Adds a zero leaf at every node, whose gradient is the loss's gradient at the node's state."""

    def __init__(self) -> None:
        self.states: dict[int, Tensor] = {}
        self.leaves: dict[int, Tensor] = {}

    def addition(self, node: int, state: Tensor) -> Tensor:
        """A tensor of zeros that receives a gradient."""
        self.leaves[node] = torch.zeros_like(state, requires_grad=True)
        return self.leaves[node]

    def passed(self, node: int, state: Tensor) -> None:
        """Keep the state."""
        self.states[node] = state.detach()


def gradient_factors(
    backbone: Backbone,
    loss: SummedLoss,
    pooling: Pooling,
    inputs: Mapping[str, Tensor],
    *,
    batch_size: int = 128,
) -> GradientFactors:
    """States and their gradients at every node, for the mean loss over the examples.

    Splitting the examples into batches changes nothing but memory.

    Args:
        backbone: The frozen backbone.
        loss: Of a fitted head on pooled features; a zero head would give zero gradients.
        pooling: How tokens become one feature.
        inputs: Inputs of the examples, each of shape ``(n_examples, …)``, on its device.
        batch_size: Examples in one forward and backward pass.
    """
    reads: list[Tensor] = []
    deltas: list[Tensor] = []
    nodes = range(backbone.n_nodes)
    everything = torch.arange(len(next(iter(inputs.values()))), device=backbone.device)
    # Cut once to the longest of all, so that the batches' states have one shape.
    inputs = take(inputs, everything)
    for indices in torch.split(everything, batch_size):
        part = {name: tensor[indices] for name, tensor in inputs.items()}
        probe = _Probe()
        with torch.enable_grad(), backbone.graph.visited(probe, nodes):
            hidden = backbone.graph.run(part)
            features = pooled(hidden, backbone.graph.token_mask(part), pooling)
            mean_loss = loss(features, indices) / len(everything)
        leaves = [probe.leaves[node] for node in nodes]
        deltas.append(widened(torch.stack(torch.autograd.grad(mean_loss, leaves))))
        reads.append(torch.stack([_normed(widened(probe.states[node])) for node in nodes]))
    return GradientFactors(torch.cat(reads, 1), torch.cat(deltas, 1))


def gradient_map(factors: GradientFactors) -> GradientMap:
    """Singular values and per-example energies of all ``G_ij``, one source at a time.

    Working by source bounds the memory by ``n_nodes`` matrices of ``width × width``.
    """
    rows = list(_singular_rows(factors))
    return GradientMap(torch.stack(rows), _example_energies(factors))


def _normed(state: Tensor) -> Tensor:
    return functional.layer_norm(state, state.shape[-1:])


def _singular_rows(factors: GradientFactors) -> Iterator[Tensor]:
    """The singular values from each source to all targets, shape ``(n_nodes, width)``."""
    n_nodes, *_, width = factors.deltas.shape
    deltas = factors.deltas.permute(1, 2, 0, 3).reshape(-1, n_nodes * width)
    for read in factors.reads.flatten(1, 2):
        gradients = (read.T @ deltas).reshape(width, n_nodes, width).transpose(0, 1)
        yield torch.linalg.svdvals(gradients.double())


def _example_energies(factors: GradientFactors) -> Tensor:
    """``‖Σ_t f(h_t)ᵀ δ_t‖² = Σ_ts (f_t·f_s)(δ_t·δ_s)``: two Gram matrices, no gradient."""
    n_examples = factors.reads.shape[1]
    shape = len(factors.reads), len(factors.deltas)
    energies = torch.zeros(shape, dtype=torch.float64, device=factors.reads.device)
    for reads, deltas in zip(factors.reads.unbind(1), factors.deltas.unbind(1), strict=True):
        grams = [(f @ f.transpose(1, 2)).flatten(1).double() for f in (reads, deltas * n_examples)]
        energies += grams[0] @ grams[1].T
    return energies / n_examples
