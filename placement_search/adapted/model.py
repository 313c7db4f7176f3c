"""A backbone with a layout attached: ``h[j] <- h[j] + A(h[i])`` for each connection.

A sequential connection reads its node before any addition there, every other one after the
additions. With recurrent connections the backbone runs twice: the first pass gives the states that
they read, the second adds what they make of them.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from placement_search.adapted.batches import check_padding, n_examples
from placement_search.adapted.passes import Member, States, Wired, attached_pass, run_pass
from placement_search.adapted.states import bare_states, pooled
from placement_search.backbones.families import Pooling
from placement_search.backbones.graph import Inputs, ResidualGraph
from placement_search.backbones.loading import Backbone
from placement_search.layout import FirstPass, Kind, Layout
from placement_search.modules import build_modules, check_places, is_inside
from placement_search.modules.contract import ConnectionModule


def start_node(layout: Layout, graph: ResidualGraph) -> int:
    """The node from which a pass has to run; below it the backbone is bare.

    It is the lowest target, or source of what works inside a sub-layer; the input of its block
    where no pass can begin there; the last node for a layout without connections.
    """
    last = len(graph.nodes) - 1
    entered = (c.source if is_inside(c) else c.target for c in layout.connections)
    return graph.pass_start(min(entered, default=last))


def needed_nodes(layout: Layout, graph: ResidualGraph) -> frozenset[int]:
    """The nodes whose frozen states an evaluation from `start_node` reads, first pass included."""
    (nodes,) = nodes_together([layout], graph)
    return nodes


def nodes_together(layouts: Sequence[Layout], graph: ResidualGraph) -> list[frozenset[int]]:
    """The nodes whose frozen states `logits_together` reads, of each layout's examples."""
    carried = _with_adapted_first_pass(layouts)
    once = [layouts[index].without_recurrent() for index in carried]
    first_starts = dict(zip(carried, _starts(once, graph), strict=True))
    return [
        _entered(layout, start) | _read_first(layout, first_starts.get(index))
        for index, (layout, start) in enumerate(zip(layouts, _starts(layouts, graph), strict=True))
    ]


def _entered(layout: Layout, start: int) -> frozenset[int]:
    """What a pass that begins at ``start`` can't make itself."""
    added = (c for c in layout.connections if not is_inside(c))
    below = (c.source for c in added if c.kind is not Kind.RECURRENT)
    return frozenset({start, *(source for source in below if source < start)})


def _read_first(layout: Layout, first_start: int | None) -> frozenset[int]:
    """What recurrent connections read, or what the pass that makes it for them needs."""
    sources = _read_back(layout)
    if first_start is None:
        return sources
    bare = {source for source in sources if source < first_start}
    return frozenset(bare) | _entered(layout.without_recurrent(), first_start)


def _starts(layouts: Sequence[Layout], graph: ResidualGraph) -> list[int]:
    """Where each layout's examples enter a pass: all at the lowest node where none can join."""
    starts = [start_node(layout, graph) for layout in layouts]
    return starts if graph.can_join else [min(starts, default=0)] * len(starts)


def _with_adapted_first_pass(layouts: Sequence[Layout]) -> list[int]:
    return [i for i, layout in enumerate(layouts) if layout.first_pass is FirstPass.ADAPTED]


