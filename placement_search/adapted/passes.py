"""One pass of the backbone for several layouts at once, each on examples of its own.

The examples of all members lie behind each other in one batch. A member's examples enter the pass
at its start node, by their frozen states, and its adapters see and change its own rows alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from placement_search.adapted.states import widened
from placement_search.backbones.graph import Inputs, ResidualGraph
from placement_search.backbones.hooks import called_with
from placement_search.backbones.sublayers import Tap
from placement_search.layout import Connection, Kind
from placement_search.modules.contract import ConnectionModule, InsideModule, StateModule

States = Mapping[int, Tensor]
Wired = tuple[tuple[Connection, ConnectionModule], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """A layout on its way through a pass.

    Args:
        inputs: Of its examples, each of shape ``(batch, …)``, the same for all members.
        wired: Its connections with their modules.
        start: Where its examples enter, by ``known``; None where the whole backbone runs.
        known: States that are there before the pass, by node, each ``(batch, tokens, width)``.
        first: What its recurrent connections read.
        keep: Nodes whose states are asked for afterwards.
    """

    inputs: Inputs
    wired: Wired
    start: int | None
    known: States
    first: States
    keep: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class Passed:
    """What a pass gives one member.

    Args:
        hidden: Final states after the backbone's last norm, ``(batch, tokens, width)``.
        states: The states that it asked to keep, by node.
    """

    hidden: Tensor
    states: States


def run_pass(graph: ResidualGraph, members: Sequence[Member]) -> list[Passed]:
    """Run the backbone once for all members.

    Or for each by itself, where a module of theirs changes what all examples of a pass share.

    Args:
        graph: The backbone.
        members: At least one; either all of them have a start or none has.

    Returns:
        In the order of ``members``.
    """
    order = sorted(range(len(members)), key=lambda index: members[index].start or 0)
    injections = [
        _Injection(member, graph.token_mask(member.inputs))
        for member in (members[index] for index in order)
    ]
    if len(members) > 1 and any(each.has_common(graph) for each in injections):
        return [passed for member in members for passed in run_pass(graph, [member])]
    inputs = _joined([members[index].inputs for index in order])
    n_examples = len(next(iter(members[0].inputs.values())))
    together = _Together(injections, n_examples)
    nodes = {node for each in injections for node in each.nodes}
    with ExitStack() as stack:
        starts = [
            (each.start, each.reads[each.start]) for each in injections if each.start is not None
        ]
        if starts:
            stack.enter_context(graph.joined_at(_merged(starts), inputs))
        taps = {tap for each in injections for tap in each.taps}
        reads = {tap for each in injections for tap in each.rereads}
        stack.enter_context(
            graph.tapped(
                dict.fromkeys(taps, together.tapped), dict.fromkeys(reads, together.reread)
            )
        )
        # After the taps: the state at a node is what flows on, and a tapped norm may give it.
        stack.enter_context(graph.visited(together, sorted(nodes)))
        hidden = graph.run(inputs)
    passed = dict(zip(order, together.rows(hidden), strict=True))
    seen = dict(zip(order, injections, strict=True))
    return [
        Passed(passed[index], {node: seen[index].reads[node] for node in member.keep})
        for index, member in enumerate(members)
    ]


@contextmanager
def attached_pass(graph: ResidualGraph, wired: Wired) -> Iterator[None]:
    """Let passes of the backbone carry one layout, which has no recurrent connections."""
    injection = _Injection(Member({}, wired, None, {}, {}), None)

    def read_mask(inputs: Inputs) -> None:
        injection.mask = graph.token_mask(inputs)

    with (
        called_with(graph.model, read_mask),
        graph.tapped(
            dict.fromkeys(injection.taps, injection.tapped),
            dict.fromkeys(injection.rereads, injection.reread),
        ),
        graph.visited(injection, injection.nodes),
        # Behind the visits, since what is added at node 0 is cleared as well.
        graph.padding_cleared(lambda: injection.mask),
    ):
        yield


def _joined(inputs: Sequence[Inputs]) -> Inputs:
    if len(inputs) == 1:
        return inputs[0]
    return {name: torch.cat([each[name] for each in inputs]) for name in inputs[0]}


def _merged(starts: Sequence[tuple[int, Tensor]]) -> list[tuple[int, Tensor]]:
    """One start for each node, ascending as they come."""
    nodes = dict.fromkeys(node for node, _ in starts)
    grouped = {node: [state for other, state in starts if other == node] for node in nodes}
    return [
        (node, torch.cat(found) if len(found) > 1 else found[0]) for node, found in grouped.items()
    ]


class _Together:
    """Shows each member its own rows of a state, and puts together what they add."""

    def __init__(self, injections: Sequence["_Injection"], n_examples: int) -> None:
        self._injections = injections
        self._n_examples = n_examples

    def rows(self, state: Tensor) -> tuple[Tensor, ...]:
        """The rows of each member that has begun.

        A single member, too, has a view of the state: gradients from several readers of one state
        are then summed in the same order alone and in company.
        """
        return torch.split(state, self._n_examples)

    def addition(self, node: int, state: Tensor) -> Tensor | None:
        """What all members add."""
        own = self.rows(state)
        added = [
            each.addition(node, rows) for each, rows in zip(self._injections, own, strict=False)
        ]
        if all(each is None for each in added):
            return None
        filled = [
            torch.zeros_like(rows) if each is None else each
            for each, rows in zip(added, own, strict=True)
        ]
        return torch.cat(filled) if len(filled) > 1 else filled[0]

    def tapped(self, tap: Tap, given: Tensor, output: Tensor) -> Tensor:
        """What a module inside a sub-layer gives, changed by each member in its own rows."""
        parts = zip(self._injections, self.rows(given), self.rows(output), strict=False)
        changed = [
            each.tapped(tap, read, gave) if tap in each.taps else gave for each, read, gave in parts
        ]
        return torch.cat(changed) if len(changed) > 1 else changed[0]

    def reread(self, tap: Tap, given: Tensor) -> Tensor:
        """What a map inside a sub-layer reads, changed by each member in its own rows."""
        parts = zip(self._injections, self.rows(given), strict=False)
        changed = [each.reread(tap, read) if tap in each.rereads else read for each, read in parts]
        return torch.cat(changed) if len(changed) > 1 else changed[0]

    def passed(self, node: int, state: Tensor) -> None:
        """Let each member keep what it reads later."""
        if any(node in each.kept for each in self._injections):
            for each, rows in zip(self._injections, self.rows(state), strict=False):
                each.passed(node, rows)


class _Injection:
    """One member's adapters at the nodes of a pass: what is read later, and what is added."""

    def __init__(self, member: Member, mask: Tensor | None) -> None:
        self.start = member.start
        self.reads = dict(member.known)
        self.mask = mask
        self.taps: dict[Tap, list[InsideModule]] = {}
        self.rereads: dict[Tap, list[InsideModule]] = {}
        self._first = member.first
        self._by_target: dict[int, list[tuple[Connection, StateModule]]] = {}
        for connection, module in member.wired:
            if isinstance(module, InsideModule):
                for path in module.paths:
                    self.taps.setdefault(Tap(connection.source, path), []).append(module)
                for path in module.reads:
                    self.rereads.setdefault(Tap(connection.source, path), []).append(module)
            else:
                adding = cast("StateModule", module)
                self._by_target.setdefault(connection.target, []).append((connection, adding))
        forward = {Kind.PARALLEL, Kind.LONG_RANGE}
        added = [c for each in self._by_target.values() for c, _ in each]
        self.kept = member.keep | {c.source for c in added if c.kind in forward}

    @property
    def nodes(self) -> list[int]:
        """The nodes that have to be visited for it."""
        return [node for node in self.kept | self._by_target.keys() if node >= (self.start or 0)]

    def has_common(self, graph: ResidualGraph) -> bool:
        """Whether it changes a map that reads something for all examples of a pass at once."""
        return any(graph.n_common(tap) for tap in (*self.taps, *self.rereads))

    def addition(self, node: int, state: Tensor) -> Tensor | None:
        """The sum of what all connections into ``node`` add."""
        added = [
            module(widened(self._read(connection, state)), self.mask)
            for connection, module in self._by_target.get(node, ())
        ]
        if not added:
            return None
        total = torch.stack(added).sum(0) if len(added) > 1 else added[0]
        return total.to(state.dtype)

    def tapped(self, tap: Tap, given: Tensor, output: Tensor) -> Tensor:
        """A module's output with what all connections around its sub-layer make of it."""
        changed = widened(output)
        for module in self.taps[tap]:
            changed = module.changed(tap.path, widened(given), changed)
        return changed.to(output.dtype)

    def reread(self, tap: Tap, given: Tensor) -> Tensor:
        """What a map reads with what all connections around its sub-layer make of it."""
        changed = widened(given)
        for module in self.rereads[tap]:
            changed = module.reread(tap.path, changed)
        return changed.to(given.dtype)

    def passed(self, node: int, state: Tensor) -> None:
        """Keep a state that a later node or the second pass reads.

        Rows may be there before their start, in the block whose middle it is.
        """
        if node in self.kept and node >= (self.start or 0):
            self.reads[node] = state

    def _read(self, connection: Connection, state: Tensor) -> Tensor:
        if connection.kind is Kind.SEQUENTIAL:
            return state
        return (self._first if connection.kind is Kind.RECURRENT else self.reads)[connection.source]
