"""States of the bare backbone: computed once, kept where they fit in memory, else recomputed."""

from collections.abc import Iterable, Mapping
from typing import Protocol

import torch
from torch import Tensor

from placement_search.adapted.batches import (
    Inputs,
    n_examples,
    ordered_batches,
    take,
    text_lengths,
)
from placement_search.backbones.families import Pooling
from placement_search.backbones.loading import Backbone

Features = Mapping[Pooling, Tensor]


def widened(state: Tensor) -> Tensor:
    """The same state in float32, or in a wider type that it has already."""
    return state.float() if state.dtype.itemsize < torch.float32.itemsize else state


def pooled(hidden: Tensor, mask: Tensor | None, pooling: Pooling) -> Tensor:
    """One feature vector per example from its final hidden states; padded tokens do not count.

    Args:
        hidden: Shape ``(batch, tokens, width)``.
        mask: Which tokens are real, shape ``(batch, tokens)``; None for all.
        pooling: First token, mean over the real ones, or the last real one.

    Returns:
        Shape ``(batch, width)``, in float32 or wider.
    """
    hidden = widened(hidden)
    if pooling is Pooling.CLS:
        return hidden[:, 0]
    if pooling is Pooling.LAST:
        if mask is None:
            return hidden[:, -1]
        places = torch.arange(hidden.shape[1], device=hidden.device)
        last = (mask * places).argmax(1)
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
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
        backbone.graph.run(inputs)
    return recorder.states


class FrozenStates(Protocol):
    """Frozen states of a set of examples, by example and node."""

    @property
    def features(self) -> Features:
        """Pooled final states of the bare backbone by pooling, ``(n_examples, width)`` each."""

    def batch(self, indices: Tensor, nodes: Iterable[int]) -> dict[int, Tensor]:
        """States of the examples ``indices`` at ``nodes``, each ``(batch, tokens, width)``.

        Texts are as long as the longest among them, as `take` cuts their inputs.
        """


class CachedStates:
    """Frozen states kept in memory for every node, without those of padded tokens.

    Args:
        features: See `FrozenStates`.
        states: By node, the real tokens of all examples, shape ``(n_tokens, width)``.
        lengths: Tokens of each example, shape ``(n_examples,)``.
    """

    def __init__(self, features: Features, states: Mapping[int, Tensor], lengths: Tensor) -> None:
        self.features = features
        self._states = states
        self._lengths = lengths
        self._starts = lengths.cumsum(0) - lengths

    def batch(self, indices: Tensor, nodes: Iterable[int]) -> dict[int, Tensor]:
        """See `FrozenStates`; a padded token has the state of its text's last one."""
        lengths = self._lengths[indices]
        places = torch.arange(int(lengths.max()), device=indices.device)
        within = torch.minimum(places, lengths.unsqueeze(1) - 1)
        rows = (self._starts[indices].unsqueeze(1) + within).flatten()
        shape = (len(indices), len(places), -1)
        return {node: self._states[node].index_select(0, rows).view(shape) for node in nodes}


class RecomputedStates:
    """Frozen states that do not fit in memory: each batch runs the bare backbone again."""

    def __init__(self, features: Features, backbone: Backbone, inputs: Inputs) -> None:
        self.features = features
        self._backbone = backbone
        self._inputs = inputs

    def batch(self, indices: Tensor, nodes: Iterable[int]) -> dict[int, Tensor]:
        """See `FrozenStates`."""
        return bare_states(self._backbone, take(self._inputs, indices), nodes)


@torch.no_grad()
def frozen_states(
    backbone: Backbone, inputs: Inputs, memory_limit: int, *, batch_size: int = 256
) -> FrozenStates:
    """Run the bare backbone once over all examples and keep what it passes through.

    Args:
        backbone: The frozen backbone.
        inputs: Inputs of all examples, each of shape ``(n_examples, …)``, on its device.
        memory_limit: Bytes that the states of all nodes may take; where they need more, none is
            kept and every batch computes its own, which gives the same numbers more slowly.
        batch_size: Examples in one forward pass.
    """
    features = _Features(backbone, n_examples(inputs))
    store: _Store | None = None
    is_first = True
    for indices in ordered_batches(inputs, batch_size):
        part = take(inputs, indices)
        recorder = Recorder()
        with backbone.graph.visited(recorder, range(backbone.n_nodes)):
            hidden = backbone.graph.run(part)
        features.put(indices, hidden, backbone.graph.token_mask(part))
        if is_first:
            store = _room_for(recorder.states, inputs, memory_limit)
            is_first = False
        if store is not None:
            store.put(indices, recorder.states)
    if store is None:
        return RecomputedStates(features.by_pooling, backbone, inputs)
    return CachedStates(features.by_pooling, store.states, store.lengths)


class _Features:
    """The pooled final states of all examples, filled batch by batch."""

    def __init__(self, backbone: Backbone, n: int) -> None:
        self.by_pooling = {
            pooling: torch.empty(n, backbone.width, device=backbone.device)
            for pooling in backbone.poolings
        }

    def put(self, indices: Tensor, hidden: Tensor, mask: Tensor | None) -> None:
        for pooling, features in self.by_pooling.items():
            features[indices] = pooled(hidden, mask, pooling)


class _Store:
    """Room for the states of all real tokens, filled batch by batch."""

    def __init__(self, states: dict[int, Tensor], lengths: Tensor) -> None:
        self.states = states
        self.lengths = lengths
        self._starts = lengths.cumsum(0) - lengths

    def put(self, indices: Tensor, states: Mapping[int, Tensor]) -> None:
        lengths = self.lengths[indices]
        places = torch.arange(int(lengths.max()), device=indices.device)
        is_real = places < lengths.unsqueeze(1)
        rows = (self._starts[indices].unsqueeze(1) + places)[is_real]
        for node, state in states.items():
            self.states[node][rows] = state[is_real]


def _room_for(states: Mapping[int, Tensor], inputs: Inputs, memory_limit: int) -> _Store | None:
    """Empty tensors for the states of all examples, or None where they would not fit."""
    n, example = n_examples(inputs), next(iter(states.values()))
    lengths = text_lengths(inputs)
    if lengths is None:
        lengths = torch.full((n,), example.shape[1], device=example.device)
    n_tokens = int(lengths.sum())
    n_bytes = sum(n_tokens * s.shape[-1] * s.element_size() for s in states.values())
    if n_bytes > memory_limit:
        return None
    room = {node: s.new_empty((n_tokens, s.shape[-1])) for node, s in states.items()}
    return _Store(room, lengths)
