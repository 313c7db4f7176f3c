"""What a visitor of the residual stream is, and the hooks that show it a state inside a block."""

from contextlib import ExitStack
from typing import Protocol

import torch
from torch import Tensor, nn

from placement_search.backbones.families import Holds
from placement_search.backbones.hooks import Change, input_changed, output_changed


class Visitor(Protocol):
    """What is told of the states on their way, and may add to them."""

    def addition(self, node: int, state: Tensor) -> Tensor | None:
        """What to add at ``node``, of the state's shape, or None for nothing."""

    def passed(self, node: int, state: Tensor) -> None:
        """Called with the state that flows on from ``node``, additions included."""


def through(visitor: Visitor, node: int) -> Change:
    """A state's way past ``visitor``."""

    def change(state: Tensor) -> Tensor:
        added = visitor.addition(node, state)
        after = state if added is None else state + added
        visitor.passed(node, after)
        return after

    return change


def hook_middle(
    handles: ExitStack,
    visitor: Visitor,
    node: int,
    block: nn.Module,
    middle: nn.Module,
    hold: Holds,
) -> None:
    """Show ``visitor`` the state between the two sub-layers of ``block``."""
    if hold is Holds.STATE:
        handles.enter_context(output_changed(middle, through(visitor, node)))
    elif hold is Holds.INPUT:
        _hook_input(handles, visitor, node, block, middle)
    else:
        _hook_update(handles, visitor, node, block, middle)


def _hook_update(
    handles: ExitStack, visitor: Visitor, node: int, block: nn.Module, middle: nn.Module
) -> None:
    """At a pre-norm middle the state is the block's input plus what its first half adds.

    Only the update can be changed, and it is: adding to it and then to the block's input is
    the sum that the block itself will form, so what `passed` sees is bitwise what flows on.
    """
    residual: list[Tensor] = []

    def keep(state: Tensor) -> Tensor:
        residual[:] = [state]
        return state

    def change(update: Tensor) -> Tensor:
        (before,) = residual
        added = visitor.addition(node, before + update)
        after = update if added is None else update + added
        visitor.passed(node, before + after)
        return after

    handles.enter_context(input_changed(block, keep))
    handles.enter_context(output_changed(middle, change))


def _hook_input(
    handles: ExitStack, visitor: Visitor, node: int, block: nn.Module, middle: nn.Module
) -> None:
    """Where only the second norm sees the state, the norm and the block's output get the addition.

    The block adds its second half to the state from before the norm, which no hook can reach, so
    the addition follows at the end of that sum.
    """
    additions: list[Tensor] = []

    def change(state: Tensor) -> Tensor:
        added = visitor.addition(node, state)
        additions[:] = [] if added is None else [added]
        after = state if added is None else state + added
        visitor.passed(node, after)
        return after

    handles.enter_context(input_changed(middle, change))
    handles.enter_context(output_changed(block, lambda state: _added(additions, state)))


def _added(additions: list[Tensor], state: Tensor) -> Tensor:
    """The state with the addition; examples that joined behind the block have none."""
    for addition in additions:
        n_begun = len(addition)
        begun = state[:n_begun] + addition
        state = begun if n_begun == len(state) else torch.cat([begun, state[n_begun:]])
    return state
