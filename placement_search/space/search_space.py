"""A search space bound to a backbone: its candidate connections, its modules, its budget."""

import itertools
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from placement_search.layout import Connection, FirstPass, Layout, ModuleSpec, ModuleTypes
from placement_search.places import Places
from placement_search.space.binding import bind_choices
from placement_search.space.budget import Budget
from placement_search.space.choices import Choice, Choices
from placement_search.space.cost_table import CostTable, LayoutCosts
from placement_search.space.counting import count_freely, count_layouts
from placement_search.space.equal_sizes import equally_sized
from placement_search.space.extent import Extent, extent_of
from placement_search.space.file import SpaceFile
from placement_search.space.groups import Group
from placement_search.space.moves import (
    N_TRIES,
    Ends,
    fitting_choices,
    moved_choices,
    random_choices,
)
from placement_search.space.node_names import Pair, Stream
from placement_search.space.training import TrainingSpace, read_training


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """The layouts that a study may propose on one backbone.

    Args:
        name: The space's name.
        groups: Candidate connections as (source, target), those that come together in one group;
            sorted. Without ties and symmetry every group is one connection.
        modules: Modules to choose from, cheapest first.
        choices: Which sets of groups, each with a module, the space contains.
        first_pass: What the first pass of recurrent layouts carries.
        budget: What a layout may cost.
        table: What its modules cost.
        training: Training settings that are part of what is proposed.
        places: What module types ask about the backbone.
        pairs: All candidate connections, sorted.
    """

    name: str
    groups: tuple[Group, ...]
    modules: tuple[ModuleSpec, ...]
    choices: Choices
    first_pass: FirstPass
    budget: Budget
    table: CostTable
    training: TrainingSpace
    places: Places
    pairs: tuple[Pair, ...] = field(init=False)
    _group_of: Mapping[Pair, int] = field(init=False, repr=False, compare=False)
    _ends: Ends = field(init=False, repr=False, compare=False)
    _extents: list[Extent] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every question about a layout reads."""
        of_pair = {pair: number for number, group in enumerate(self.groups) for pair in group}
        object.__setattr__(self, "_group_of", of_pair)
        firsts = [group[0] for group in self.groups]
        object.__setattr__(self, "_ends", Ends(firsts, self.choices.free))
        object.__setattr__(self, "_extents", [])
        object.__setattr__(self, "pairs", tuple(sorted(of_pair)))

    @property
    def costs(self) -> tuple[int, ...]:
        """Most trainable parameters of one connection with each module; see `CostTable`."""
        return self.table.dearest(self.pairs)

    @property
    def group_sizes(self) -> tuple[int, ...]:
        """Connections of every group."""
        return tuple(map(len, self.groups))

    @property
    def has_unequal_groups(self) -> bool:
        """Whether some groups have more connections than others."""
        return len(set(self.group_sizes)) > 1

    @property
    def at_least(self) -> int:
        """Fewest groups of a layout."""
        return self.choices.at_least

    @property
    def at_most(self) -> int:
        """A number of groups that no layout exceeds, by the file and roughly by the budget."""
        return self.choices.legality.at_most

    @property
    def is_module_shared(self) -> bool:
        """Whether all connections of a layout have the same module."""
        return self.choices.is_module_shared

    def cost(self, layout: Layout) -> int:
        """Trainable parameters of a layout of this space."""
        return int(self.table.parameters.of(self.table.usage(layout)))

    def predicted(self, layout: Layout) -> LayoutCosts:
        """What a layout costs, as far as the table knows.

        Raises:
            KeyError: If a connection has a module that the space lacks.
        """
        return self.table.costs(layout)

    def contains(self, layout: Layout) -> bool:
        """Whether a study over this space could propose ``layout``."""
        return self._contained(layout) is not None

    def _contained(self, layout: Layout) -> list[Choice] | None:
        """The choices that make up a layout of this space; None for any other layout."""
        chosen = self.chosen(layout)
        is_legal = (
            chosen is not None
            and (layout.first_pass is self.first_pass or not layout.is_recurrent)
            and self.choices.contains(chosen)
        )
        return chosen if is_legal else None

    def objections(self, layout: Layout) -> list[str]:
        """Why a study over this space could not propose ``layout``; empty where it could."""
        chosen = self.chosen(layout)
        found = [*self._foreign(layout), *self._misfits(layout)]
        if layout.is_recurrent and layout.first_pass is not self.first_pass:
            found.append(
                f"its first pass is {layout.first_pass}, that of the space {self.first_pass}"
            )
        if chosen is None:
            # How many groups it means is not known where groups have several connections.
            is_counted = len(self.pairs) == len(self.groups)
            wrong = self._wrong_number(len(layout.connections)) if is_counted else []
            return [*wrong, *found] or ["its connections are not the space's groups"]
        return [*self._broken_rules(layout, chosen), *found]

    def _wrong_number(self, n: int) -> list[str]:
        """That a layout of ``n`` choices has too many or too few."""
        admitted = f"the space admits {self.at_least} to {self.at_most}"
        is_right = self.at_least <= n <= self.at_most
        return [] if is_right else [f"it has {n} connection{'s' * (n != 1)}, {admitted}"]

    def _foreign(self, layout: Layout) -> list[str]:
        """What the space does not know at all."""
        pairs = {(c.source, c.target) for c in layout.connections} - self._group_of.keys()
        modules = {c.module for c in layout.connections} - set(self.modules)
        named = {
            "connection": [f"{source}>{target}" for source, target in sorted(pairs)],
            "module": [module.notation for module in sorted(modules)],
        }
        return [f"the space has no {what} {_listed(each)}" for what, each in named.items() if each]

    def _misfits(self, layout: Layout) -> list[str]:
        """Which modules of its own can't be where they are."""
        if not self.table.classes.misfits:
            return []
        said = (
            (c.notation, self.table.classes.misfit(c.module, (c.source, c.target)))
            for c in layout.connections
        )
        return [f"{notation} {reason}" for notation, reason in said if reason]

    def _broken_rules(self, layout: Layout, chosen: Sequence[Choice]) -> list[str]:
        """Which rules on sets of choices it breaks."""
        if self.choices.contains(chosen):
            return []
        broken = self._wrong_number(len(chosen))
        missing = sorted(self.choices.always - {group for group, _ in chosen})
        if missing:
            lacked = (f"{s}>{t}" for group in missing for s, t in self.groups[group])
            broken.append(f"it lacks {_listed(lacked)}")
        if self.is_module_shared and len({module for _, module in chosen}) > 1:
            broken.append("its connections have different modules, in the space all have the same")
        if excess := self.budget.excess(self.predicted(layout)):
            broken.append(f"over budget: {excess}")
        legality = self.choices.legality
        picks = [(self.choices.traits[group], module) for group, module in chosen]
        broken += [
            f"the space's condition when.{number} forbids it"
            for number, rule in enumerate(legality.rules)
            if not rule.allows(picks, number)
        ]
        return broken or ([] if self._misfits(layout) else ["the space's rules forbid it"])

    def chosen(self, layout: Layout) -> list[Choice] | None:
        """The choices that make up a layout; None where they do not make it up exactly."""
        found = {
            (self._group_of.get((c.source, c.target)), self.table.number_of.get(c.module))
            for c in layout.connections
        }
        chosen = sorted((g, m) for g, m in found if g is not None and m is not None)
        is_whole = sum(len(self.groups[g]) for g, _ in chosen) == len(layout.connections)
        return chosen if is_whole and len(chosen) == len(found) else None

    def layout_of(self, chosen: Sequence[Choice]) -> Layout:
        """The layout of these choices."""
        wired = [(pair, module) for group, module in chosen for pair in self.groups[group]]
        modules = [self.modules[module] for _, module in wired]
        return self.layout([pair for pair, _ in wired], modules)

    def layout(self, pairs: Sequence[Pair], modules: Sequence[ModuleSpec]) -> Layout:
        """The layout with these connections, pair by pair."""
        connections = (Connection(s, t, m) for (s, t), m in zip(pairs, modules, strict=True))
        return Layout(tuple(connections), self.first_pass)

    def random_layout(self, generator: random.Random) -> Layout:
        """A random layout of the space: its size first, then its connections, then its modules."""
        return self.layout_of(random_choices(self.choices, generator))

    def shuffled(self, layout: Layout, generator: random.Random) -> Layout | None:
        """A layout with the same modules at random places that they fit; None where rules forbid.

        Connection by connection it has the same modules, also where groups differ in size.

        Raises:
            ValueError: If the layout is not made of this space's connections and modules.
        """
        chosen = self.chosen(layout)
        if chosen is None:
            raise ValueError(f"space {self.name!r} does not know {layout.notation}")
        made = (
            equally_sized(self.choices, self.group_sizes, chosen, generator)
            if self.has_unequal_groups
            else fitting_choices(self.choices, chosen, generator)
        )
        if made is None or not self.choices.legality.allows(self.choices.picks(made)):
            return None
        return self.layout_of(made)

    def neighbours(self, layout: Layout, generator: random.Random, n: int) -> list[Layout]:
        """Different layouts of the space that are one move from ``layout``.

        A move adds a connection, drops one, moves one end of one, or exchanges a module; groups
        move as one.

        Args:
            layout: One that the space contains.
            generator: Draws the moves.
            n: How many; fewer come where so many were not found.

        Raises:
            ValueError: If the space does not contain the layout.
        """
        chosen = self._contained(layout)
        if chosen is None:
            raise ValueError(f"space {self.name!r} does not contain {layout.notation}")
        found: dict[frozenset[Choice], None] = {}
        moves = moved_choices(self.choices, self._ends, chosen, generator)
        for made in itertools.islice(moves, n * N_TRIES):
            if len(found) == n:
                break
            if made:
                found.setdefault(frozenset(made))
        return [self.layout_of(tuple(made)) for made in found]

    @property
    def n_layouts(self) -> int | None:
        """How many layouts it contains, exactly; None where counting would take too long."""
        return count_layouts(self.choices)

    @property
    def extent(self) -> Extent:
        """How many layouts, connections and parameters, exactly or as bounds; see `Extent`."""
        if not self._extents:  # it may take seconds
            self._extents.append(extent_of(self.choices, self.table.parameters))
        return self._extents[0]

    @property
    def log10_size(self) -> float:
        """Decimal logarithm of the number of layouts.

        Where they are too many to be counted, budget and conditions are left out of account: there
        are so many at most.
        """
        counted = self.n_layouts
        return math.log10(count_freely(self.choices) if counted is None else counted)


