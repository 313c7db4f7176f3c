"""Adapters between the states of a residual stream, by plain forward hooks.

Written from the definition, and without the package's own way through a model, so that agreement
between the two means something. Hooks stay for the model's life, which is one trial.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from placement_search.layout import Connection, FirstPass, Kind, Layout


@dataclass(frozen=True, slots=True)
class Stream:
    """Where a kind of model keeps its residual stream.

    Args:
        blocks: Path of the list of blocks.
        attention: Path of the attention inside a block.
        is_state: Whether the attention gives the state between a block's halves, as in post-norm
            blocks; otherwise it gives what is added to the block's input.
        projections: Paths, inside a block, of the query's and the value's projection.
    """

    blocks: str
    attention: str
    is_state: bool
    projections: tuple[str, str]


STREAMS = {
    "vit": Stream(
        blocks="layers",
        attention="attention",
        is_state=False,
        projections=("attention.q_proj", "attention.v_proj"),
    ),
    "bert": Stream(
        blocks="encoder.layer",
        attention="attention",
        is_state=True,
        projections=("attention.self.query", "attention.self.value"),
    ),
}
"""By model type."""


def stream_of(model: nn.Module) -> Stream:
    """Where a base model keeps its residual stream.

    Raises:
        KeyError: If its type is not in `STREAMS`.
    """
    config: Any = model.config
    return STREAMS[config.model_type]


class HookedBackbone(nn.Module):
    """A backbone whose states adapters read and change; forward gives final hidden states.

    Args:
        model: A base model of a type in `STREAMS`.
        layout: Which states are read and changed.
        adapters: One module for each of the layout's connections, in their order.

    Raises:
        ValueError: If the layout wants an adapted first pass.
    """

    def __init__(self, model: nn.Module, layout: Layout, adapters: Sequence[nn.Module]) -> None:
        super().__init__()
        if layout.first_pass is not FirstPass.FROZEN:
            raise ValueError(f"the first pass is a bare one here, got {layout.notation}")
        self.model = model
        self.adapters = nn.ModuleList(adapters)
        self._wired = tuple(zip(layout.connections, adapters, strict=True))
        self._is_recurrent = layout.is_recurrent
        self._is_first_pass = False
        self._first: dict[int, Tensor] = {}
        self._states: dict[int, Tensor] = {}
        self._read = {c.source for c in layout.connections}
        self._register(self._read | {c.target for c in layout.connections})

    def forward(self, **inputs: Tensor) -> Tensor:
        """Final hidden states of shape ``(batch, tokens, width)``; the model runs twice if it must.

        Args:
            inputs: What the model's forward takes.
        """
        if self._is_recurrent:
            self._is_first_pass = True
            with torch.no_grad():
                self.model(**inputs)
            self._is_first_pass = False
            self._first, self._states = self._states, {}
        hidden: Tensor = self.model(**inputs).last_hidden_state
        self._first, self._states = {}, {}
        return hidden

    def _register(self, nodes: set[int]) -> None:
        stream = stream_of(self.model)
        blocks = list(self.model.get_submodule(stream.blocks).children())
        for index, block in enumerate(blocks):
            before, middle = 2 * index, 2 * index + 1
            if before in nodes:
                block.register_forward_pre_hook(self._between_blocks(before))
            if middle not in nodes:
                continue
            attention = block.get_submodule(stream.attention)
            if stream.is_state:
                attention.register_forward_hook(self._after_post_norm(middle))
            else:
                block_input: list[Tensor] = []
                block.register_forward_pre_hook(_kept(block_input))
                attention.register_forward_hook(self._after_update(middle, block_input))
        if 2 * len(blocks) in nodes:
            blocks[-1].register_forward_hook(self._after_last(2 * len(blocks)))

    def _between_blocks(self, node: int) -> Any:  # noqa: ANN401 - torch does not name hooks
        def hook(_module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            return self._changed(node, args[0]), *args[1:]

        return hook

    def _after_last(self, node: int) -> Any:  # noqa: ANN401
        def hook(_module: nn.Module, _args: object, output: Tensor) -> Tensor:
            return self._changed(node, output)

        return hook

    def _after_post_norm(self, node: int) -> Any:  # noqa: ANN401
        def hook(_module: nn.Module, _args: object, output: tuple[Any, ...]) -> tuple[Any, ...]:
            return self._changed(node, output[0]), *output[1:]

        return hook

    def _after_update(self, node: int, block_input: list[Tensor]) -> Any:  # noqa: ANN401
        def hook(_module: nn.Module, _args: object, output: tuple[Any, ...]) -> tuple[Any, ...]:
            state = block_input.pop() + output[0]
            added = self._added(node, state)
            self._keep(node, state if added is None else state + added)
            return (output[0] if added is None else output[0] + added), *output[1:]

        return hook

    def _changed(self, node: int, state: Tensor) -> Tensor:
        added = self._added(node, state)
        changed = state if added is None else state + added
        self._keep(node, changed)
        return changed

    def _keep(self, node: int, state: Tensor) -> None:
        if node in self._read:
            self._states[node] = state

    def _added(self, node: int, state: Tensor) -> Tensor | None:
        """The sum of all additions at a node, from its state before any; None without any."""
        if self._is_first_pass:
            return None
        total: Tensor | None = None
        for connection, adapter in self._wired:
            if connection.target == node:
                added: Tensor = adapter(self._source_state(connection, state))
                total = added if total is None else total + added
        return total

    def _source_state(self, connection: Connection, state: Tensor) -> Tensor:
        if connection.kind is Kind.SEQUENTIAL:
            return state
        is_back = connection.kind is Kind.RECURRENT
        return (self._first if is_back else self._states)[connection.source]


def _kept(into: list[Tensor]) -> Any:  # noqa: ANN401
    """A hook that keeps a module's first argument as the only entry of a list."""

    def hook(_module: nn.Module, args: tuple[Any, ...]) -> None:
        into[:] = [args[0]]

    return hook
