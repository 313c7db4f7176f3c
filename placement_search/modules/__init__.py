"""The module types: one file each, one line each in the table below."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from placement_search import layout as notation
from placement_search.errors import LayoutError
from placement_search.layout import Connection, Layout, ModuleSpec, ModuleTypes
from placement_search.modules import (
    adamix,
    adapter_bias,
    arc,
    arc_inside,
    bottleneck,
    hadamard,
    lora,
    tiny_attention,
)
from placement_search.modules.contract import ConnectionModule
from placement_search.modules.entry import ModuleEntry
from placement_search.modules.options import with_options
from placement_search.modules.tied import is_tied, tied
from placement_search.places import Place, Places

_ENTRIES: Mapping[str, ModuleEntry] = {
    "adamix": ModuleEntry(adamix.TYPE, adamix.AdaMix),
    "adapter_bias": ModuleEntry(adapter_bias.TYPE, adapter_bias.AdapterBias),
    "arc": ModuleEntry(arc.TYPE, arc.Arc),
    "arc_inside": ModuleEntry(arc_inside.TYPE, arc_inside.ArcInside),
    "bottleneck": ModuleEntry(bottleneck.TYPE, bottleneck.Bottleneck),
    "hadamard": ModuleEntry(hadamard.TYPE, hadamard.Hadamard),
    "lora": ModuleEntry(lora.TYPE, lora.Lora),
    "tiny_attention": ModuleEntry(tiny_attention.TYPE, tiny_attention.TinyAttention),
}
MODULES: Mapping[str, ModuleEntry] = {
    name: tied(entry) for name, entry in with_options(_ENTRIES).items()
}

MODULE_TYPES: ModuleTypes = {name: entry.type for name, entry in MODULES.items()}


def parse_layout(text: str) -> Layout:
    """Read a layout's one-line notation with the module types of this table.

    Raises:
        LayoutError: Naming the part that does not fit the notation or a type's rules.
    """
    return notation.parse_layout(text, MODULE_TYPES)


def is_inside(connection: Connection) -> bool:
    """Whether a connection works inside the sub-layer that it goes around."""
    return MODULE_TYPES[connection.module.type].is_inside


def check_places(layout: Layout, places: Places) -> None:
    """Check that every module of a layout can work where it is.

    Raises:
        LayoutError: Naming each connection whose module can't, and why.
    """
    mistakes = []
    for connection in layout.connections:
        kind = MODULE_TYPES[connection.module.type]
        place = places.at(connection.source, connection.target)
        if reason := kind.misfit(kind.complete(connection.module.settings), place):
            mistakes.append(f"{connection.notation} {reason}")
    if mistakes:
        raise LayoutError("; ".join(mistakes))


def build_module(spec: ModuleSpec, place: Place) -> ConnectionModule:
    """The trainable function of a connection, on the CPU in float32.

    Draws its initial values from torch's global generator.
    """
    entry = MODULES[spec.type]
    return entry.build(entry.type.complete(spec.settings), place)


def count_parameters(layout: Layout, places: Places) -> int:
    """Trainable parameters of a layout's modules, the head left out, by formula."""
    total = 0
    for connection in layout.connections:
        kind = MODULE_TYPES[connection.module.type]
        settings = kind.complete(connection.module.settings)
        total += kind.count(settings, places.at(connection.source, connection.target))
    for spec in {connection.module for connection in layout.connections}:
        kind = MODULE_TYPES[spec.type]
        total += kind.count_shared(kind.complete(spec.settings), places.width)
    return total


def build_modules(layout: Layout, places: Places, seed: int) -> list[ConnectionModule]:
    """The modules of a layout in its order, from one seed; global random state stays as it was.

    Modules of one type and settings share what their type says is shared; tied ones are one module,
    which then stands in the list several times.
    """
    first: dict[ModuleSpec, ConnectionModule] = {}
    built: list[ConnectionModule] = []
    with torch.random.fork_rng(devices=[]):
        # Not `torch.manual_seed`, which would seed accelerators too, and nothing is drawn there.
        torch.default_generator.manual_seed(seed)
        for c in layout.connections:
            module = build_module(c.module, places.at(c.source, c.target))
            leader = first.setdefault(c.module, module)
            module.share_with(leader)
            built.append(leader if is_tied(c.module) else module)
    return built


def distinct_state(model: nn.Module) -> dict[str, Tensor]:
    """A model's state with what several modules share under its first name alone."""
    held = model.state_dict(keep_vars=True)
    first = {id(tensor): name for name, tensor in reversed(held.items())}
    kept = set(first.values())
    return {name: tensor for name, tensor in model.state_dict().items() if name in kept}
