"""A Hugging Face model as a residual graph: its nodes, and a way to pass through them.

With L blocks of two sub-layers there are 2L+1 nodes. Node 0 is the input of the first block, node
2l+1 the state between the sub-layers of block l, node 2l+2 what the next block reads, or the last
gives. Fused blocks have one sub-layer, and node l+1 follows block l. The model's own forward runs
unchanged; hooks that live as long as a ``with`` block see and change the states.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial

import torch
from torch import Tensor, nn

from placement_search.backbones.arguments import Paths, batched_paths, narrowed
from placement_search.backbones.families import Family, Holds, Returns
from placement_search.backbones.hooks import (
    Change,
    ReturnedLengths,
    forward_replaced,
    input_changed,
    output_changed,
    output_kept,
    seen_changed,
)
from placement_search.backbones.locks import PassLock
from placement_search.backbones.nodes import Node, nodes_of
from placement_search.backbones.parts import blocks_of, inner
from placement_search.backbones.sublayers import Tap, Trace
from placement_search.backbones.visits import Visitor, hook_middle, through
from placement_search.errors import BackboneError
from placement_search.places import SubLayer

__all__ = ["Node", "ResidualGraph", "Visitor", "nodes_of"]

Inputs = Mapping[str, Tensor]
TapChange = Callable[[Tap, Tensor, Tensor], Tensor]
"""Gives a module's output as it flows on, from what the module read and what it gave."""
TapRead = Callable[[Tap, Tensor], Tensor]
"""Gives what a linear map reads in place of what flows to it."""
Start = tuple[int, Tensor]
"""A node, and the states there of the examples whose pass begins with them."""

FRAMES_OF_SAMPLES = "_get_feat_extract_output_lengths"
FRAME_MASK = "_get_feature_vector_attention_mask"
"""Methods of audio models that count their frames; the models call them on themselves."""


