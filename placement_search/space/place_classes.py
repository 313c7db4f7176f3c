"""Where modules can be, and which places are alike: all modules fit the same and cost the same.

Most modules can be anywhere and cost the same everywhere; then there is one class. Those that work
inside a sub-layer fit some places alone, and their costs depend on the sub-layer.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field

from placement_search.layout import ModuleSpec, ModuleTypes
from placement_search.places import Place, Places
from placement_search.space.node_names import Pair


@dataclass(frozen=True, slots=True)
class PlaceClasses:
    """The places of a backbone, sorted by what modules can be there and what they cost.

    Args:
        examples: One place of each class, the first of it, by the class's number.
        numbers: The classes of all places that are not of class 0.
        misfits: By module, the places where it can't be, each with the reason in words that follow
            the connection's notation; modules that can be anywhere are left out.
    """

    examples: tuple[Pair, ...] = ((0, 0),)
    numbers: Mapping[Pair, int] = field(default_factory=dict, hash=False)
    misfits: Mapping[ModuleSpec, Mapping[Pair, str]] = field(default_factory=dict, hash=False)

    def misfit(self, module: ModuleSpec, pair: Pair) -> str:
        """Why a module can't be at a place; empty where it can."""
        return self.misfits[module].get(pair, "") if module in self.misfits else ""

    def fitting(self, module: ModuleSpec) -> list[int]:
        """The classes of places where a module can be."""
        pairs = enumerate(self.examples)
        return [number for number, pair in pairs if not self.misfit(module, pair)]


def misfit(module: ModuleSpec, types: ModuleTypes, place: Place) -> str:
    """Why a module can't be at a place; empty where it can."""
    kind = types[module.type]
    return kind.misfit(kind.complete(module.settings), place)


def place_classes(
    modules: Sequence[ModuleSpec], types: ModuleTypes, places: Places, n_nodes: int
) -> PlaceClasses:
    """The classes of a backbone's places, as these modules find them.

    A module that works inside a sub-layer tells apart sub-layers of other shapes, since what it
    computes there depends on them even where its parameters do not.

    Args:
        modules: Of known types.
        types: By name.
        places: What module types ask about the backbone.
        n_nodes: Its nodes, from 0.
    """
    kinds = [(types[m.type], types[m.type].complete(m.settings)) for m in modules]
    shapes = [_shape(places.at(k, k + 1)) for k in range(len(places.sublayers))]
    examples: dict[Hashable, Pair] = {}
    numbers: dict[Pair, int] = {}
    misfits: dict[ModuleSpec, dict[Pair, str]] = {}
    order: dict[Hashable, int] = {}
    for pair in ((s, t) for s in range(n_nodes) for t in range(n_nodes)):
        place = places.at(*pair)
        found: list[Hashable] = []
        for module, (kind, settings) in zip(modules, kinds, strict=True):
            if reason := kind.misfit(settings, place):
                misfits.setdefault(module, {})[pair] = reason
                found.append(None)
            else:
                shape = shapes[pair[0]] if kind.is_inside and place.sublayer else None
                found.append((kind.count(settings, place), shape))
        alike = tuple(found)
        examples.setdefault(alike, pair)
        if number := order.setdefault(alike, len(order)):
            numbers[pair] = number
    return PlaceClasses(tuple(examples.values()), numbers, misfits)


def _shape(place: Place) -> Hashable:
    """What a sub-layer is made of, whatever its block."""
    sublayer = place.sublayer
    return sublayer and (sublayer.kind, sublayer.linears, sublayer.norm)