def _listed(names: Iterable[str], limit: int = 3) -> str:
    """The first few names, and that there are more."""
    known = list(names)
    return ", ".join(known[:limit]) + (" and others" if len(known) > limit else "")


def bind_space(
    file: SpaceFile,
    types: ModuleTypes,
    *,
    n_nodes: int,
    places: Places,
    budget: Budget,
    sublayers: int = 2,
    table: CostTable | None = None,
) -> SearchSpace:
    """The layouts that a space file means on a backbone of ``n_nodes`` nodes.

    Args:
        file: What the user wrote.
        types: Known module types.
        n_nodes: Nodes of the backbone.
        places: What module types ask about it.
        budget: What a layout may cost.
        sublayers: Nodes that a block makes: 2, or 1 where blocks are fused.
        table: What the file's modules cost; None for their parameters alone.

    Raises:
        SpaceError: If a node is impossible, a module's settings break a rule, keys contradict each
            other, no connection is left, or the budget can't pay for the smallest layout.
        ValueError: If the budget limits what the table does not say.
    """
    bound = bind_choices(file, types, Stream(n_nodes, sublayers), places, budget, table)
    return SearchSpace(
        name=file.name,
        groups=bound.groups,
        modules=bound.table.modules,
        choices=bound.choices,
        first_pass=file.first_pass,
        budget=budget,
        table=bound.table,
        training=read_training(file.training),
        places=places,
    )
