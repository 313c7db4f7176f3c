"""A space file's connections, modules and rules on a backbone, put together and checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TypeVar

from placement_search.errors import SpaceError
from placement_search.layout import FirstPass, Kind, ModuleSpec, ModuleTypes, kind_of
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.choices import Choices
from placement_search.space.cost_table import CostTable, Price
from placement_search.space.file import SpaceFile
from placement_search.space.fitting import with_fitting_modules
from placement_search.space.format import Condition, Described, Settings
from placement_search.space.groups import Group, connection_groups
from placement_search.space.legality import Legality, Rule, Traits, loosened
from placement_search.space.module_choices import matching, parameter_price, read_modules
from placement_search.space.node_names import Pair, Stream, expand_pattern
from placement_search.space.place_classes import place_classes

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Bound:
    """What a file means on a backbone; see `SearchSpace`."""

    groups: tuple[Group, ...]
    choices: Choices
    table: CostTable


@dataclass(frozen=True, slots=True)
class _Named:
    """A condition with the connections that it is about, and those that it excludes."""

    condition: Condition
    named: frozenset[Pair]
    about: frozenset[ModuleSpec]
    modules: frozenset[ModuleSpec] | None
    excluded: frozenset[Pair]
    against: frozenset[ModuleSpec]


@dataclass(frozen=True, slots=True)
class _Parts:
    """All that choices are made of, before modules that can't be used are left out."""

    file: SpaceFile
    groups: tuple[Group, ...]
    always: frozenset[int]
    conditions: tuple[_Named, ...]
    budget: Budget


def bind_choices(
    file: SpaceFile,
    types: ModuleTypes,
    stream: Stream,
    places: Places,
    budget: Budget,
    table: CostTable | None,
) -> Bound:
    """Read a file on a backbone.

    Raises:
        SpaceError: See `bind_space`.
    """
    budget.check()
    (groups, always), counted = _both(
        lambda: connection_groups(file, stream), lambda: read_modules(file, types, places)
    )
    modules = tuple(counted)
    classes = place_classes(modules, types, places, stream.n_nodes)
    n_named = len(groups)
    groups, always = with_fitting_modules(file, groups, always, modules, classes)
    if table is None:
        table = CostTable(
            modules, parameter_price(modules, types, places, classes), classes=classes
        )
    if (table.modules, table.classes) != (modules, classes):
        raise ValueError(f"the cost table is not one of space {file.name!r} on this backbone")
    _check_counts(file, groups, always, all_fit=len(groups) == n_named)
    conditions = tuple(_named(c, i, modules, types, stream) for i, c in enumerate(file.when))
    parts = _Parts(file, groups, always, conditions, budget)
    choices = _choices(parts, table)
    usable = [index for index in range(len(modules)) if choices.is_usable(index)]
    if not usable:
        raise SpaceError(_why_empty(parts, table, choices))
    if len(usable) < len(modules):
        table = table.only([modules[index] for index in usable])
    choices = _choices(parts, table)
    left = _without_impossible(parts, choices)
    bound = Bound(left.groups, _choices(left, table), table) if left.groups else None
    if bound is None or not bound.choices.has_sets:
        raise SpaceError(_why_empty(parts, table, choices))
    return bound


def _without_impossible(parts: _Parts, choices: Choices) -> _Parts:
    """The parts without groups that budget or conditions keep out of every layout."""
    # Of groups alike, those that are always there are possible, which says nothing of the others.
    known = {choices.traits[group]: group for group in choices.free}
    possible = {traits for traits, group in known.items() if choices.is_possible(group)}
    kept = [
        number
        for number, traits in enumerate(choices.traits)
        if traits in possible or number in parts.always
    ]
    return replace(
        parts,
        groups=tuple(parts.groups[number] for number in kept),
        always=frozenset(new for new, old in enumerate(kept) if old in parts.always),
    )


def _both(
    first: Callable[[], T], second: Callable[[], dict[ModuleSpec, int]]
) -> tuple[T, dict[ModuleSpec, int]]:
    """What two readers give.

    Raises:
        SpaceError: With the mistakes of both at once.
    """
    mistakes: list[str] = []
    try:
        read = first()
    except SpaceError as error:
        mistakes.append(str(error))
    try:
        also = second()
    except SpaceError as error:
        mistakes.append(str(error))
    if mistakes:
        raise SpaceError("; ".join(mistakes))
    return read, also


def _check_counts(
    file: SpaceFile, groups: Sequence[Group], always: frozenset[int], *, all_fit: bool
) -> None:
    count = file.connections
    if len(groups) < count.at_least:
        keys = "kinds, sources, targets and never"
        admits = keys if all_fit else "kinds, sources, targets, never and the modules' places"
        admitted = _connections(len(groups), is_grouped=bool(file.tied or file.symmetric))
        cure = "lower it, or admit more" + (
            " (symmetric leaves out connections whose reverse is not admitted)"
            if file.symmetric
            else ""
        )
        raise SpaceError(
            f"space {file.name!r} is empty: {admits} admit {admitted}, "
            f"connections.at_least asks for {count.at_least}; {cure}"
        )
    if len(always) > count.at_most:
        raise SpaceError(
            f"space {file.name!r} is empty: always names {_connections(len(always))}, "
            f"connections.at_most allows {count.at_most}; raise it, or name fewer"
        )


