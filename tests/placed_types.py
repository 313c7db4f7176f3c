"""Module types that mind their place: one works in attention alone, one shares a projection."""

import pytest
import torch
from torch import Tensor, nn

from placement_search.layout import Layout, ModuleTypes
from placement_search.module_type import ModuleType, Setting, Settings
from placement_search.modules import MODULE_TYPES, MODULES, bottleneck
from placement_search.modules.contract import InsideModule, StateModule
from placement_search.modules.entry import ModuleEntry
from placement_search.places import Linear, Place, Places, SubLayer

RANK = {"rank": Setting(4, "width", minimum=1, is_always_written=True)}


def _count_inner(settings: Settings, place: Place) -> int:
    assert place.sublayer is not None, "counted where it does not fit"
    return int(settings["rank"]) * sum(each.n_in + each.n_out for each in place.sublayer.linears)


def _misfit_inner(settings: Settings, place: Place) -> str:
    del settings
    if place.sublayer is None:
        return "has to go around one sub-layer"
    return "" if place.sublayer.kind == "attention" else "works in attention alone"


INNER = ModuleType("inner", RANK, _count_inner, misfit=_misfit_inner, is_inside=True)
COMMON = ModuleType(
    "common",
    RANK,
    count=lambda _settings, place: place.width,
    count_shared=lambda settings, width: int(settings["rank"]) * width,
)
TYPES: ModuleTypes = {"bottleneck": bottleneck.TYPE, "inner": INNER, "common": COMMON}


def places_of(n_blocks: int, width: int) -> Places:
    """Blocks of attention and MLP; the last one's attention has fewer keys and values."""
    sublayers = []
    for block in range(n_blocks):
        inner = width // 4 if block == n_blocks - 1 else width
        attention = tuple(
            Linear(name, width, inner, has_bias=True, is_first=True) for name in ("q", "k", "v")
        )
        mlp = (
            Linear("up", width, 4 * width, has_bias=True, is_first=True),
            Linear("down", 4 * width, width, has_bias=True),
        )
        sublayers.append(SubLayer(block, "attention", attention, "norm_1"))
        sublayers.append(SubLayer(block, "MLP", mlp, "norm_2"))
    return Places(width, sublayers=tuple(sublayers))


def misfits(layout: Layout, places: Places) -> list[str]:
    """The connections whose modules do not fit, asked one by one."""
    return [
        c.notation
        for c in layout.connections
        if TYPES[c.module.type].misfit(
            TYPES[c.module.type].complete(c.module.settings), places.at(c.source, c.target)
        )
    ]


def counted(layout: Layout, places: Places) -> int:
    """Parameters of a layout: each connection at its place, and what each module shares once."""
    own = sum(
        TYPES[c.module.type].count(
            TYPES[c.module.type].complete(c.module.settings), places.at(c.source, c.target)
        )
        for c in layout.connections
    )
    return own + sum(
        TYPES[m.type].count_shared(TYPES[m.type].complete(m.settings), places.width)
        for m in {c.module for c in layout.connections}
    )


class Inner(InsideModule):
    """A low-rank addition to every linear map, and a factor on the norm that adds no parameters."""

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__()
        sublayer = place.sublayer
        assert sublayer is not None, "built where it does not fit"
        rank = int(settings["rank"])
        self.names = {each.path: str(index) for index, each in enumerate(sublayer.linears)}
        self.downs = nn.ModuleDict()
        self.ups = nn.ModuleDict()
        for each in sublayer.linears:
            self.downs[self.names[each.path]] = nn.Linear(each.n_in, rank, bias=False)
            self.ups[self.names[each.path]] = nn.Linear(rank, each.n_out, bias=False)
        self.paths = [*self.names, *([sublayer.norm] if sublayer.norm else [])]

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """See `InsideModule`."""
        if path not in self.names:
            # As many operations as the norm's width, so that its size is seen.
            return output + 0 * (output @ output.transpose(-1, -2)) @ given
        name = self.names[path]
        added: Tensor = self.ups[name](self.downs[name](given))
        return output + added


class Common(StateModule):
    """A projection that all share, and a vector of its own."""

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__()
        self.projection = nn.Parameter(torch.randn(int(settings["rank"]), place.width))
        self.vector = nn.Parameter(torch.zeros(place.width))

    def share_with(self, first: "Common") -> None:
        """One projection for all."""
        self.projection = first.projection

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`."""
        del mask
        return self.vector * ((states @ self.projection.T) @ self.projection)


ENTRIES = {"inner": ModuleEntry(INNER, Inner), "common": ModuleEntry(COMMON, Common)}


def add_to_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the package know both types while a test runs."""
    for name, entry in ENTRIES.items():
        monkeypatch.setitem(MODULES, name, entry)
        monkeypatch.setitem(MODULE_TYPES, name, entry.type)
