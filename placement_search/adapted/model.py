"""A backbone with a layout attached: ``h[j] <- h[j] + A(h[i])`` for each connection.

A sequential connection reads its node before any addition there, every other one after the
additions. With recurrent connections the backbone runs twice: the first pass gives the states that
they read, the second adds what they make of them.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from placement_search.adapted.states import bare_states, pooled, widened
from placement_search.backbones.families import Pooling
from placement_search.backbones.graph import ResidualGraph
from placement_search.backbones.loading import Backbone
from placement_search.layout import Connection, FirstPass, Kind, Layout
from placement_search.modules import build_modules

States = Mapping[int, Tensor]
Inputs = Mapping[str, Tensor]
Wired = tuple[tuple[Connection, nn.Module], ...]


def start_node(layout: Layout, graph: ResidualGraph) -> int:
    """The node between blocks from which a pass has to run; below it the backbone is bare.

    It is the lowest target, or the input of its block where that target lies in the middle of
    one; the last node for a layout without connections.
    """
    last = len(graph.nodes) - 1
    return graph.block_start(min((c.target for c in layout.connections), default=last))


def needed_nodes(layout: Layout, graph: ResidualGraph) -> frozenset[int]:
    """The nodes whose frozen states an evaluation from `start_node` reads, first pass included."""
    start = start_node(layout, graph)
    needed = {start} | {c.source for c in layout.connections if c.source < start}
    read_back = {c.source for c in layout.connections if c.kind is Kind.RECURRENT}
    if layout.first_pass is FirstPass.FROZEN:
        return frozenset(needed | read_back)
    once = layout.without_recurrent()
    bare = {source for source in read_back if source < start_node(once, graph)}
    return frozenset(needed | bare) | needed_nodes(once, graph)


class AdaptedBackbone(nn.Module):
    """A backbone with a layout attached and a linear head; its parameters are the trainable ones.

    The backbone is borrowed: hooks exist while a forward pass runs and not after it, and none of
    its parameters appears in ``parameters()`` or ``state_dict()``. Freshly built, the adapters add
    exactly zero and the head gives zero logits.

    Args:
        backbone: The frozen backbone.
        layout: What to attach.
        n_outputs: Width of the head.
        seed: Fixes the adapters' initial values.
        pooling: How tokens become one feature; None for the family's own way.

    Adapters and head are float32 whatever the backbone's dtype is: states are widened before an
    adapter reads them, and what it adds is rounded to the states' dtype.

    Raises:
        LayoutError: If the layout reaches beyond the last node.
    """

    def __init__(
        self,
        backbone: Backbone,
        layout: Layout,
        n_outputs: int,
        *,
        seed: int = 0,
        pooling: Pooling | None = None,
    ) -> None:
        super().__init__()
        layout.check_nodes(backbone.n_nodes)
        self.backbone = backbone
        self.layout = layout
        self.pooling = pooling or backbone.poolings[0]
        self.adapters = nn.ModuleList(build_modules(layout, backbone.width, seed))
        # Plain construction would draw from the global generator, for values that no one uses.
        self.head = skip_init(nn.Linear, backbone.width, n_outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.to(backbone.device)

    def forward(self, inputs: Inputs, states: States | None = None) -> Tensor:
        """Logits of shape ``(batch, n_outputs)``.

        Args:
            inputs: What the backbone's own forward takes, each of shape ``(batch, …)``.
            states: Frozen states of the same examples at `needed_nodes`, each of shape
                ``(batch, tokens, width)``; the pass then starts at `start_node`. None runs it all.
        """
        hidden = self.hidden_states(inputs, states)
        mask = self.backbone.graph.token_mask(inputs)
        logits: Tensor = self.head(pooled(hidden, mask, self.pooling))
        return logits

    def hidden_states(self, inputs: Inputs, states: States | None = None) -> Tensor:
        """Final hidden states after the backbone's last norm, shape ``(batch, tokens, width)``."""
        wired = tuple(zip(self.layout.connections, self.adapters, strict=True))
        first = self._first_pass(inputs, states, wired)
        start = None if states is None else start_node(self.layout, self.backbone.graph)
        return self._pass(inputs, _Injection(wired, first, states or {}), start)

    @contextmanager
    def attached(self) -> Iterator[nn.Module]:
        """The backbone's own model with this layout in its forward, for code that calls it.

        Raises:
            ValueError: If the layout is recurrent: one call of the model can't run it twice.
        """
        if self.layout.is_recurrent:
            raise ValueError(f"{self.layout.notation} needs two passes; call the adapted backbone")
        wired = tuple(zip(self.layout.connections, self.adapters, strict=True))
        injection = _Injection(wired, {}, {})
        with self.backbone.graph.visited(injection, injection.nodes(0)):
            yield self.backbone.graph.model

    def _first_pass(self, inputs: Inputs, states: States | None, wired: Wired) -> States:
        """What recurrent connections read, by node; empty for a layout without them."""
        sources = {c.source for c, _ in wired if c.kind is Kind.RECURRENT}
        if not sources:
            return {}
        if self.layout.first_pass is FirstPass.ADAPTED:
            forward = tuple((c, m) for c, m in wired if c.kind is not Kind.RECURRENT)
            once = self.layout.without_recurrent()
            start = None if states is None else start_node(once, self.backbone.graph)
            injection = _Injection(forward, {}, states or {}, keep=frozenset(sources))
            self._pass(inputs, injection, start)
            return {source: injection.reads[source] for source in sources}
        return bare_states(self.backbone, inputs, sources) if states is None else states

    def _pass(self, inputs: Inputs, injection: "_Injection", start: int | None) -> Tensor:
        graph = self.backbone.graph
        with ExitStack() as stack:
            if start is not None:
                stack.enter_context(graph.started_at(start, injection.reads[start]))
            stack.enter_context(graph.visited(injection, injection.nodes(start or 0)))
            return graph.run(inputs)


class _Injection:
    """Visits the nodes of one pass: keeps what is read later, adds what the adapters give."""

    def __init__(
        self, wired: Wired, first: States, known: States, *, keep: frozenset[int] = frozenset()
    ) -> None:
        self.first = first
        self.reads = dict(known)
        self.kept = keep | {
            c.source for c, _ in wired if c.kind in {Kind.PARALLEL, Kind.LONG_RANGE}
        }
        self.by_target: dict[int, list[tuple[Connection, nn.Module]]] = {}
        for connection, module in wired:
            self.by_target.setdefault(connection.target, []).append((connection, module))

    def nodes(self, start: int) -> list[int]:
        """The nodes from ``start`` on that have to be visited."""
        return [node for node in self.kept | self.by_target.keys() if node >= start]

    def addition(self, node: int, state: Tensor) -> Tensor | None:
        """The sum of what all connections into ``node`` add."""
        added = [
            module(widened(self._read(connection, state)))
            for connection, module in self.by_target.get(node, ())
        ]
        if not added:
            return None
        total = torch.stack(added).sum(0) if len(added) > 1 else added[0]
        return total.to(state.dtype)

    def passed(self, node: int, state: Tensor) -> None:
        """Keep a state that a later node or the second pass reads."""
        if node in self.kept:
            self.reads[node] = state

    def _read(self, connection: Connection, state: Tensor) -> Tensor:
        if connection.kind is Kind.SEQUENTIAL:
            return state
        return (self.first if connection.kind is Kind.RECURRENT else self.reads)[connection.source]
