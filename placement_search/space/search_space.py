"""A search space bound to a backbone: its candidate connections, its modules, its budget."""

import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from placement_search.errors import LayoutError, SpaceError
from placement_search.layout import (
    Connection,
    FirstPass,
    Layout,
    ModuleSpec,
    ModuleTypes,
    kind_of,
    make_module,
)
from placement_search.module_type import ModuleType
from placement_search.space.budget import Budget
from placement_search.space.file import SpaceFile, expand_nodes

Pair = tuple[int, int]


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The layouts that a study may propose on one backbone.

    Args:
        name: The space's name.
        pairs: Candidate connections as (source, target), sorted.
        modules: Modules to choose from, cheapest first.
        costs: Trainable parameters of one connection with each module.
        at_least: Fewest connections of a layout.
        at_most: Most connections of a layout, lowered to what the budget can pay.
        is_module_shared: Whether all connections of a layout have the same module.
        first_pass: What the first pass of recurrent layouts carries.
        budget: What a layout may cost.
    """

    name: str
    pairs: tuple[Pair, ...]
    modules: tuple[ModuleSpec, ...]
    costs: tuple[int, ...]
    at_least: int
    at_most: int
    is_module_shared: bool
    first_pass: FirstPass
    budget: Budget

    def cost(self, layout: Layout) -> int:
        """Trainable parameters of a layout of this space."""
        by_module = dict(zip(self.modules, self.costs, strict=True))
        return sum(by_module[c.module] for c in layout.connections)

    def contains(self, layout: Layout) -> bool:
        """Whether a study over this space could propose ``layout``."""
        return not self.objections(layout)

    def objections(self, layout: Layout) -> list[str]:
        """Why a study over this space could not propose ``layout``; empty where it could."""
        n = len(layout.connections)
        modules = {c.module for c in layout.connections}
        pairs = [(c.source, c.target) for c in layout.connections]
        foreign = sorted(set(pairs) - set(self.pairs))
        unknown = sorted(modules - set(self.modules))
        cost = 0 if unknown else self.cost(layout)
        rules = {
            f"it has {n} connections, the space admits {self.at_least} to {self.at_most}": (
                self.at_least <= n <= self.at_most
            ),
            "it has several connections between the same two nodes": len(set(pairs)) == n,
            f"the space has no connection {_listed(f'{s}>{t}' for s, t in foreign)}": not foreign,
            f"the space has no module {_listed(m.notation for m in unknown)}": not unknown,
            "its connections have different modules, in the space all have the same": (
                len(modules) < 2 or not self.is_module_shared
            ),
            f"its first pass is {layout.first_pass}, that of the space {self.first_pass}": (
                layout.first_pass is self.first_pass or not layout.is_recurrent
            ),
            f"it has {cost:,} parameters, the budget is {self.budget.describe()}": (
                self.budget.allows(cost)
            ),
        }
        return [objection for objection, is_kept in rules.items() if not is_kept]

    def layout(self, pairs: list[Pair], modules: list[ModuleSpec]) -> Layout:
        """The layout with these connections, pair by pair."""
        connections = (Connection(s, t, m) for (s, t), m in zip(pairs, modules, strict=True))
        return Layout(tuple(connections), self.first_pass)

    @property
    def log10_size(self) -> float:
        """Decimal logarithm of the number of layouts, the budget left out of account."""
        total = sum(
            math.comb(len(self.pairs), n)
            * (len(self.modules) if self.is_module_shared else len(self.modules) ** n)
            for n in range(self.at_least, self.at_most + 1)
        )
        return math.log10(total)


def _listed(names: Iterable[str], limit: int = 3) -> str:
    """The first few names, and that there are more."""
    known = list(names)
    return ", ".join(known[:limit]) + (" and others" if len(known) > limit else "")


def bind_space(
    file: SpaceFile, types: ModuleTypes, *, n_nodes: int, width: int, budget: Budget
) -> SearchSpace:
    """The layouts that a space file means on a backbone of ``n_nodes`` nodes and this width.

    Raises:
        SpaceError: If a node is impossible, a module's settings break a rule, no connection is
            left, or the budget can't pay for the smallest layout.
    """
    sources, targets, costs = _read_choices(file, types, n_nodes, width)
    pairs = tuple(
        (s, t) for s in sorted(sources) for t in sorted(targets) if kind_of(s, t) in file.kinds
    )
    at_least, at_most = file.connections.at_least, file.connections.at_most
    if len(pairs) < at_least:
        raise SpaceError(
            f"space {file.name!r} is empty: kinds, sources and targets admit {len(pairs)} "
            f"connections, connections.at_least asks for {at_least}"
        )
    cheapest = min(costs.values())
    rest = (at_least - 1) * cheapest
    is_shared = file.module_per == "layout"
    affordable = {
        m: c for m, c in costs.items() if budget.allows(at_least * c if is_shared else c + rest)
    }
    if not affordable:
        raise SpaceError(
            f"space {file.name!r} is empty under this budget: {at_least} connections cost at least "
            f"{at_least * cheapest:,} parameters, --max-params is {budget.describe()}"
        )
    most = max(budget.how_many(min(affordable.values()), at_most), at_least)
    return SearchSpace(
        name=file.name,
        pairs=pairs,
        modules=tuple(affordable),
        costs=tuple(affordable.values()),
        at_least=at_least,
        at_most=min(at_most, most, len(pairs)),
        is_module_shared=is_shared,
        first_pass=file.first_pass,
        budget=budget,
    )


def _read_choices(
    file: SpaceFile, types: ModuleTypes, n_nodes: int, width: int
) -> tuple[frozenset[int], frozenset[int], Mapping[ModuleSpec, int]]:
    """Sources, targets and modules with their costs.

    Raises:
        SpaceError: With the mistakes of all three at once.
    """
    mistakes: list[str] = []
    nodes: list[frozenset[int]] = []
    for key, given in (("sources", file.sources), ("targets", file.targets)):
        try:
            nodes.append(expand_nodes(given, key, n_nodes))
        except SpaceError as error:
            mistakes.append(str(error))
    costs: Mapping[ModuleSpec, int] = {}
    try:
        costs = _module_costs(file, types, width)
    except SpaceError as error:
        mistakes.append(str(error))
    if mistakes:
        raise SpaceError("; ".join(mistakes))
    sources, targets = nodes
    return sources, targets, costs


def _module_costs(file: SpaceFile, types: ModuleTypes, width: int) -> Mapping[ModuleSpec, int]:
    """Every combination of settings that the file names, with its parameters, cheapest first."""
    costs: dict[ModuleSpec, int] = {}
    for index, choice in enumerate(file.modules):
        place = f"modules.{index} of space {file.name!r}"
        for name, values in choice.options.items():
            if not values:
                raise SpaceError(f"{name} in {place} lists no value; give one, or leave it out")
        for values in itertools.product(*choice.options.values()):
            given = dict(zip(choice.options, values, strict=True))
            try:
                spec = make_module(types, choice.type, given, place)
            except LayoutError as error:
                raise SpaceError(str(error)) from error
            module_type: ModuleType = types[choice.type]
            costs[spec] = module_type.count(module_type.complete(spec.settings), width)
    return dict(sorted(costs.items(), key=lambda item: (item[1], item[0].notation)))
