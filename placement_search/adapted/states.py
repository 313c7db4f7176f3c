"""States of the bare backbone: computed once, kept where they fit in memory, else recomputed."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor

from placement_search.backbones.families import Pooling
from placement_search.backbones.loading import Backbone

Inputs = Mapping[str, Tensor]


def pooled(hidden: Tensor, inputs: Inputs, pooling: Pooling) -> Tensor:
    """One feature vector per example from its final hidden states; padded tokens do not count.

    Args:
        hidden: Shape ``(batch, tokens, width)``.
        inputs: The backbone's inputs; ``attention_mask`` of shape ``(batch, tokens)`` is read.
        pooling: First token, or mean over the real ones.

    Returns:
        Shape ``(batch, width)``.
    """
    if pooling is Pooling.CLS:
        return hidden[:, 0]
    mask = inputs.get("attention_mask")
    if mask is None:
        return hidden.mean(1)
    weights = mask.to(hidden.dtype).unsqueeze(-1)
    return (hidden * weights).sum(1) / weights.sum(1)


class Recorder:
    """A visitor that keeps the states it passes, cut from the gradient, and adds nothing."""

    def __init__(self) -> None:
        self.states: dict[int, Tensor] = {}

    def addition(self, node: int, state: Tensor) -> None:
        """Nothing is added."""

    def passed(self, node: int, state: Tensor) -> None:
        """Keep the state."""
        self.states[node] = state.detach()


@torch.no_grad()
def bare_states(backbone: Backbone, inputs: Inputs, nodes: Iterable[int]) -> dict[int, Tensor]:
    """States of the bare backbone at ``nodes``, each of shape ``(batch, tokens, width)``."""
    recorder = Recorder()
    with backbone.graph.visited(recorder, list(nodes)):
        backbone.graph.model(**inputs)
    return recorder.states


class FrozenStates(Protocol):
    """Frozen states of a set of examples, by example and node."""

    @property
    def features(self) -> Tensor:
        """Pooled final states of the bare backbone, shape ``(n_examples, width)``."""

    def batch(self, indices: Tensor, nodes: Iterable[int]) -> dict[int, Tensor]:
        """States of the examples ``indices`` at ``nodes``, each ``(batch, tokens, width)``."""


class CachedStates:
    """Frozen states kept in memory for every node."""

    def __init__(self, features: Tensor, states: Mapping[int, Tensor]) -> None:
        self.features = features
        self._states = states

    def batch(self, indices: Tensor, nodes: Iterable[int]) -> dict[int, Tensor]:
        """See `FrozenStates`."""
        return {node: self._states[node].index_select(0, indices) for node in nodes}


class RecomputedStates:
    """Frozen states that do not fit in memory: each batch runs the bare backbone again."""

    def __init__(self, features: Tensor, backbone: Backbone, inputs: Inputs) -> None:
        self.features = features
        self._backbone = backbone
        self._inputs = inputs

    def batch(self, indices: Tensor, nodes: Iterable[int]) -> dict[int, Tensor]:
        """See `FrozenStates`."""
        return bare_states(self._backbone, take(self._inputs, indices), nodes)


def take(inputs: Inputs, indices: Tensor) -> dict[str, Tensor]:
    """The inputs of the examples ``indices``."""
    return {name: tensor.index_select(0, indices) for name, tensor in inputs.items()}


@torch.no_grad()
def frozen_states(
    backbone: Backbone, inputs: Inputs, memory_limit: int, *, batch_size: int = 256
) -> FrozenStates:
    """Run the bare backbone once over all examples and keep what it passes through.

    Args:
        backbone: The frozen backbone.
        inputs: Inputs of all examples, each of shape ``(n_examples, …)``.
        memory_limit: Bytes that the states of all nodes may take; where they need more, none is
            kept and every batch computes its own, which gives the same numbers more slowly.
        batch_size: Examples in one forward pass.
    """
    nodes = range(backbone.n_nodes)
    features: list[Tensor] = []
    kept: dict[int, Tensor] | None = None
    for indices in batches(inputs, batch_size):
        part = take(inputs, indices)
        recorder = Recorder()
        with backbone.graph.visited(recorder, nodes):
            hidden = backbone.graph.model(**part).last_hidden_state
        features.append(pooled(hidden, part, backbone.graph.family.pooling))
        if int(indices[0]) == 0:
            kept = _room_for(recorder.states, _length(inputs), memory_limit)
        for node, whole in (kept or {}).items():
            whole[indices] = recorder.states[node]
    if kept is None:
        return RecomputedStates(torch.cat(features), backbone, inputs)
    return CachedStates(torch.cat(features), kept)


def batches(inputs: Inputs, batch_size: int) -> Iterator[Tensor]:
    """Indices of all examples in order, ``batch_size`` at a time."""
    yield from torch.split(torch.arange(_length(inputs)), batch_size)


def _length(inputs: Inputs) -> int:
    return len(next(iter(inputs.values())))


def _room_for(
    states: Mapping[int, Tensor], n_examples: int, memory_limit: int
) -> dict[int, Tensor] | None:
    """Empty tensors for the states of all examples, or None where they would not fit."""
    n_bytes = sum(s[0].numel() * s.element_size() * n_examples for s in states.values())
    if n_bytes > memory_limit:
        return None
    return {node: s.new_empty((n_examples, *s.shape[1:])) for node, s in states.items()}
