"""The prices of modules and passes on one backbone, from which a layout's costs are predicted."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from placement_search.adapted.model import AdaptedBackbone
from placement_search.adapted.states import bare_states
from placement_search.backbones.graph import Inputs
from placement_search.backbones.loading import Backbone
from placement_search.backbones.sublayers import Tap
from placement_search.evaluation.cost import count_flops, flops_of, measure_latency_factor
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Connection, Layout, ModuleSpec
from placement_search.modules import MODULE_TYPES, build_module, distinct_state
from placement_search.modules.contract import ConnectionModule, InsideModule, StateModule
from placement_search.modules.tied import is_tied
from placement_search.places import Place
from placement_search.space.cost_table import CostTable, Price
from placement_search.space.module_choices import parameter_price
from placement_search.space.place_classes import PlaceClasses, place_classes

N_TIMED = 32
"""Examples in a pass that is timed."""


def cost_table(
    bench: Workbench, modules: Sequence[ModuleSpec], latency: Price | None = None
) -> CostTable:
    """What layouts of these modules cost on a bench's backbone; nothing is trained.

    Args:
        bench: Backbone and data.
        modules: The modules, in the order that prices are to have.
        latency: What `latency_price` measured; None leaves latency out.
    """
    places = bench.backbone.places
    classes = _classes(bench, modules)
    return CostTable(
        modules=tuple(modules),
        parameters=parameter_price(modules, MODULE_TYPES, places, classes),
        n_bytes=_byte_price(bench, modules, classes),
        flops=_flop_price(bench, modules, classes),
        latency=latency and latency.everywhere(len(classes.examples)),
        classes=classes,
    )


def _classes(bench: Workbench, modules: Sequence[ModuleSpec]) -> PlaceClasses:
    backbone = bench.backbone
    return place_classes(modules, MODULE_TYPES, backbone.places, backbone.n_nodes)


def latency_price(bench: Workbench, modules: Sequence[ModuleSpec]) -> Price:
    """Measured time that modules and a first pass add, relative to the bare backbone's pass.

    A module takes as long at one place as at another, and is timed at every sub-layer that it fits
    at once, since one alone adds less than the clock's noise.
    """
    n_nodes, classes = bench.backbone.n_nodes, _classes(bench, modules)
    each = [_module_latency(bench, module, classes) for module in modules]
    back = n_nodes - 1, 0
    recurrent = [n for n, module in enumerate(modules) if not classes.misfit(module, back)]
    first_pass = 0.0
    if recurrent:
        number = recurrent[0]
        factor = _factor(bench, Layout((Connection(*back, modules[number]),)))
        first_pass = round(max(0.0, factor - 1 - each[number]), 6)
    return Price(tuple(each), fixed=1.0, first_pass=(first_pass,) * n_nodes)


def _module_latency(bench: Workbench, module: ModuleSpec, classes: PlaceClasses) -> float:
    parallel = [(node - 1, node) for node in range(1, bench.backbone.n_nodes)]
    elsewhere = [classes.examples[number] for number in classes.fitting(module)]
    pairs = [pair for pair in parallel if not classes.misfit(module, pair)] or elsewhere
    if not pairs:
        return 0.0
    layout = Layout(tuple(Connection(*pair, module) for pair in pairs))
    added = _factor(bench, layout) - 1
    return round(max(0.0, added / len(pairs)), 6)


def _factor(bench: Workbench, layout: Layout) -> float:
    return measure_latency_factor(_fresh(bench, layout), bench.first(N_TIMED))


def _fresh(bench: Workbench, layout: Layout) -> AdaptedBackbone:
    """With the family's own pooling, which costs what any other does, and so needs no probe."""
    model = AdaptedBackbone(bench.backbone, layout, bench.task.n_outputs)
    return model.eval()


def _byte_price(bench: Workbench, modules: Sequence[ModuleSpec], classes: PlaceClasses) -> Price:
    """Of two connections with one module, what is not the second one's own is shared."""
    places = bench.backbone.places
    each: list[int] = []
    shared = [0] * len(modules)
    for pair in classes.examples:
        for number, module in enumerate(modules):
            if classes.misfit(module, pair):
                each.append(0)
                continue
            first, second = (_built(module, places.at(*pair)) for _ in range(2))
            if is_tied(module):
                second = first
            second.share_with(first)
            alone, both = (_n_bytes(nn.ModuleList(built)) for built in ([first], [first, second]))
            each.append(both - alone)
            shared[number] = alone - each[-1]
    head = _fresh(bench, Layout()).head
    return Price(tuple(each), fixed=_n_bytes(head), shared=tuple(shared) if any(shared) else ())


def _built(spec: ModuleSpec, place: Place) -> ConnectionModule:
    """A module, with global random state as it was."""
    with torch.random.fork_rng(devices=[]):
        return build_module(spec, place)


def _n_bytes(module: nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in distinct_state(module).values())


def _flop_price(bench: Workbench, modules: Sequence[ModuleSpec], classes: PlaceClasses) -> Price:
    example = bench.first(1)
    (state,) = bare_states(bench.backbone, example, [0]).values()
    probe = torch.zeros(state.shape, device=state.device)
    mask = bench.backbone.graph.token_mask(example)
    each = [
        0
        if classes.misfit(module, pair)
        else _module_flops(bench.backbone, Connection(*pair, module), probe, mask)
        for pair in classes.examples
        for module in modules
    ]
    bare = count_flops(_fresh(bench, Layout()), example)
    return Price(tuple(each), fixed=bare, first_pass=_first_passes(bench, example))


def _module_flops(
    backbone: Backbone, connection: Connection, probe: Tensor, mask: Tensor | None
) -> int:
    """Operations of one connection on states such as ``probe``, or on what its maps would see."""
    spec, source = connection.module, connection.source
    place = backbone.places.at(source, connection.target)
    module = _built(spec, place).to(probe.device).eval()
    if isinstance(module, StateModule):
        return flops_of(lambda: module(probe, mask))
    if not isinstance(module, InsideModule):
        raise TypeError(f"{spec.notation} is neither a state module nor one inside a sub-layer")
    linears = place.sublayer.linears if place.sublayer else ()
    sizes = {linear.path: (linear.n_in, linear.n_out) for linear in linears}

    def seen(path: str, n_channels: int) -> list[Tensor]:
        """The tokens of an example, and those beside that all examples share."""
        n_common = backbone.graph.n_common(Tap(source, path))
        shapes = [probe.shape[:-1], *([(1, n_common)] if n_common else [])]
        return [probe.new_zeros(*shape, n_channels) for shape in shapes]

    def run() -> None:
        for path in module.paths:
            # A norm reads and gives the stream's width.
            n_in, n_out = sizes.get(path, (place.width, place.width))
            for given, output in zip(seen(path, n_in), seen(path, n_out), strict=True):
                module.changed(path, given, output)
        for path in module.reads:
            for given in seen(path, sizes[path][0]):
                module.reread(path, given)

    return flops_of(run)


def _first_passes(bench: Workbench, example: Inputs) -> tuple[int, ...]:
    """Operations of a frozen first pass up to each node."""
    n_nodes = bench.backbone.n_nodes
    ends = [_first_pass(bench, example, node) for node in (0, n_nodes - 1)]
    if ends[0] == ends[1]:
        return (ends[0],) * n_nodes
    return tuple(_first_pass(bench, example, node) for node in range(n_nodes))


def _first_pass(bench: Workbench, example: Inputs, node: int) -> int:
    return flops_of(lambda: bare_states(bench.backbone, example, [node]))
