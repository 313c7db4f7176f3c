"""Whether the middle of a block is where a description says, by the definition of a state.

A state is all that flows on: what follows the middle depends on nothing else. So the first block
runs with its input and its middle changed in ways that leave the state alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from placement_search.backbones.families import Holds
from placement_search.backbones.graph import ResidualGraph
from placement_search.backbones.hooks import input_changed, output_changed
from placement_search.errors import BackboneError

TOLERANCE = 0.05
"""Of the change that a wrong description makes; half precision rounds to a tenth of it."""


def misfit(key: str, reason: str) -> BackboneError:
    """The error that blames a key of the description."""
    return BackboneError(f"the family's description does not fit the model, {key}: {reason}")


@torch.no_grad()
def check_middle(
    graph: ResidualGraph, inputs: Mapping[str, Tensor], states: Mapping[int, Tensor]
) -> None:
    """Check that the middle lies between two sub-layers, and that `holds` says what is there.

    Args:
        graph: The model with the family that describes it.
        inputs: Made-up inputs of at least two examples.
        states: Of the bare model by node, each of shape ``(batch, tokens, width)``.

    Raises:
        BackboneError: Naming the key at fault.
    """
    path, holds = graph.family.middle, graph.family.holds
    if path is None:
        return
    if torch.equal(states[1], states[0]):
        raise misfit("middle", f"{path!r} lies before the first addition of its block")
    if torch.equal(states[1], states[2]):
        raise misfit("middle", f"{path!r} lies behind the last addition of its block")
    shift = states[0].flip(0)
    bare = _run_block(graph, inputs)
    moved = _run_block(graph, inputs, shift, bare.middle_output)
    depends = (moved.output - bare.output).norm()
    if holds is Holds.STATE:
        if depends > 0:
            raise misfit("holds", f"state is said, but states flow past {path!r}; try update")
        return
    if depends == 0:
        raise misfit("holds", f"{holds} is said, but states flow only through {path!r}; try state")
    if not _is_middle(graph, inputs, holds, shift, bare, moved):
        raise misfit(
            "middle or holds",
            f"with holds: {holds}, {path!r} does not carry the state between two sub-layers; see "
            "what the block's forward adds to its hidden states first",
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """What the first block did; each of shape ``(batch, tokens, width)`` in a fitting family."""

    middle_input: Tensor
    middle_output: Tensor
    output: Tensor


def _is_middle(
    graph: ResidualGraph,
    inputs: Mapping[str, Tensor],
    holds: Holds,
    shift: Tensor,
    bare: _Run,
    moved: _Run,
) -> bool:
    """Whether what follows sees nothing but the state that `holds` defines."""
    if holds is Holds.UPDATE:
        # The sum of input and update stays, so the output has to.
        kept = _run_block(graph, inputs, shift, bare.middle_output - shift)
        error = kept.output - bare.output
    else:
        # The norm's output stays, so the second update does, and the output moves with the state.
        error = (moved.output - moved.middle_input) - (bare.output - bare.middle_input)
    return bool(error.norm() < TOLERANCE * (moved.output - bare.output).norm())


def _run_block(
    graph: ResidualGraph,
    inputs: Mapping[str, Tensor],
    shift: Tensor | None = None,
    fixed: Tensor | None = None,
) -> _Run:
    """Run with the first block's input shifted, and what its middle gives replaced."""
    block = graph.blocks[0]
    middle = block.get_submodule(graph.family.middle or "")
    seen: dict[str, Tensor] = {}

    def keep(name: str, state: Tensor) -> Tensor:
        seen[name] = state
        return state

    with (
        input_changed(block, lambda state: state if shift is None else state + shift),
        input_changed(middle, lambda state: keep("input", state)),
        output_changed(middle, lambda output: keep("output", output if fixed is None else fixed)),
        output_changed(block, lambda state: keep("end", state)),
    ):
        graph.run(inputs)
    return _Run(seen["input"], seen["output"], seen["end"])
