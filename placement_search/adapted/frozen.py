"""Frozen states of a set of examples: computed once, and kept in memory, on disk or nowhere."""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from placement_search.adapted.batches import Batch, Batches, n_examples, text_lengths
from placement_search.adapted.states import Recorder, pooled
from placement_search.backbones.attention import fast_attention
from placement_search.backbones.families import Pooling
from placement_search.backbones.graph import Inputs
from placement_search.backbones.loading import Backbone

Features = Mapping[Pooling, Tensor]


class Place(StrEnum):
    """Where frozen states are."""

    MEMORY = "memory"
    DISK = "disk"
    NOWHERE = "nowhere"


class FrozenStates(Protocol):
    """Frozen states of a set of examples, by example and node."""

    @property
    def features(self) -> Features:
        """Pooled final states of the bare backbone by pooling, ``(n_examples, width)`` each."""

    @property
    def n_bytes(self) -> int:
        """Memory that the states of all nodes take, or would take."""

    @property
    def place(self) -> Place:
        """Where they are."""

    def n_tokens(self, batch: Batch) -> int:
        """Length of the states of a batch."""

    def batch(self, batch: Batch, nodes: Iterable[int]) -> dict[int, Tensor] | None:
        """States of a batch's examples at ``nodes``, each ``(batch, tokens, width)``.

        Texts are as long as the longest among them, as `Batch.of` cuts their inputs. None where
        states are nowhere: then the whole backbone has to run.
        """


class _Rows:
    """The real tokens of all examples, one row each.

    Args:
        lengths: Tokens of each example, shape ``(n_examples,)``.
    """

    def __init__(self, lengths: Tensor) -> None:
        self.n = int(lengths.sum())
        self.longest = int(lengths.max())
        self._lengths = lengths
        self._starts = lengths.cumsum(0) - lengths

    def padded(self, batch: Batch) -> Tensor:
        """Rows of a batch's tokens, ``(batch, tokens)``; padding repeats a text's last token."""
        places = torch.arange(batch.n_tokens or self.longest, device=batch.indices.device)
        within = torch.minimum(places, self._lengths[batch.indices].unsqueeze(1) - 1)
        return self._starts[batch.indices].unsqueeze(1) + within

    def is_real(self, batch: Batch) -> Tensor:
        """Which of them are no padding, same shape."""
        places = torch.arange(batch.n_tokens or self.longest, device=batch.indices.device)
        return places < self._lengths[batch.indices].unsqueeze(1)


class KeptStates:
    """Frozen states of every node, without those of padded tokens.

    Args:
        features: See `FrozenStates`.
        states: By node, the real tokens of all examples, shape ``(n_tokens, width)``.
        rows: Which token is whose.
        place: Where ``states`` are.
    """

    def __init__(
        self, features: Features, states: Mapping[int, Tensor], rows: _Rows, place: Place
    ) -> None:
        self.features = features
        self.n_bytes = sum(state.nbytes for state in states.values())
        self.place = place
        self._states = states
        self._rows = rows

    def n_tokens(self, batch: Batch) -> int:
        """See `FrozenStates`."""
        return batch.n_tokens or self._rows.longest

    def batch(self, batch: Batch, nodes: Iterable[int]) -> dict[int, Tensor]:
        """See `FrozenStates`; a padded token has the state of its text's last one."""
        rows = self._rows.padded(batch)
        flat = rows.flatten()
        return {
            node: self._states[node].index_select(0, flat).view(*rows.shape, -1) for node in nodes
        }


class MissingStates:
    """Frozen states that do not fit anywhere: the whole backbone runs for every batch."""

    place = Place.NOWHERE

    def __init__(self, features: Features, n_bytes: int, longest: int) -> None:
        self.features = features
        self.n_bytes = n_bytes
        self._longest = longest

    def n_tokens(self, batch: Batch) -> int:
        """See `FrozenStates`."""
        return batch.n_tokens or self._longest

    def batch(self, _batch: Batch, _nodes: Iterable[int]) -> None:
        """See `FrozenStates`."""


