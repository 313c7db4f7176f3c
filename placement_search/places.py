"""Where a connection lies, as far as module types ask; loads no torch.

Most modules read one state and add to another, and need its width alone. Those that work inside a
sub-layer, as LoRA does, also need to know what that sub-layer consists of.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Linear:
    """A linear map inside a sub-layer.

    Args:
        path: Of the module inside its block, e.g. ``attention.output.dense``.
        n_in: Channels that it reads.
        n_out: Channels that it gives.
        has_bias: Whether it adds a bias.
        is_first: Whether it reads what the first map of its sub-layer reads, as maps to queries,
            keys and values do.
    """

    path: str
    n_in: int
    n_out: int
    has_bias: bool
    is_first: bool = False

    @property
    def name(self) -> str:
        """The last part of its path, by which others name it too."""
        return self.path.rpartition(".")[2]


@dataclass(frozen=True, slots=True)
class SubLayer:
    """What one residual addition is made of.

    Args:
        block: The number of its block.
        kind: ``attention``, ``MLP``, or ``whole`` where a block is one fused sub-layer.
        linears: Its linear maps, in the order in which they run.
        norm: Path, inside the block, of the first norm that runs after the last of them; None
            where the next norm lies in another block, or there is none.
    """

    block: int
    kind: str
    linears: tuple[Linear, ...]
    norm: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where one connection lies.

    Args:
        width: Channels of the residual stream.
        source: The node that it reads.
        target: The node that it adds to.
        is_causal: Whether the backbone's tokens see only those before them.
        sublayer: The one that it goes around; None unless it leads from one node to the next.
    """

    width: int
    source: int = 0
    target: int = 1
    is_causal: bool = False
    sublayer: SubLayer | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """The places of a backbone.

    Args:
        width: Channels of the residual stream.
        is_causal: See `Place`.
        sublayers: In order, so that the k-th leads from node k to node k + 1; empty where nobody
            has looked.
    """

    width: int
    is_causal: bool = False
    sublayers: tuple[SubLayer, ...] = ()

    def at(self, source: int, target: int) -> Place:
        """The place of a connection from node ``source`` to node ``target``."""
        is_around = target == source + 1 and source < len(self.sublayers)
        sublayer = self.sublayers[source] if is_around else None
        return Place(self.width, source, target, self.is_causal, sublayer)
