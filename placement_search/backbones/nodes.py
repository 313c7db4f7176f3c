"""The nodes of a residual graph by number, place and title; loads no torch."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A state of the residual stream and where it is found.

    Args:
        index: Its number, from 0.
        block: The block whose input, middle or output it is.
        place: ``input``, ``middle`` or ``output`` of that block, or ``whole`` for the output of
            a fused block.
    """

    index: int
    block: int
    place: str

    @property
    def title(self) -> str:
        """The node in words, e.g. ``block 3, after attention``."""
        words = {"middle": ", after attention", "output": ", after MLP", "whole": ""}
        return "embeddings" if self.place == "input" else f"block {self.block}{words[self.place]}"

    @property
    def sublayer(self) -> str:
        """The sub-layer whose addition makes the node's state, e.g. ``block 3, attention``."""
        words = {"middle": ", attention", "output": ", MLP", "whole": ""}
        return "none" if self.place == "input" else f"block {self.block}{words[self.place]}"


def nodes_of(n_blocks: int, sublayers: int = 2) -> tuple[Node, ...]:
    """The nodes of a backbone: its first input, and one for each sub-layer.

    Args:
        n_blocks: Number of blocks, L.
        sublayers: 2, which gives 2L+1 nodes; or 1 for fused blocks, which gives L+1.
    """
    places = ("whole",) if sublayers == 1 else ("middle", "output")
    inner = [
        Node(sublayers * block + 1 + part, block, place)
        for block in range(n_blocks)
        for part, place in enumerate(places)
    ]
    return (Node(0, 0, "input"), *inner)