def _named(
    condition: Condition,
    index: int,
    modules: Sequence[ModuleSpec],
    types: ModuleTypes,
    stream: Stream,
) -> _Named:
    def having(wanted: Settings, key: str) -> frozenset[ModuleSpec]:
        found = matching(wanted, modules, types, f"when.{index}.{key}")
        return frozenset(modules[number] for number in found)

    def meant(said: str | Described, key: str) -> tuple[frozenset[Pair], frozenset[ModuleSpec]]:
        if isinstance(said, str):
            return expand_pattern(said, f"when.{index}.{key}", stream), frozenset(modules)
        pairs = expand_pattern(said.connections, f"when.{index}.{key}.connections", stream)
        return pairs, having(said.module, f"{key}.module")

    wanted, without = condition.module, condition.without
    none = frozenset[Pair](), frozenset[ModuleSpec]()
    named, about = meant(condition.has, "has")
    excluded, against = none if without is None else meant(without, "without")
    kept = None if wanted is None else having(wanted, "module")
    return _Named(condition, named, about, kept, excluded, against)


def _choices(parts: _Parts, table: CostTable) -> Choices:
    """The choices among the table's modules."""
    file, limits = parts.file, parts.budget.limits(table)
    passes = [price for price, _ in limits if price.first_pass]
    traits = tuple(_traits(group, parts.conditions, passes, table) for group in parts.groups)
    at_least = max(file.connections.at_least, len(parts.always))
    most = min(file.connections.at_most, len(parts.groups), *_payable(traits, limits, table))
    return Choices(
        traits=traits,
        always=parts.always,
        at_least=at_least,
        is_module_shared=file.module_per == "layout",
        legality=Legality(
            at_most=max(most, at_least),
            n_modules=len(table.modules),
            n_classes=len(table.classes.examples),
            rules=tuple(_rule(each, table.modules) for each in parts.conditions),
            limits=tuple(limits),
            is_adapted=file.first_pass is FirstPass.ADAPTED,
        ),
    )


def _payable(
    traits: Sequence[Traits], limits: Sequence[tuple[Price, Fraction]], table: CostTable
) -> list[int]:
    """By limit, a number of choices that no layout can exceed."""
    smallest = min(each.n_connections for each in traits)
    n_modules = len(table.modules)
    cells = [
        first * n_modules + number
        for number, module in enumerate(table.modules)
        for first in table.classes.fitting(module)
    ]
    found = []
    for price, limit in limits:
        least = min(price.modules[cell] for cell in cells)
        if least > 0:
            always = Fraction(price.fixed) + Fraction(min(price.shared, default=0))
            found.append(int((loosened(limit) - always) // (Fraction(least) * smallest)))
    return found


def _traits(
    group: Group, conditions: Sequence[_Named], passes: Sequence[Price], table: CostTable
) -> Traits:
    back = [source for source, target in group if kind_of(source, target) is Kind.RECURRENT]
    classes = table.classes
    forward, recurrent = ([0] * len(classes.examples) for _ in range(2))
    for pair in group:
        counted = recurrent if passes and kind_of(*pair) is Kind.RECURRENT else forward
        counted[classes.numbers.get(pair, 0)] += 1
    return Traits(
        n_forward=tuple(forward),
        n_recurrent=tuple(recurrent),
        sources=frozenset(_lowest_alike(source, passes) for source in back if passes),
        named=tuple(not each.named.isdisjoint(group) for each in conditions),
        excluded=tuple(not each.excluded.isdisjoint(group) for each in conditions),
        misfits=frozenset(
            number
            for number, module in enumerate(table.modules)
            if any(classes.misfit(module, pair) for pair in group)
        ),
    )


def _lowest_alike(source: int, passes: Sequence[Price]) -> int:
    """The lowest node that a first pass reaches at the same prices."""
    own = [price.first_pass[source] for price in passes]
    return next(
        node for node in range(source + 1) if [price.first_pass[node] for price in passes] == own
    )


def _rule(named: _Named, modules: Sequence[ModuleSpec]) -> Rule:
    def numbers(allowed: frozenset[ModuleSpec]) -> frozenset[int]:
        return frozenset(number for number, module in enumerate(modules) if module in allowed)

    return Rule(
        about=numbers(named.about),
        at_most=named.condition.at_most,
        in_all=named.condition.in_all,
        modules=None if named.modules is None else numbers(named.modules),
        against=numbers(named.against),
    )


def _why_empty(parts: _Parts, table: CostTable, choices: Choices) -> str:
    """Why no layout is left, or none was found: the budget, or without it the conditions."""
    file, n = parts.file, choices.at_least
    unlimited = replace(choices, legality=replace(choices.legality, limits=()))
    found = (
        unlimited.completion([], unlimited.forced(set()), set(), usable)
        for usable in choices.module_sets
    )
    smallest = next((picks for picks in found if picks is not None), None)
    fits = " with modules where they fit" if choices.has_misfits else ""
    rules = f"meets when, always and never together{fits}"
    cure = "relax one of them, or connections.at_least"
    if smallest is None and unlimited.is_empty:
        return (
            f"space {file.name!r} is empty: no layout of at least {_connections(n)} {rules}; {cure}"
        )
    if smallest is None or not choices.is_empty:
        return (
            f"space {file.name!r}: no layout of at least {_connections(n)} was found that {rules}"
            f"{' within the budget' * bool(choices.legality.limits)}, and too many would have to "
            f"be looked at to say that there is none; {cure}"
        )
    costs = table.costs_of(choices.legality.usage(smallest))
    return (
        f"space {file.name!r} is empty under this budget: {_connections(n)} "
        f"cost{'s' * (n == 1)} at least {parts.budget.excess(costs)}; raise the limit, or allow "
        "cheaper modules"
    )


def _connections(n: int, *, is_grouped: bool = False) -> str:
    if is_grouped:
        return f"{n} group{'s' * (n != 1)} of connections"
    return f"{n} connection{'s' * (n != 1)}"
