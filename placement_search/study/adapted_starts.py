"""Layouts from elsewhere whose places a study tries with modules of its own space."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from placement_search.layout import Connection, Layout, ModuleSpec
from placement_search.modules import MODULE_TYPES, count_parameters
from placement_search.places import Places
from placement_search.space.choices import Choice
from placement_search.space.node_names import Pair
from placement_search.space.search_space import SearchSpace

Distance = tuple[int, int, int]
"""How far a module is from another: by type, by parameters, by settings; the first counts first."""


@dataclass(frozen=True, slots=True)
class Adapted:
    """A layout of a space, made of one that the space lacks.

    Args:
        layout: It.
        said: What it has of the other one, a format for that one's name.
    """

    layout: Layout
    said: str


def adapted(space: SearchSpace, layout: Layout) -> Adapted | None:
    """The layout of a space with the most places of one that it lacks, and the nearest modules.

    A group of which any connection is among the places is taken whole. Where budget or conditions
    leave too few places with the nearest modules, cheaper ones or others are taken.

    Args:
        space: What contains the new layout.
        layout: The other one, whose modules fit the backbone.

    Returns:
        None where the space contains ``layout``, or has none of its places.
    """
    if space.contains(layout):
        return None
    places = {(c.source, c.target): c for c in layout.connections}
    groups = [n for n, group in enumerate(space.groups) if not places.keys().isdisjoint(group)]
    if not groups:
        return None
    best: list[Choice] = []
    for wished in _wishes(space, groups, places):
        made = space.choices.repaired(wished)
        if _n_kept(made, groups) > _n_kept(best, groups):
            best = made
        if _n_kept(best, groups) == min(len(groups), space.at_most):
            break
    found = space.layout_of(best)
    return Adapted(found, _said(found, places.keys())) if best else None


def _n_kept(made: Sequence[Choice], groups: Sequence[int]) -> int:
    return len({group for group, _ in made}.intersection(groups))


def _wishes(
    space: SearchSpace, groups: Sequence[int], places: dict[Pair, Connection]
) -> list[list[Choice]]:
    """Sets to wish for, the nearest first, with all groups that are always there."""
    distances = {group: _distances(space, group, places) for group in groups}
    modules = range(len(space.modules))

    def total(module: int) -> tuple[int, ...]:
        each = (found.get(module, (1, 0, 0)) for found in distances.values())
        return tuple(map(sum, zip(*each, strict=True)))

    order = sorted(modules, key=lambda module: (total(module), module))
    others = sorted(space.choices.always.difference(groups))
    if space.is_module_shared:
        return [[(group, module) for group in (*others, *groups)] for module in order]
    nearest = dict.fromkeys(others, order[0])
    nearest |= {group: min(each, key=each.__getitem__) for group, each in distances.items()}
    return [
        [(group, min(module, dearest)) for group, module in nearest.items()]
        for dearest in reversed(modules)
    ]


def _distances(
    space: SearchSpace, group: int, places: dict[Pair, Connection]
) -> dict[int, Distance]:
    """How far each module that fits a group is from what the other layout has there."""
    there = next(places[pair] for pair in space.groups[group] if pair in places)
    return {
        number: _distance(space.modules[number], there, space.places)
        for number in space.choices.modules_of(group)
    }


def _distance(module: ModuleSpec, there: Connection, places: Places) -> Distance:
    ours, theirs = (
        count_parameters(Layout((Connection(there.source, there.target, each),)), places)
        for each in (module, there.module)
    )
    if module.type != there.module.type:
        return 1, abs(ours - theirs), 0
    complete = MODULE_TYPES[module.type].complete
    other = complete(module.settings).items() ^ complete(there.module.settings).items()
    return 0, abs(ours - theirs), len(other)


def _said(made: Layout, places: Collection[Pair]) -> str:
    n_kept = sum((c.source, c.target) in places for c in made.connections)
    n_more = len(made.connections) - n_kept
    modules = sorted({c.module.notation for c in made.connections})
    more = f" and {n_more} other{'s' * (n_more != 1)}" * (n_more > 0)
    return f"has {n_kept} of the {len(places)} places of “{{}}”{more}, with {', '.join(modules)}"
