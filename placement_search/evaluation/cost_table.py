"""The prices of modules and passes on one backbone, from which a layout's costs are predicted."""

from collections.abc import Sequence
from functools import partial

import torch

from placement_search.adapted.model import AdaptedBackbone
from placement_search.adapted.states import bare_states
from placement_search.backbones.graph import Inputs
from placement_search.evaluation.cost import count_flops, flops_of, measure_latency_factor
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Connection, Layout, ModuleSpec
from placement_search.modules import build_module, count_parameters
from placement_search.space.cost_table import CostTable, Price

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
    single = [Layout((Connection(0, 1, module),)) for module in modules]
    return CostTable(
        modules=tuple(modules),
        parameters=Price(tuple(count_parameters(layout, places) for layout in single)),
        n_bytes=_byte_price(bench, modules),
        flops=_flop_price(bench, modules),
        latency=latency,
    )


def latency_price(bench: Workbench, modules: Sequence[ModuleSpec]) -> Price:
    """Measured time that modules and a first pass add, relative to the bare backbone's pass.

    A module is timed at every sub-layer at once, since one alone adds less than the clock's noise.
    """
    last = bench.backbone.n_nodes - 1
    each = [_module_latency(bench, module) for module in modules]
    recurrent = _factor(bench, Layout((Connection(last, 0, modules[0]),)))
    first_pass = round(max(0.0, recurrent - 1 - each[0]), 6)
    return Price(tuple(each), fixed=1.0, first_pass=(first_pass,) * (last + 1))


def _module_latency(bench: Workbench, module: ModuleSpec) -> float:
    targets = range(1, bench.backbone.n_nodes)
    layout = Layout(tuple(Connection(target - 1, target, module) for target in targets))
    return round(max(0.0, (_factor(bench, layout) - 1) / len(targets)), 6)


def _factor(bench: Workbench, layout: Layout) -> float:
    return measure_latency_factor(_fresh(bench, layout), bench.first(N_TIMED))


def _fresh(bench: Workbench, layout: Layout) -> AdaptedBackbone:
    """With the family's own pooling, which costs what any other does, and so needs no probe."""
    model = AdaptedBackbone(bench.backbone, layout, bench.task.n_outputs)
    return model.eval()


def _byte_price(bench: Workbench, modules: Sequence[ModuleSpec]) -> Price:
    head = _fresh(bench, Layout()).head
    built = [build_module(module, bench.backbone.places.at(0, 1)) for module in modules]
    return Price(tuple(_n_bytes(module) for module in built), fixed=_n_bytes(head))


def _n_bytes(module: torch.nn.Module) -> int:
    return sum(t.numel() * t.element_size() for t in module.state_dict().values())


def _flop_price(bench: Workbench, modules: Sequence[ModuleSpec]) -> Price:
    example = bench.first(1)
    (state,) = bare_states(bench.backbone, example, [0]).values()
    probe = torch.zeros(state.shape, device=state.device)
    place = bench.backbone.places.at(0, 1)
    built = [build_module(module, place).to(state.device) for module in modules]
    each = [flops_of(partial(module, probe)) for module in built]
    bare = count_flops(_fresh(bench, Layout()), example)
    return Price(tuple(each), fixed=bare, first_pass=_first_passes(bench, example))


def _first_passes(bench: Workbench, example: Inputs) -> tuple[int, ...]:
    """Operations of a frozen first pass up to each node."""
    n_nodes = bench.backbone.n_nodes
    ends = [_first_pass(bench, example, node) for node in (0, n_nodes - 1)]
    if ends[0] == ends[1]:
        return (ends[0],) * n_nodes
    return tuple(_first_pass(bench, example, node) for node in range(n_nodes))


def _first_pass(bench: Workbench, example: Inputs, node: int) -> int:
    return flops_of(lambda: bare_states(bench.backbone, example, [node]))