def _read_back(layout: Layout) -> frozenset[int]:
    return frozenset(c.source for c in layout.connections if c.kind is Kind.RECURRENT)


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

    Attributes:
        drop_lowest: How many of the layout's lowest targets may lose their connections in a pass
            in training mode; see `drawn`.

    Raises:
        LayoutError: If the layout reaches beyond the last node, or a module can't work where it is.
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
        places = backbone.places
        check_places(layout, places)
        self.backbone = backbone
        self.layout = layout
        self.pooling = pooling or backbone.poolings[0]
        self.adapters = nn.ModuleList(build_modules(layout, places, seed))
        # Plain construction would draw from the global generator, for values that no one uses.
        self.head = skip_init(nn.Linear, backbone.width, n_outputs)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.drop_lowest = 0
        # Its own, as of modules that draw; drawn itself, so that nothing else has these numbers.
        self._drops = torch.Generator().manual_seed(seed)
        self._drops.manual_seed(int(torch.randint(2**62, (), generator=self._drops)))
        self.to(backbone.device)

    def reseed(self, seed: int) -> None:
        """Begin anew what trainings draw: dropped targets and routes; weights stay."""
        generator = torch.Generator().manual_seed(seed)
        self._drops.manual_seed(int(torch.randint(2**62, (), generator=generator)))
        for module in self.adapters.modules():
            if isinstance(module, ConnectionModule):
                module.reseed(int(torch.randint(2**62, (), generator=generator)))

    def forward(self, inputs: Inputs, states: States | None = None) -> Tensor:
        """Logits of shape ``(batch, n_outputs)``.

        Args:
            inputs: What the backbone's own forward takes, each of shape ``(batch, …)``.
            states: Frozen states of the same examples at `needed_nodes`, each of shape
                ``(batch, tokens, width)``; the pass then starts at `start_node`. None runs it all.

        Raises:
            TaskError: If texts are not padded on the right; not checked where there are states.
        """
        if states is None:
            check_padding(inputs)
        (logits,) = logits_together([self], [Examples(inputs, states)])
        return logits

    def hidden_states(self, inputs: Inputs, states: States | None = None) -> Tensor:
        """Final hidden states after the backbone's last norm, shape ``(batch, tokens, width)``.

        Takes and refuses what `forward` does.
        """
        if states is None:
            check_padding(inputs)
        (hidden,) = _hidden_together([self], [Examples(inputs, states)])
        return hidden

    @property
    def wired(self) -> Wired:
        """The connections with their modules."""
        modules = cast("Iterable[ConnectionModule]", self.adapters)
        return tuple(zip(self.layout.connections, modules, strict=True))

    def drawn(self, n_examples: int) -> Wired:
        """The connections that the next run carries, with their modules as they are drawn for it.

        All of them but in training mode with `drop_lowest` above 0: then those into the lowest n
        targets are left out, with n drawn uniformly from 0 to `drop_lowest`, or to the number of
        targets where there are fewer. AdapterDrop's robust form (Rücklé et al. 2021, arXiv
        2010.11918).

        Args:
            n_examples: That the run sees.
        """
        dropped = self._dropped_targets()
        kept = ((c, module) for c, module in self.wired if c.target not in dropped)
        return tuple((c, module.drawn(n_examples)) for c, module in kept)

    def _dropped_targets(self) -> tuple[int, ...]:
        if not (self.training and self.drop_lowest):
            return ()
        targets = self.layout.targets
        most = min(self.drop_lowest, len(targets))
        return targets[: int(torch.randint(most + 1, (), generator=self._drops))]

    @contextmanager
    def attached(self) -> Iterator[nn.Module]:
        """The backbone's own model with this layout in its forward, for code that calls it.

        Raises:
            ValueError: If the layout is recurrent: one call of the model can't run it twice.
        """
        if self.layout.is_recurrent:
            raise ValueError(f"{self.layout.notation} needs two passes; call the adapted backbone")
        with attached_pass(self.backbone.graph, self.wired):
            yield self.backbone.graph.model


class Examples(NamedTuple):
    """Examples that one model sees.

    Args:
        inputs: See `AdaptedBackbone.forward`.
        states: See there.
    """

    inputs: Inputs
    states: States | None


def logits_together(
    models: Sequence[AdaptedBackbone], examples: Sequence[Examples]
) -> list[Tensor]:
    """What each model gives for its examples, from passes that all of them share.

    No model's logits depend on the others. In float32 on CPUs they are the same bits alone and in
    company, as far as the library's matrix products treat each row alike whatever their number.

    Args:
        models: On one backbone.
        examples: Of each model; as many for each, of one length, and all with states or none.

    Returns:
        For each model, shape ``(batch, n_outputs)``.
    """
    graph = models[0].backbone.graph
    return [
        model.head(pooled(hidden, graph.token_mask(each.inputs), model.pooling))
        for model, each, hidden in zip(
            models, examples, _hidden_together(models, examples), strict=True
        )
    ]


def _hidden_together(
    models: Sequence[AdaptedBackbone], examples: Sequence[Examples]
) -> list[Tensor]:
    graph = models[0].backbone.graph
    # Once for both passes of a recurrent layout.
    runs = zip(models, examples, strict=True)
    carried = [model.drawn(n_examples(each.inputs)) for model, each in runs]
    firsts = _first_passes(models, examples, carried)
    starts = _starts([model.layout for model in models], graph)
    members = [
        Member(each.inputs, wired, *_entry(each.states, start), first=first)
        for wired, each, first, start in zip(carried, examples, firsts, starts, strict=True)
    ]
    return [passed.hidden for passed in run_pass(graph, members)]


def _entry(states: States | None, start: int) -> tuple[int | None, States]:
    return (None, {}) if states is None else (start, states)


def _first_passes(
    models: Sequence[AdaptedBackbone], examples: Sequence[Examples], wired: Sequence[Wired]
) -> list[States]:
    """By model the states that its recurrent connections read; ``wired`` is what each carries."""
    firsts = [_frozen_first(model, each) for model, each in zip(models, examples, strict=True)]
    carried = _with_adapted_first_pass([model.layout for model in models])
    if not carried:
        return firsts
    graph = models[0].backbone.graph
    starts = _starts([models[i].layout.without_recurrent() for i in carried], graph)
    members = [
        Member(
            examples[i].inputs,
            tuple((c, m) for c, m in wired[i] if c.kind is not Kind.RECURRENT),
            *_entry(examples[i].states, start),
            first={},
            keep=_read_back(models[i].layout),
        )
        for i, start in zip(carried, starts, strict=True)
    ]
    for i, passed in zip(carried, run_pass(graph, members), strict=True):
        firsts[i] = passed.states
    return firsts


def _frozen_first(model: AdaptedBackbone, examples: Examples) -> States:
    sources = _read_back(model.layout)
    if not sources or model.layout.first_pass is FirstPass.ADAPTED:
        return {}
    if examples.states is not None:
        return examples.states
    return bare_states(model.backbone, examples.inputs, sources)
