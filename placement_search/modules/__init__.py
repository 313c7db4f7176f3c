"""The module types: one file each, one line each in the table below."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import nn

from placement_search import layout as notation
from placement_search.layout import Layout, ModuleSpec, ModuleTypes
from placement_search.module_type import ModuleType, Scalar
from placement_search.modules import bottleneck


class ModuleEntry(NamedTuple):
    """A type's description and what builds it from complete settings and a width."""

    type: ModuleType
    build: Callable[[Mapping[str, Scalar], int], nn.Module]


MODULES: Mapping[str, ModuleEntry] = {
    "bottleneck": ModuleEntry(bottleneck.TYPE, bottleneck.Bottleneck),
}

MODULE_TYPES: ModuleTypes = {name: entry.type for name, entry in MODULES.items()}


def parse_layout(text: str) -> Layout:
    """Read a layout's one-line notation with the module types of this table.

    Raises:
        LayoutError: Naming the part that does not fit the notation or a type's rules.
    """
    return notation.parse_layout(text, MODULE_TYPES)


def build_module(spec: ModuleSpec, width: int) -> nn.Module:
    """The trainable function of a connection, on the CPU in float32.

    Draws its initial values from torch's global generator.
    """
    entry = MODULES[spec.type]
    return entry.build(entry.type.complete(spec.settings), width)


def count_parameters(layout: Layout, width: int) -> int:
    """Trainable parameters of a layout's modules, the head left out, by formula."""
    return sum(
        entry.type.count(entry.type.complete(c.module.settings), width)
        for c in layout.connections
        for entry in (MODULES[c.module.type],)
    )


def build_modules(layout: Layout, width: int, seed: int) -> list[nn.Module]:
    """The modules of a layout in its order, from one seed; global random state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [build_module(c.module, width) for c in layout.connections]
