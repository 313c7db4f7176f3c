"""A Hugging Face model as a residual graph: its nodes, and a way to pass through them.

With L blocks of two sub-layers there are 2L+1 nodes. Node 0 is the input of the first block, node
2l+1 the state between the sub-layers of block l, node 2l+2 what the next block reads, or the last
gives. Fused blocks have one sub-layer, and node l+1 follows block l. The model's own forward runs
unchanged; hooks that live as long as a ``with`` block see and change the states.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from placement_search.backbones.families import Family, Returns
from placement_search.backbones.hooks import (
    Change,
    forward_replaced,
    input_changed,
    output_changed,
    output_kept,
)
from placement_search.backbones.nodes import Node, nodes_of
from placement_search.backbones.parts import blocks_of, inner
from placement_search.backbones.visits import Visitor, hook_middle, through
from placement_search.errors import BackboneError

__all__ = ["Node", "ResidualGraph", "Visitor", "nodes_of"]

Inputs = Mapping[str, Tensor]

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
        with self._padding_cleared(inputs):
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

    def sublayer_into(self, node: Node) -> str:
        """The sub-layer whose addition makes the node's state, e.g. ``block 3, attention``."""
        return node.sublayer

    def block_start(self, node: int) -> int:
        """The node from which a pass has to run for the state at ``node`` to arise.

        It is the input of its block for a state in the middle of one, and else ``node`` itself.
        """
        return node - 1 if self.nodes[node].place == "middle" else node

    @contextmanager
    def visited(self, visitor: Visitor, nodes: Sequence[int]) -> Iterator[None]:
        """Let ``visitor`` see the states at ``nodes`` while the model runs; hooks go on leaving."""
        with ExitStack() as handles:
            for index in sorted(set(nodes)):
                self._hook(handles, visitor, self.nodes[index])
            yield

    @contextmanager
    def started_at(self, node: int, state: Tensor) -> Iterator[None]:
        """Let forward passes begin with ``state`` at ``node``; blocks below are skipped.

        Args:
            node: Between two blocks: the input of the first that is to run, or the last node for
                none.
            state: Shape ``(batch, tokens, width)``.

        Raises:
            ValueError: If ``node`` lies in the middle of a block.
        """
        if self.block_start(node) != node:
            raise ValueError(f"a pass starts between blocks; node {node} lies in the middle of one")

        with ExitStack() as handles:
            self._skip(handles, self.blocks[: node // self.family.sublayers], state)
            # Between two blocks a model may do more, so the state is put where it is read.
            self._at_boundary(handles, self.nodes[node], lambda _: state)
            yield

    @contextmanager
    def _padding_cleared(self, inputs: Inputs) -> Iterator[None]:
        """Keep padded tokens zero where others read them, whatever was added to them."""
        mask = None if self.family.entry is None else self.token_mask(inputs)
        if mask is None:
            yield
            return
        with input_changed(self._entry, lambda state: state * mask.unsqueeze(-1)):
            yield

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
