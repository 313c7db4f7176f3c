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

    @property
    def n_bytes(self) -> int:
        """Memory that the states of all nodes take, or would take."""

    @property
    def are_kept(self) -> bool:
        """Whether they are in memory."""

    def batch(self, indices: Tensor, nodes: Iterable[int]) -> dict[int, Tensor] | None:
        """States of the examples ``indices`` at ``nodes``, each ``(batch, tokens, width)``.

        Texts are as long as the longest among them, as `take` cuts their inputs. None where they
        are not kept: then the whole backbone has to run.
        """


class CachedStates:
    """Frozen states kept in memory for every node, without those of padded tokens.

    Args:
        features: See `FrozenStates`.
        states: By node, the real tokens of all examples, shape ``(n_tokens, width)``.
        lengths: Tokens of each example, shape ``(n_examples,)``.
    """

    are_kept = True

    def __init__(self, features: Features, states: Mapping[int, Tensor], lengths: Tensor) -> None:
        self.features = features
        self.n_bytes = sum(state.nbytes for state in states.values())
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


class MissingStates:
    """Frozen states that do not fit in memory: the whole backbone runs for every batch."""

    are_kept = False

    def __init__(self, features: Features, n_bytes: int) -> None:
        self.features = features
        self.n_bytes = n_bytes

    def batch(self, _indices: Tensor, _nodes: Iterable[int]) -> None:
        """See `FrozenStates`."""


@torch.no_grad()
def frozen_states(
    backbone: Backbone, inputs: Inputs, memory_limit: int, *, batch_size: int = 256
) -> FrozenStates:
    """Run the bare backbone once over all examples and keep what it passes through.

    Args:
        backbone: The frozen backbone.
        inputs: Inputs of all examples, each of shape ``(n_examples, …)``, on its device.
        memory_limit: Bytes that the states of all nodes may take; where they need more, none is
            kept, which gives the same numbers more slowly.
        batch_size: Examples in one forward pass.
    """
    features = _Features(backbone, n_examples(inputs))
    lengths = _lengths(backbone, inputs)
    nodes = range(backbone.n_nodes)
    n_bytes = len(nodes) * int(lengths.sum()) * backbone.width * backbone.dtype.itemsize
    store = _Store(backbone, lengths) if n_bytes <= memory_limit else None
    for indices in ordered_batches(inputs, batch_size):
        part = take(inputs, indices)
        recorder = Recorder()
        with backbone.graph.visited(recorder, nodes if store else []):
            hidden = backbone.graph.run(part)
        features.put(indices, hidden, backbone.graph.token_mask(part))
        if store is not None:
            store.put(indices, recorder.states)
    if store is None:
        return MissingStates(features.by_pooling, n_bytes)
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

    def __init__(self, backbone: Backbone, lengths: Tensor) -> None:
        shape = (int(lengths.sum()), backbone.width)
        self.states = {
            node: torch.empty(shape, dtype=backbone.dtype, device=backbone.device)
            for node in range(backbone.n_nodes)
        }
        self.lengths = lengths
        self._starts = lengths.cumsum(0) - lengths

    def put(self, indices: Tensor, states: Mapping[int, Tensor]) -> None:
        lengths = self.lengths[indices]
        places = torch.arange(int(lengths.max()), device=indices.device)
        is_real = places < lengths.unsqueeze(1)
        rows = (self._starts[indices].unsqueeze(1) + places)[is_real]
        for node, state in states.items():
            self.states[node][rows] = state[is_real]


def _lengths(backbone: Backbone, inputs: Inputs) -> Tensor:
    """Tokens of each example's states, shape ``(n_examples,)``."""
    lengths = text_lengths(inputs)
    if lengths is not None:
        return lengths
    one = take(inputs, torch.zeros(1, dtype=torch.long, device=backbone.device))
    n_tokens = backbone.graph.run(one).shape[1]
    return torch.full((n_examples(inputs),), n_tokens, device=backbone.device)
