"""Whether a description fits its model: tried on made-up inputs before anything relies on it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor

from placement_search.backbones.graph import ResidualGraph
from placement_search.backbones.middles import check_middle, misfit
from placement_search.backbones.nodes import Node

Inputs = Mapping[str, Tensor]

MISFITS = (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError)
"""What a model raises when it is run in a way that it was not made for."""


def check_described(graph: ResidualGraph, inputs: Inputs) -> int:
    """Check that states are where the family says, and that what is added to them arrives.

    Args:
        graph: The model, in evaluation mode, with the family that describes it.
        inputs: Made-up inputs of at least two examples.

    Returns:
        Channels of the residual stream.

    Raises:
        BackboneError: Naming the key of the description that is at fault.
    """
    with _blaming("inputs or options", "the model does not run on made-up inputs"):
        order, hidden = _order(graph, inputs)
    if order != list(range(len(graph.blocks))):
        raise misfit("blocks", f"blocks must run once each, in order; they ran in order {order}")
    states = _check_states(graph, inputs, hidden)
    check_middle(graph, inputs, states)
    _check_starts(graph, inputs, states, hidden)
    _check_causality(graph, inputs)
    return int(hidden.shape[-1])


@contextmanager
def _blaming(key: str, reason: str) -> Iterator[None]:
    try:
        yield
    except MISFITS as error:
        raise misfit(key, f"{reason}: {error}") from error


@torch.no_grad()
def _order(graph: ResidualGraph, inputs: Inputs) -> tuple[list[int], Tensor]:
    """The blocks as they run, and the final states."""
    order: list[int] = []
    with ExitStack() as handles:
        for index, block in enumerate(graph.blocks):
            handle = block.register_forward_pre_hook(lambda *_, index=index: order.append(index))
            handles.callback(handle.remove)
        hidden = graph.run(inputs)
    return order, hidden


class _Nothing:
    """A visitor that adds zeros, keeps states, and knows how much the zeros would matter."""

    def __init__(self) -> None:
        self.states: dict[int, Tensor] = {}
        self.zeros: dict[int, Tensor] = {}

    def addition(self, node: int, state: Tensor) -> Tensor:
        self.zeros[node] = torch.zeros_like(state).requires_grad_()
        return self.zeros[node]

    def passed(self, node: int, state: Tensor) -> None:
        self.states[node] = state.detach()


def _check_states(graph: ResidualGraph, inputs: Inputs, hidden: Tensor) -> dict[int, Tensor]:
    """The state at every node, each of the final ones' shape and with a way to the end."""
    visitor = _Nothing()
    with (
        _blaming("middle or holds", "states can't be added to"),
        torch.enable_grad(),
        graph.visited(visitor, range(len(graph.nodes))),
    ):
        end = graph.run(inputs)
    for node in graph.nodes:
        _check_state(node, visitor.states.get(node.index), hidden)
    gradients = _gradients(end, [visitor.zeros[node.index] for node in graph.nodes])
    for node, gradient in zip(graph.nodes, gradients, strict=True):
        if not gradient.any():
            raise misfit(_key(node), f"an addition at {_named(node)} changes nothing")
    return visitor.states


def _gradients(end: Tensor, zeros: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Of a random weighing of final states, since a norm makes their plain sum constant."""
    weights = torch.randn(end.shape, generator=torch.Generator().manual_seed(0)).to(end)
    # The second term keeps a graph where nothing reaches the end.
    total = (end * weights).sum() + 0 * zeros[0].sum()
    return torch.autograd.grad(total, zeros, retain_graph=True, materialize_grads=True)


def _check_causality(graph: ResidualGraph, inputs: Inputs) -> None:
    """Check that tokens see those after them only where the family says so.

    What a causal mask hides has a gradient of exactly zero. Where no token sees another one, either
    description is true.
    """
    visitor = _Nothing()
    with torch.enable_grad(), graph.visited(visitor, (0,)):
        end = graph.run(inputs)
    (of_first,) = _gradients(end[:, :1], [visitor.zeros[0]])
    (of_last,) = _gradients(end[:, -1:], [visitor.zeros[0]])
    sees_later, sees_earlier = bool(of_first[:, 1:].any()), bool(of_last[:, :-1].any())
    if graph.family.is_causal and sees_later:
        raise misfit("is_causal", "true is said, but tokens see those after them; say false")
    if not graph.family.is_causal and sees_earlier and not sees_later:
        raise misfit("is_causal", "tokens see none of those after them; say true")


def _check_state(node: Node, state: Tensor | None, hidden: Tensor) -> None:
    if state is None:
        raise misfit(_key(node), f"no state is passed at {_named(node)}")
    shape, wanted = tuple(state.shape), tuple(hidden.shape)
    if shape != wanted or len(wanted) != 3:
        raise misfit(
            _key(node),
            f"states have the final ones' shape (batch, tokens, width), {wanted}; "
            f"at {_named(node)} it is {shape}",
        )


def _key(node: Node) -> str:
    return "middle" if node.place == "middle" else "blocks"


def _named(node: Node) -> str:
    return f"node {node.index} ({node.title})"


@torch.no_grad()
def _check_starts(
    graph: ResidualGraph, inputs: Inputs, states: Mapping[int, Tensor], hidden: Tensor
) -> None:
    """Check that a pass may begin before the second block, inside it, and behind the last."""
    second = graph.family.sublayers
    for node in {
        second,
        graph.pass_start(min(second + 1, len(graph.nodes) - 1)),
        len(graph.nodes) - 1,
    }:
        with (
            _blaming("returns", f"passes can't start at node {node}"),
            graph.started_at(node, states[node]),
        ):
            again = graph.run(inputs)
        if not torch.allclose(again, hidden, rtol=1e-3, atol=1e-4 * float(hidden.abs().max())):
            raise misfit(
                "returns", f"a pass from the state at node {node} ends elsewhere than a whole one"
            )
