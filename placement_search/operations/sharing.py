"""Which connections stay within a budget, and whose module works at the places of the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from placement_search.errors import OperationError
from placement_search.layout import Connection, FirstPass, Layout, ModuleSpec, make_module
from placement_search.modules import MODULE_TYPES, count_parameters, is_inside
from placement_search.modules.tied import TIED, is_tied
from placement_search.operations.importance import Importances
from placement_search.places import Places


def most_important(
    layout: Layout, importances: Importances, limit: int, places: Places
) -> tuple[Connection, ...]:
    """The most important connections that fit a budget together, in the order of the layout.

    One that does not fit is passed over, and less important ones that cost less may follow. What
    connections share is counted once.

    Args:
        layout: Any layout.
        importances: Of each of its connections.
        limit: Most parameters.
        places: Of the backbone.

    Raises:
        OperationError: If not even the cheapest connection fits.
    """
    kept: list[Connection] = []
    for connection in sorted(layout.connections, key=lambda c: -importances[c]):
        if count_parameters(Layout((*kept, connection)), places) <= limit:
            kept.append(connection)
    if not kept:
        cheapest = min(count_parameters(Layout((c,)), places) for c in layout.connections)
        raise OperationError(
            f"--max-params leaves {limit:,} parameters, and the layout's cheapest connection has "
            f"{cheapest:,}; ask for at least as many"
        )
    return tuple(c for c in layout.connections if c in kept)


@dataclass(frozen=True, slots=True)
class Pruned:
    """A layout after pruning.

    Args:
        layout: What is left, connections that share a module included.
        origins: Where the weights of each of its connections come from, by the connection.
        donors: By a pruned connection the kept one whose module works there now; those that none
            stands in for are left out.
    """

    layout: Layout
    origins: dict[Connection, Connection] = field(default_factory=dict)
    donors: dict[Connection, Connection] = field(default_factory=dict)


def without_sharing(kept: Sequence[Connection], first_pass: FirstPass) -> Pruned:
    """The kept connections alone."""
    return Pruned(Layout(tuple(kept), first_pass), {c: c for c in kept})


def with_sharing(layout: Layout, kept: Sequence[Connection], importances: Importances) -> Pruned:
    """The kept connections, and at every pruned place the module of the nearest kept one.

    Nearest is by ``|Δ source| + |Δ target|``, of connections with the same module type, the more
    important one where two are as near. Places inside sub-layers are left out: their modules
    can't be tied. So are those of modules that share parameters as they are (``arc``): a tied one
    would leave the others and hold these parameters once more.

    Args:
        layout: What is pruned.
        kept: Those of its connections that stay.
        importances: Of each of its connections.
    """
    donors: dict[Connection, Connection] = {}
    for pruned in (c for c in layout.connections if c not in kept and not is_inside(c)):
        alike = [c for c in kept if c.module.type == pruned.module.type and _can_give(c.module)]
        if alike:
            donors[pruned] = min(alike, key=lambda c: (_distance(c, pruned), -importances[c]))
    tied = _tied(kept, set(donors.values()))
    places = {c: tied[c] for c in kept} | {
        pruned: replace(tied[donor], source=pruned.source, target=pruned.target)
        for pruned, donor in donors.items()
    }
    origins = {made: donors.get(place, place) for place, made in places.items()}
    return Pruned(Layout(tuple(places.values()), layout.first_pass), origins, donors)


def _can_give(spec: ModuleSpec) -> bool:
    """Whether a module at a further place costs nothing more."""
    kind = MODULE_TYPES[spec.type]
    return is_tied(spec) or not kind.count_shared(kind.complete(spec.settings), 1)


def _distance(one: Connection, other: Connection) -> int:
    return abs(one.source - other.source) + abs(one.target - other.target)


def _tied(kept: Sequence[Connection], giving: set[Connection]) -> dict[Connection, Connection]:
    """The kept connections, those that give their module marked as a group of their own."""
    used = [int(c.module.settings.get(TIED, 0)) for c in kept]
    free = max(used) + 1
    tied: dict[Connection, Connection] = {}
    for connection, number in zip(kept, used, strict=True):
        if connection not in giving or number:
            tied[connection] = connection
            continue
        given = {**connection.module.settings, TIED: free}
        module = make_module(MODULE_TYPES, connection.module.type, given, connection.notation)
        tied[connection] = replace(connection, module=module)
        free += 1
    return tied