class ResidualGraph:
    """The residual stream of one model.

    Args:
        model: A base model of ``transformers``, without task head.
        family: Where this kind of model keeps its residual stream.

    Raises:
        BackboneError: If the model has no list of blocks, or there is no such module where the
            family says; it names the key at fault.
    """

    def __init__(self, model: nn.Module, family: Family) -> None:
        self.model = model
        self.family = family
        self.blocks = blocks_of(model, family)
        self._middles = [inner(block, family.middle, "middle") for block in self.blocks]
        self._norm = inner(model, family.norm, "norm")
        self._entry = inner(model, family.entry, "entry") or self.blocks[0]
        self.nodes = nodes_of(len(self.blocks), family.sublayers)
        self.in_use = PassLock()
        self._returned = ReturnedLengths()
        self._batched: Paths | None = None
        self._sublayers: tuple[SubLayer, ...] | None = None
        self._common: Mapping[Tap, int] = {}

    def run(self, inputs: Inputs) -> Tensor:
        """The model's own forward: final hidden states, after the final norm.

        Args:
            inputs: What the model's forward takes, each of shape ``(batch, …)``; numbers with a
                fraction are cast to the weights' dtype.

        Returns:
            Shape ``(batch, tokens, width)``.
        """
        dtype = floating_dtype(self.model)
        cast = {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}
        with self.in_use, self.padding_cleared(lambda: self.token_mask(inputs)):
            hidden = _hidden(self.model(**cast, **self.family.options))
        normed: Tensor = hidden if self._norm is None else self._norm(hidden)
        return normed

    def token_mask(self, inputs: Inputs) -> Tensor | None:
        """Which positions of the states are real, shape ``(batch, tokens)``; None if all are."""
        mask = inputs.get("attention_mask")
        if mask is None or self.family.inputs == "pixel_values":
            return None
        if self.family.inputs == "input_ids":
            return mask.bool()
        n_frames = int(getattr(self.model, FRAMES_OF_SAMPLES)(mask.shape[1]))
        frames: Tensor = getattr(self.model, FRAME_MASK)(n_frames, mask)
        return frames.bool()

    def module_path(self, node: Node) -> str:
        """Path of the module at whose input or output the node's state is found."""
        block = f"{self.family.blocks}.{node.block}"
        return f"{block}.{self.family.middle}" if node.place == "middle" else block

    def pass_start(self, node: int) -> int:
        """The node from which a pass has to run for the state at ``node`` to arise.

        It is ``node`` itself where the state there can be put in, else the input of its block.
        """
        is_reached = self.nodes[node].place != "middle" or self._starts_in_middles
        return node if is_reached else node - 1

    def sublayers(self, inputs: Callable[[], Inputs]) -> tuple[SubLayer, ...]:
        """What its sub-layers are made of; the model runs once to show it.

        Args:
            inputs: Gives made-up inputs of at least two examples, the first time.
        """
        if self._sublayers is not None:
            return self._sublayers
        with self.in_use:  # runs of other threads would be traced too
            if self._sublayers is None:
                given = inputs()
                trace = Trace(len(next(iter(given.values()))))
                with (
                    torch.no_grad(),
                    trace.watched(self.blocks),
                    self.visited(trace, range(len(self.nodes))),
                ):
                    self.run(given)
                sublayers = trace.sublayers(self.nodes)
                self._common = trace.common(sublayers)
                self._sublayers = sublayers
            return self._sublayers

    def n_common(self, tap: Tap) -> int:
        """Tokens that all examples share which a linear map reads beside theirs.

        Relative positions in DeBERTa with ``share_att_key``. What a module changes of the map it
        changes for them too, as other weights of the map would.

        Args:
            tap: One of a map that `sublayers` gave.
        """
        return self._common.get(tap, 0)

    @property
    def can_join(self) -> bool:
        """Whether examples may begin at different nodes of one pass.

        Not where something of all examples goes from block to block beside the states.
        """
        return self.family.returns is not Returns.SHARED and self.family.entry is None

    @contextmanager
    def visited(self, visitor: Visitor, nodes: Sequence[int]) -> Iterator[None]:
        """Let ``visitor`` see the states at ``nodes`` while the model runs; hooks go on leaving."""
        with self.in_use, ExitStack() as handles:
            for index in sorted(set(nodes)):
                self._hook(handles, visitor, self.nodes[index])
            yield

    @contextmanager
    def padding_cleared(self, mask: Callable[[], Tensor | None]) -> Iterator[None]:
        """Keep padded tokens zero where others read them, whatever was added to them.

        Args:
            mask: Gives, once a pass has begun, which of its tokens are real; see `token_mask`.
        """
        if self.family.entry is None:
            yield
            return

        def cleared(state: Tensor) -> Tensor:
            real = mask()
            return state if real is None else state * real.unsqueeze(-1)

        with self.in_use, input_changed(self._entry, cleared):
            yield

    @contextmanager
    def tapped(
        self, changes: Mapping[Tap, TapChange], reads: Mapping[Tap, TapRead]
    ) -> Iterator[None]:
        """Let modules inside sub-layers give, or read, something else while the model runs."""
        with self.in_use, ExitStack() as handles:
            for tap, read in reads.items():
                handles.enter_context(input_changed(self.tappable(tap), partial(read, tap)))
            for tap, change in changes.items():
                handles.enter_context(seen_changed(self.tappable(tap), partial(change, tap)))
            yield

    def tappable(self, tap: Tap) -> nn.Module:
        """The module inside a sub-layer."""
        return self.blocks[tap.sublayer // self.family.sublayers].get_submodule(tap.path)

    def tap_name(self, tap: Tap) -> str:
        """Path of the module in the whole model."""
        names: dict[int, str] = {id(each): name for name, each in self.model.named_modules()}
        return names[id(self.tappable(tap))]

    @contextmanager
    def started_at(self, node: int, state: Tensor) -> Iterator[None]:
        """Let forward passes begin with ``state`` at ``node``; what lies below is skipped.

        Args:
            node: One that is its own `pass_start`; the last one skips all blocks.
            state: Shape ``(batch, tokens, width)``.

        Raises:
            ValueError: If no pass can begin at ``node``.
        """
        with self.in_use, ExitStack() as handles:
            self._begin(handles, node, state)
            yield

    @contextmanager
    def joined_at(self, starts: Sequence[Start], inputs: Inputs) -> Iterator[None]:
        """Let forward passes begin with some examples' states and be joined by those of others.

        A block computes the examples that have begun before it or in its middle, and no others.

        Args:
            starts: By node, ascending; together as many examples as ``inputs``, in their order.
            inputs: What the pass will be run with.

        Raises:
            ValueError: If no pass can begin at a node, or none can be joined (`can_join`).
        """
        (node, state), *later = starts
        if later and not self.can_join:
            raise ValueError(f"a pass of {type(self.model).__name__} begins for all at one node")
        with self.in_use, ExitStack() as handles:
            if later and self._batched is None:
                self._batched = batched_paths(self, inputs)
            self._begin(handles, node, state)
            n_begun, block = len(state), node // self.family.sublayers
            for joining, joined in later:
                following = joining // self.family.sublayers
                self._narrow(handles, self.blocks[block:following], n_begun)
                self._join(handles, joining, joined, n_begun)
                n_begun, block = n_begun + len(joined), following
            yield

    @property
    def _starts_in_middles(self) -> bool:
        return self.can_join and self.family.holds in {Holds.STATE, Holds.UPDATE}

    def _begin(self, handles: ExitStack, node: int, state: Tensor) -> None:
        if self.pass_start(node) != node:
            raise ValueError(f"no pass of {type(self.model).__name__} begins at node {node}")
        place = self.nodes[node].place
        before = node - 1 if place == "middle" else node
        self._skip(handles, self.blocks[: before // self.family.sublayers], state)
        # Between two blocks a model may do more, so the state is put where it is read.
        self._at_boundary(handles, self.nodes[before], lambda _: state)
        middle = self._middles[self.nodes[node].block]
        if place == "middle" and middle is not None:
            stand_in = self._returned.stand_in(middle, self._at_middle(state))
            handles.enter_context(forward_replaced(middle, stand_in))

    def _join(self, handles: ExitStack, node: int, state: Tensor, n_begun: int) -> None:
        """Let examples begin behind ``n_begun`` others that have come this far."""
        place = self.nodes[node].place
        before = self.nodes[node - 1 if place == "middle" else node]
        self._at_boundary(handles, before, lambda begun: torch.cat([begun, state]))
        middle = self._middles[self.nodes[node].block]
        if place == "middle" and middle is not None:
            held, end = self._at_middle(state), n_begun + len(state)
            handles.enter_context(
                output_changed(middle, lambda out: torch.cat([out[:n_begun], held, out[end:]]))
            )

    def _at_middle(self, state: Tensor) -> Tensor:
        """What the middle's module gives where ``state`` flows on; the block's input is the same.

        Where the module gives an update, the sum of that input and of nothing is the state itself.
        """
        return state if self.family.holds is Holds.STATE else torch.zeros_like(state)

    def _narrow(self, handles: ExitStack, blocks: Sequence[nn.Module], n_examples: int) -> None:
        for block in blocks:
            handles.enter_context(narrowed(block, self._batched or frozenset(), n_examples))

    def _skip(self, handles: ExitStack, blocks: Sequence[nn.Module], state: Tensor) -> None:
        """Let ``blocks`` return something of the right shape without running."""
        returned: list[object] = [(state, None) if self.family.returns is Returns.PAIR else state]
        if self.family.returns is Returns.SHARED and blocks:
            handles.enter_context(output_kept(blocks[0], returned))
            blocks = blocks[1:]
        for block in blocks:
            handles.enter_context(forward_replaced(block, lambda *_, **__: returned[0]))

    def _at_boundary(self, handles: ExitStack, node: Node, change: Change) -> None:
        """Change a state between blocks where it is read, or the last one where it is given."""
        following = node.index // self.family.sublayers
        if following < len(self.blocks):
            reader = self.blocks[following] if following else self._entry
            handles.enter_context(input_changed(reader, change))
        else:
            handles.enter_context(output_changed(self.blocks[-1], change))

    def _hook(self, handles: ExitStack, visitor: Visitor, node: Node) -> None:
        middle = self._middles[node.block]
        if node.place == "middle" and middle is not None:
            block, hold = self.blocks[node.block], self.family.holds
            hook_middle(handles, visitor, node.index, block, middle, hold)
        else:
            self._at_boundary(handles, node, through(visitor, node.index))


def floating_dtype(model: nn.Module) -> torch.dtype:
    """The dtype of a model's first parameter that holds numbers with a fraction."""
    return next(p.dtype for p in model.parameters() if p.is_floating_point())


def _hidden(output: object) -> Tensor:
    """Final hidden states from whatever a model's forward returns."""
    hidden = getattr(output, "last_hidden_state", output)
    if isinstance(hidden, tuple):
        hidden = hidden[0]
    if not isinstance(hidden, Tensor):
        raise BackboneError(
            "the model's forward must give hidden states: a tensor, a tuple that begins with one, "
            f"or an object with last_hidden_state; it gave {type(output).__name__}"
        )
    return hidden