@torch.no_grad()
def frozen_states(
    backbone: Backbone,
    inputs: Inputs,
    memory_limit: int,
    *,
    batch_size: int = 256,
    folder: Path | None = None,
) -> FrozenStates:
    """Run the bare backbone once over all examples and keep what it passes through.

    States that do not fit in memory lie in a file where reading them from there is faster than
    computing them again, which is measured, and the disk has room; else they are not kept, which
    gives the same numbers, to rounding, more slowly.

    Args:
        backbone: The frozen backbone.
        inputs: Inputs of all examples, each of shape ``(n_examples, …)``, on its device.
        memory_limit: Bytes that the states of all nodes may take in memory.
        batch_size: Examples in one forward pass.
        folder: Where a file of states may lie; None for the system's folder of temporary files.
    """
    rows = _Rows(_lengths(backbone, inputs))
    n_bytes = backbone.n_nodes * rows.n * backbone.width * backbone.dtype.itemsize
    batches = list(Batches(inputs).ordered(batch_size))
    room: _Memory | _File | None = None
    if n_bytes <= memory_limit:
        room = _Memory(backbone, rows.n)
    elif _pays(backbone, inputs, batches[0], n_bytes, scratch := _scratch(folder)):
        with suppress(OSError):
            room = _File(backbone, rows.n, scratch)
    features = _Features(backbone, n_examples(inputs))
    for batch in batches:
        recorder = Recorder()
        part = batch.of(inputs)
        n_tokens = batch.n_tokens or rows.longest
        with (
            fast_attention(backbone.device, backbone.dtype, n_tokens),
            backbone.graph.visited(recorder, range(backbone.n_nodes) if room else []),
        ):
            hidden = backbone.graph.run(part)
        features.put(batch.indices, hidden, backbone.graph.token_mask(part))
        if room is not None:
            _put(room.states, rows, batch, recorder.states)
    if room is None:
        return MissingStates(features.by_pooling, n_bytes, rows.longest)
    return KeptStates(features.by_pooling, room.states, rows, room.place)


class _Memory:
    """Room for all states on the backbone's device."""

    place = Place.MEMORY

    def __init__(self, backbone: Backbone, n_rows: int) -> None:
        shape = (n_rows, backbone.width)
        self.states = {
            node: torch.empty(shape, dtype=backbone.dtype, device=backbone.device)
            for node in range(backbone.n_nodes)
        }


class _File:
    """Room for all states in a file that goes with the last tensor that lies in it.

    Args:
        backbone: On the CPU.
        n_rows: Tokens.
        folder: Where the file is made.
    """

    place = Place.DISK

    def __init__(self, backbone: Backbone, n_rows: int, folder: Path) -> None:
        n_nodes, width = backbone.n_nodes, backbone.width
        with tempfile.NamedTemporaryFile(prefix="placement-search-", dir=folder) as file:
            size = n_nodes * n_rows * width
            if hasattr(os, "posix_fallocate"):
                # A disk that is full says so now, and not by ending the process later.
                os.posix_fallocate(file.fileno(), 0, size * backbone.dtype.itemsize)
            flat = torch.from_file(file.name, shared=True, size=size, dtype=backbone.dtype)
        # What is mapped holds the file; without a name it can't outlive this process.
        self.states = dict(enumerate(flat.view(n_nodes, n_rows, width)))


SHARE_OF_DISK = 0.5
"""Of the free disk that a file of states may take."""
N_READ = 2
"""Nodes whose states a training step typically reads: where it starts, and a source below."""
SHARE_SKIPPED = 0.5
"""Of the forward pass that a training step typically skips by starting at a frozen state."""


def _scratch(folder: Path | None) -> Path:
    return folder or Path(tempfile.gettempdir())


def _pays(backbone: Backbone, inputs: Inputs, batch: Batch, n_bytes: int, folder: Path) -> bool:
    """Whether reading a batch's states from the disk is possible and faster than what they save."""
    if backbone.device.type != "cpu" or n_bytes > SHARE_OF_DISK * shutil.disk_usage(folder).free:
        return False
    part = batch.of(inputs)
    n_read = backbone.graph.run(part).nbytes * N_READ
    seconds = _seconds(lambda: backbone.graph.run(part))
    return _seconds_to_read(n_read, folder) < SHARE_SKIPPED * seconds


def _seconds_to_read(n_bytes: int, folder: Path) -> float:
    """Time of reading a file that the system does not hold in memory, where it can forget one."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.write(os.urandom(n_bytes))
        file.flush()
        os.fsync(file.fileno())
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        return _seconds(file.read)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def _put(
    room: Mapping[int, Tensor], rows: _Rows, batch: Batch, states: Mapping[int, Tensor]
) -> None:
    is_real = rows.is_real(batch)
    places = rows.padded(batch)[is_real]
    for node, state in states.items():
        room[node][places] = state[is_real]


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


def _lengths(backbone: Backbone, inputs: Inputs) -> Tensor:
    """Tokens of each example's states, shape ``(n_examples,)``."""
    lengths = text_lengths(inputs)
    if lengths is not None:
        return lengths
    one = {name: tensor[:1] for name, tensor in inputs.items()}
    n_tokens = backbone.graph.run(one).shape[1]
    return torch.full((n_examples(inputs),), n_tokens, device=backbone.device)
