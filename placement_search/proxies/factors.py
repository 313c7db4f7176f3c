"""The two thin factors of every gradient, from one forward and one backward pass.

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

from placement_search.adapted.batches import Batches, n_examples
from placement_search.adapted.states import pooled, widened
from placement_search.backbones.families import Pooling
from placement_search.backbones.loading import Backbone

SummedLoss = Callable[[Tensor, Tensor], Tensor]
"""Sum of the losses of some examples, from their features ``(batch, width)`` and indices."""


@dataclass(frozen=True, slots=True, eq=False)
class GradientFactors:
    """The two thin factors of every ``G_ij``, for some of the examples.

    Args:
        reads: ``f(h_i)``, shape ``(n_nodes, n_examples, tokens, width)``.
        deltas: ``∂L/∂h_j``, same shape, for the mean loss over all examples; zero where a token
            is padding.
        part: Which disjoint part of all examples they belong to.
    """

    reads: Tensor
    deltas: Tensor
    part: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class FactorStream:
    """The factors of many examples, a batch at a time; each iteration runs the backbone again.

    The parts follow one after the other. Within a part texts of like length share a batch; how its
    examples are split changes nothing but memory.

    Args:
        backbone: The frozen backbone.
        loss: Of a fitted head on pooled features; a zero head would give zero gradients.
        pooling: How tokens become one feature.
        inputs: Inputs of the examples, each of shape ``(n_examples, …)``, on its device.
        batch_size: Examples in one forward and backward pass.
        n_parts: Into how many disjoint parts the examples are cut, in their order and as equal as
            can be.
    """

    backbone: Backbone
    loss: SummedLoss
    pooling: Pooling
    inputs: Mapping[str, Tensor]
    batch_size: int = 32
    n_parts: int = 1

    def __iter__(self) -> Iterator[GradientFactors]:
        """The factors of each batch in turn."""
        for part, chosen in enumerate(self.parts()):
            for inputs, indices in self.batches_of(chosen):
                yield self._factors(inputs, indices, part)

    @property
    def n_examples(self) -> int:
        """How many examples there are."""
        return n_examples(self.inputs)

    def parts(self) -> list[Tensor]:
        """The indices of each part's examples; parts without any are left out."""
        device = next(iter(self.inputs.values())).device
        indices = torch.arange(self.n_examples, device=device)
        return [part for part in indices.tensor_split(self.n_parts) if len(part)]

    def batches(self) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        """Inputs of some examples, cut to the longest of their texts, and the examples' indices."""
        for part in self.parts():
            yield from self.batches_of(part)

    def batches_of(self, chosen: Tensor) -> Iterator[tuple[dict[str, Tensor], Tensor]]:
        """The same of the examples ``chosen`` alone."""
        inputs = {name: tensor[chosen] for name, tensor in self.inputs.items()}
        for batch in Batches(inputs).ordered(self.batch_size):
            yield batch.of(inputs), chosen[batch.indices]

    def _factors(self, inputs: Mapping[str, Tensor], indices: Tensor, part: int) -> GradientFactors:
        states, deltas = self._passed(inputs, indices)
        reads = torch.empty_like(deltas)
        for read, state in zip(reads, states, strict=True):
            read.copy_(_normed(widened(state)))
        return GradientFactors(reads, deltas, part)

    def _passed(self, part: Mapping[str, Tensor], indices: Tensor) -> tuple[list[Tensor], Tensor]:
        """States of all nodes, and the gradient at each of them."""
        nodes = range(self.backbone.n_nodes)
        probe = _Probe()
        with torch.enable_grad(), self.backbone.graph.visited(probe, nodes):
            hidden = self.backbone.graph.run(part)
            features = pooled(hidden, self.backbone.graph.token_mask(part), self.pooling)
            mean_loss = self.loss(features, indices) / self.n_examples
        leaves = [probe.leaves[node] for node in nodes]
        deltas = widened(torch.stack(torch.autograd.grad(mean_loss, leaves)))
        return [probe.states[node] for node in nodes], deltas


class _Probe:
    """Adds a zero leaf at every node, whose gradient is the loss's gradient at the node's state."""

    def __init__(self) -> None:
        self.states: dict[int, Tensor] = {}
        self.leaves: dict[int, Tensor] = {}

    def addition(self, node: int, state: Tensor) -> Tensor:
        """Zeros that receive a gradient, and take no memory."""
        zero = torch.zeros((), dtype=state.dtype, device=state.device)
        self.leaves[node] = zero.expand_as(state).requires_grad_()
        return self.leaves[node]

    def passed(self, node: int, state: Tensor) -> None:
        """Keep the state."""
        self.states[node] = state.detach()


def _normed(state: Tensor) -> Tensor:
    return functional.layer_norm(state, state.shape[-1:])
