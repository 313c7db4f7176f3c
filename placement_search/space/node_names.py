"""Nodes and connections as space files name them: by number, range, block or sub-layer."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from placement_search.errors import SpaceError
from placement_search.layout import Kind, kind_of
from placement_search.space.format import Nodes

Pair = tuple[int, int]

EMBEDDINGS = "embeddings"
SUBLAYERS = ("attention", "mlp")
_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?")
_PLACE = re.compile(r"\s*(attention|mlp)(?:\s+of\s+(.+))?", re.IGNORECASE)
_BLOCKS = re.compile(r"\s*blocks?\s+(\d.*)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Stream:
    """The residual stream that names are read on.

    Args:
        n_nodes: Its nodes, from 0.
        sublayers: Nodes that a block makes: 2, or 1 where blocks are fused.
    """

    n_nodes: int
    sublayers: int = 2

    @property
    def n_blocks(self) -> int:
        """Blocks, from 0."""
        return (self.n_nodes - 1) // self.sublayers

    def nodes_of(self, blocks: Iterable[int], parts: Iterable[int]) -> frozenset[int]:
        """The nodes that these sub-layers of blocks make, sub-layers counted from 0."""
        return frozenset(b * self.sublayers + 1 + p for b in blocks for p in parts)


def expand_nodes(nodes: Nodes, key: str, stream: Stream) -> frozenset[int]:
    """The node numbers that ``sources`` or ``targets`` of a file mean.

    Raises:
        SpaceError: If an entry names no nodes, or ones that the backbone lacks.
    """
    if nodes == "all":
        return frozenset(range(stream.n_nodes))
    return frozenset().union(*(_expand(entry, key, stream) for entry in nodes))


def expand_pattern(pattern: str, key: str, stream: Stream) -> frozenset[Pair]:
    """All pairs of nodes that a kind, or a pattern such as ``*>0`` or ``mlp>blocks 0-2``, means.

    Raises:
        SpaceError: If an end names no nodes, or ones that the backbone lacks.
    """
    everything = range(stream.n_nodes)
    if pattern in set(Kind):
        return frozenset((s, t) for s in everything for t in everything if kind_of(s, t) == pattern)
    sources, targets = (
        everything if end.strip() == "*" else _expand(end, key, stream)
        for end in pattern.split(">")
    )
    return frozenset((s, t) for s in sources for t in targets)


def _expand(entry: int | str, key: str, stream: Stream) -> frozenset[int]:
    text = str(entry)
    if text.strip().lower() == EMBEDDINGS:
        return frozenset({0})
    if _RANGE.fullmatch(text):
        return frozenset(_numbers(text, entry, key, stream.n_nodes, "nodes"))
    place, blocks = _PLACE.fullmatch(text), _BLOCKS.fullmatch(text)
    if place and (place[2] is None or _BLOCKS.fullmatch(place[2])):
        return _sublayer(place[1].lower(), place[2], entry, key, stream)
    if blocks:
        chosen = _numbers(blocks[1], entry, key, stream.n_blocks, "blocks")
        return stream.nodes_of(chosen, range(stream.sublayers))
    raise SpaceError(
        f"{key}: a node is written 3, a range '3-9', a place 'embeddings', 'block 3', "
        f"'blocks 3-5', 'attention', 'mlp' or 'mlp of blocks 3-5'; got {entry!r}"
    )


def _sublayer(
    part: str, blocks: str | None, entry: int | str, key: str, stream: Stream
) -> frozenset[int]:
    if stream.sublayers == 1:
        raise SpaceError(
            f"{key}: blocks of this backbone are fused, attention and MLP are one sub-layer; name "
            f"blocks, e.g. 'block 3', or nodes; got {entry!r}"
        )
    within = _BLOCKS.fullmatch(blocks) if blocks else None
    chosen = (
        _numbers(within[1], entry, key, stream.n_blocks, "blocks")
        if within
        else range(stream.n_blocks)
    )
    return stream.nodes_of(chosen, [SUBLAYERS.index(part)])


def _numbers(text: str, entry: int | str, key: str, n: int, what: str) -> range:
    """A number, or a range with both ends, of ``n`` things counted from 0."""
    match = _RANGE.fullmatch(text)
    if match is None:
        raise SpaceError(f"{key}: {what} are written 3, or '3-9' with both ends; got {entry!r}")
    low, high = int(match[1]), int(match[2] or match[1])
    if low > high:
        raise SpaceError(f"{key}: a range runs upwards, got {entry!r}")
    if high >= n:
        raise SpaceError(f"{key}: the backbone has {what} 0 to {n - 1}, got {entry!r}")
    return range(low, high + 1)
