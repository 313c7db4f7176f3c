"""A Hugging Face model as a residual graph: its nodes, and a way to pass through them.

With L blocks of two sub-layers there are 2L+1 nodes. Node 0 is the input of the first block, node
2l+1 the state between the sub-layers of block l, node 2l+2 the output of block l. The model's own
forward runs unchanged; hooks that live as long as a ``with`` block see and change the states.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from torch import Tensor, nn

from placement_search.backbones.families import Family, Holds
from placement_search.errors import BackboneError


class Visitor(Protocol):
    """What is told of the states on their way, and may add to them."""

    def addition(self, node: int, state: Tensor) -> Tensor | None:
        """What to add at ``node``, of the state's shape, or None for nothing."""

    def passed(self, node: int, state: Tensor) -> None:
        """Called with the state that flows on from ``node``, additions included."""


@dataclass(frozen=True, slots=True)
class Node:
    """A state of the residual stream and where it is found.

    Args:
        index: Its number, from 0.
        block: The block whose input, middle or output it is.
        place: ``input``, ``middle`` or ``output`` of that block.
    """

    index: int
    block: int
    place: str

    @property
    def title(self) -> str:
        """The node in words, e.g. ``block 3, after attention``."""
        words = {"input": "embeddings", "middle": "after attention", "output": "after MLP"}
        where = words[self.place]
        return where if self.place == "input" else f"block {self.block}, {where}"


def nodes_of(n_blocks: int) -> tuple[Node, ...]:
    """The 2L+1 nodes of a backbone of ``n_blocks`` blocks with two sub-layers each."""
    inner = [
        Node(2 * block + 1 + half, block, place)
        for block in range(n_blocks)
        for half, place in enumerate(("middle", "output"))
    ]
    return (Node(0, 0, "input"), *inner)


class ResidualGraph:
    """The residual stream of one model.

    Args:
        model: A base model of ``transformers``, without task head.
        family: Where this kind of model keeps its residual stream.

    Raises:
        BackboneError: If the model has no list of blocks, or a block no middle, where the family
            says.
    """

    def __init__(self, model: nn.Module, family: Family) -> None:
        self.model = model
        self.family = family
        self.blocks = _blocks(model, family)
        self._middles = [block.get_submodule(family.middle) for block in self.blocks]
        self.nodes = nodes_of(len(self.blocks))

    def module_path(self, node: Node) -> str:
        """Path of the module at whose input or output the node's state is found."""
        block = f"{self.family.blocks}.{node.block}"
        return f"{block}.{self.family.middle}" if node.place == "middle" else block

    def sublayer_into(self, node: Node) -> str:
        """The sub-layer whose addition makes the node's state, e.g. ``block 3, attention``."""
        names = {"input": "none", "middle": "attention", "output": "MLP"}
        name = names[node.place]
        return name if node.place == "input" else f"block {node.block}, {name}"

    @contextmanager
    def visited(self, visitor: Visitor, nodes: Sequence[int]) -> Iterator[None]:
        """Let ``visitor`` see the states at ``nodes`` while the model runs; hooks go on leaving."""
        with ExitStack() as handles:
            for index in sorted(set(nodes)):
                self._hook(handles, visitor, self.nodes[index])
            yield

    @contextmanager
    def started_at(self, node: int, state: Tensor) -> Iterator[None]:
        """Let forward passes begin with ``state`` at an even ``node``; blocks below are skipped.

        Args:
            node: Input of the first block that is to run, or the last node for none.
            state: Shape ``(batch, tokens, width)``.

        Raises:
            ValueError: If ``node`` lies in the middle of a block.
        """
        if node % 2:
            raise ValueError(f"a pass starts between blocks, at an even node; got {node}")

        with ExitStack() as handles:
            if node == 0:
                handles.enter_context(_input_changed(self.blocks[0], lambda _: state))
            for block in self.blocks[: node // 2]:
                handles.enter_context(_passed_over(block, state))
            yield

    def _hook(self, handles: ExitStack, visitor: Visitor, node: Node) -> None:
        def through(state: Tensor) -> Tensor:
            added = visitor.addition(node.index, state)
            after = state if added is None else state + added
            visitor.passed(node.index, after)
            return after

        block = self.blocks[node.block]
        if node.place == "input":
            handles.enter_context(_input_changed(block, through))
        elif node.place == "output":
            handles.enter_context(_output_changed(block, through))
        elif self.family.holds is Holds.STATE:
            handles.enter_context(_output_changed(self._middles[node.block], through))
        else:
            self._hook_update(handles, visitor, node)

    def _hook_update(self, handles: ExitStack, visitor: Visitor, node: Node) -> None:
        """At a pre-norm middle the state is the block's input plus what its first half adds.

        Only the update can be changed, and it is: adding to it and then to the block's input is
        the sum that the block itself will form, so what `passed` sees is bitwise what flows on.
        """
        residual: list[Tensor] = []

        def keep(state: Tensor) -> Tensor:
            residual[:] = [state]
            return state

        def through(update: Tensor) -> Tensor:
            (before,) = residual
            added = visitor.addition(node.index, before + update)
            after = update if added is None else update + added
            visitor.passed(node.index, before + after)
            return after

        handles.enter_context(_input_changed(self.blocks[node.block], keep))
        handles.enter_context(_output_changed(self._middles[node.block], through))


def _blocks(model: nn.Module, family: Family) -> list[nn.Module]:
    name = type(model).__name__
    try:
        blocks = list(model.get_submodule(family.blocks).children())
        for block in blocks:
            block.get_submodule(family.middle)
    except AttributeError as error:
        raise BackboneError(
            f"{name} has no {family.blocks!r} with a {family.middle!r} in each block: {error}"
        ) from error
    if not blocks:
        raise BackboneError(f"{name} has an empty list of blocks at {family.blocks!r}")
    return blocks


@contextmanager
def _input_changed(block: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Pass a block's hidden states, its first argument, through ``change``."""

    def hook(
        _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        return args, {**kwargs, "hidden_states": change(kwargs["hidden_states"])}

    handle = block.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _output_changed(module: nn.Module, change: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Pass a module's output, or the first of several, through ``change``."""

    def hook(_module: nn.Module, _args: object, output: object) -> object:
        if isinstance(output, tuple):
            return (change(output[0]), *output[1:])
        return change(output)  # type: ignore[arg-type]

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def _passed_over(block: nn.Module, state: Tensor) -> Iterator[None]:
    """Let a block give ``state`` without running.

    An instance attribute hides the class's ``forward``, so the block keeps its place, its index
    and its other attributes, which some models read; a shorter list of blocks would not.
    """

    def forward(*_args: object, **_kwargs: object) -> Tensor:
        return state

    object.__setattr__(block, "forward", forward)
    try:
        yield
    finally:
        object.__delattr__(block, "forward")
