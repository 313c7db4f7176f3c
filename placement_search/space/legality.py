"""Which choices may stand in one layout: their number, the conditions, the budget, what fits.

What is legal stays legal when a choice is dropped, as long as enough are left. All that follows
rests on this: a set is built choice by choice, and a search for a completion may stop at the first
set that is illegal.

Groups that differ in nothing that rules look at share their traits, and rules see traits alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple

from placement_search.errors import SpaceError
from placement_search.space.cost_table import Price, Usage


class Traits(NamedTuple):
    """All that rules see of a group of connections.

    Args:
        n_forward: Its connections that are not recurrent, by class of places.
        n_recurrent: Its recurrent ones, likewise; 0 where no limit treats them in another way.
        sources: Nodes that those read, each the lowest of equal price.
        named: Whether each condition is about it, with the modules that it is about.
        excluded: Whether each condition, where it applies, excludes it with such modules.
        misfits: Modules that can't be at all of its places.
    """

    n_forward: tuple[int, ...]
    n_recurrent: tuple[int, ...]
    sources: frozenset[int]
    named: tuple[bool, ...]
    excluded: tuple[bool, ...]
    misfits: frozenset[int] = frozenset()

    @property
    def n_connections(self) -> int:
        """How many connections it has."""
        return sum(self.n_forward) + sum(self.n_recurrent)


Pick = tuple[Traits, int]
"""A choice as rules see it: a group's traits, and the number of its module."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition of the file; each limit is None where it says nothing.

    Args:
        about: Modules with which it is about groups that it names.
        at_most: Most groups that it is about.
        in_all: Most groups in all, where there is one that it is about.
        modules: Modules that those may have.
        against: Modules with which groups are excluded.
    """

    about: frozenset[int]
    at_most: int | None
    in_all: int | None
    modules: frozenset[int] | None
    against: frozenset[int]

    def allows(self, picks: Sequence[Pick], number: int) -> bool:
        """Whether picks keep it, as the rule of this number."""
        named = self._named(picks, number)
        if not named:
            return True
        return (
            (self.at_most is None or len(named) <= self.at_most)
            and (self.in_all is None or len(picks) <= self.in_all)
            and (self.modules is None or self.modules.issuperset(named))
            and not self._excludes(picks, number)
        )

    def has_room(self, picks: Sequence[Pick], number: int, n: int) -> bool:
        """Whether it lets picks that keep it become ``n`` in all."""
        is_limited = self.in_all is not None and self.in_all < n
        return not is_limited or not self._named(picks, number)

    def standing(self, picks: Sequence[Pick], number: int) -> tuple[int, bool]:
        """All of picks that it looks at when others are to join them."""
        n_named = len(self._named(picks, number))
        counted = n_named if self.at_most is not None else int(n_named > 0)
        return counted, self._excludes(picks, number)

    def concerns(self, pick: Pick, number: int) -> bool:
        """Whether it is about a pick, or excludes it."""
        return bool(self._named([pick], number)) or self._excludes([pick], number)

    def _named(self, picks: Sequence[Pick], number: int) -> list[int]:
        """The modules of those picks that it is about."""
        return [m for traits, m in picks if traits.named[number] and m in self.about]

    def _excludes(self, picks: Sequence[Pick], number: int) -> bool:
        """Whether some pick is one that it excludes, where it applies."""
        return any(traits.excluded[number] and m in self.against for traits, m in picks)


Standing = tuple[tuple[tuple[int, bool], ...], Usage | None]
"""What picks are to each rule, and what they use where something is limited."""


@dataclass(frozen=True, slots=True)
class Legality:
    """What every layout of a space obeys.

    Args:
        at_most: Most groups.
        n_modules: Modules to choose from.
        n_classes: Classes of places.
        rules: The file's conditions.
        limits: Prices with the most that a layout may use.
        is_adapted: Whether first passes are adapted.
    """

    at_most: int
    n_modules: int
    n_classes: int
    rules: tuple[Rule, ...]
    limits: tuple[tuple[Price, Fraction], ...]
    is_adapted: bool

    def allows(self, picks: Sequence[Pick]) -> bool:
        """Whether nothing forbids these picks; there may still be too few."""
        if len(picks) > self.at_most:
            return False
        for traits, module in picks:
            if module in traits.misfits:
                return False
        is_ruled = all(rule.allows(picks, number) for number, rule in enumerate(self.rules))
        return is_ruled and self._is_payable(picks)

    def has_room(self, picks: Sequence[Pick], n: int) -> bool:
        """Whether no number, of all or in a rule, keeps legal picks from becoming ``n``."""
        return n <= self.at_most and all(
            rule.has_room(picks, number, n) for number, rule in enumerate(self.rules)
        )

    def standing(self, picks: Sequence[Pick], numbers: Sequence[int]) -> Standing:
        """All of picks, beside their number, that decides what may join them.

        Args:
            picks: Legal ones.
            numbers: Of the rules that what may join them has to do with.
        """
        named = tuple(self.rules[number].standing(picks, number) for number in numbers)
        return named, self.usage(picks) if self.limits else None

    def concerned(self, pick: Pick) -> set[int]:
        """The rules that a pick has to do with: that are about it, or exclude it."""
        return {number for number, rule in enumerate(self.rules) if rule.concerns(pick, number)}

    def _is_payable(self, picks: Sequence[Pick]) -> bool:
        if not self.limits:
            return True
        usage = self.usage(picks)
        return all(price.of(usage) <= limit for price, limit in self.limits)

    def usage(self, picks: Sequence[Pick]) -> Usage:
        """What the costs of picks depend on."""
        n_modules = self.n_modules
        n_cells = n_modules * self.n_classes
        forward, recurrent = [0] * n_cells, [0] * n_cells
        sources: set[int] = set()
        for traits, module in picks:
            for first, (ahead, back) in enumerate(
                zip(traits.n_forward, traits.n_recurrent, strict=True)
            ):
                forward[module + n_modules * first] += ahead
                recurrent[module + n_modules * first] += back
            sources |= traits.sources
        return Usage(tuple(forward), tuple(recurrent), frozenset(sources), self.is_adapted)

    def cost_order(self, traits: Traits, modules: Sequence[int]) -> tuple[int, float, int]:
        """Sorts groups: what needs no first pass, what its cheapest module costs, small ones.

        Args:
            traits: Of the group.
            modules: Those that it may have.
        """
        fitting = [module for module in modules if module not in traits.misfits]
        shares = (sum(self._shares(traits, module)) for module in fitting)
        return len(traits.sources), min(shares, default=0.0), traits.n_connections

    def _shares(self, traits: Traits, module: int) -> Iterator[float]:
        """How much of each limit a group uses, what it shares with others left out."""
        for price, limit in self.limits:
            yield own_cost(price, traits, module, self.n_modules) / float(limit)


LOST = Fraction(1, 10**12)
"""Of a limit, more than a sum of floats can lose by rounding."""


def loosened(limit: Fraction) -> Fraction:
    """What no layout within a limit exceeds by exact numbers, whatever rounding took from it."""
    return limit * (1 + LOST)


def own_cost(price: Price, traits: Traits, module: int, n_modules: int) -> float:
    """How much of a resource a group uses with a module, what it shares with others left out.

    Args:
        price: Of the resource.
        traits: Of the group.
        module: The number of the module.
        n_modules: How many modules the price is for.
    """
    counts = [a + b for a, b in zip(traits.n_forward, traits.n_recurrent, strict=True)]
    each = price.modules[module::n_modules]
    return sum(n * cost for n, cost in zip(counts, each, strict=True))


MAX_STEPS = 2000
"""Sets that a search for a completion looks at before it gives up."""


_Key = tuple[int, int, int]
"""Where a search is: in which cell, or -1 before all; how many are to come; how many are left."""


class Completion:
    """Looks for picks that bring others to a number, cheapest first.

    What led nowhere is not tried again, nor what stands to all rules as that did.

    Args:
        legality: What they obey together.
        stock: How many free groups there are of each traits.
        modules: Modules that may be used, in the order in which they are tried.
        max_steps: Sets to look at before it gives up.
    """

    def __init__(
        self,
        legality: Legality,
        stock: Mapping[Traits, int],
        modules: Sequence[int],
        max_steps: int = MAX_STEPS,
    ) -> None:
        self._legality = legality
        self._stock = stock
        order = sorted(stock, key=lambda traits: legality.cost_order(traits, modules))
        self._cells = [
            (traits, module)
            for traits in order
            for module in modules
            if module not in traits.misfits
        ]
        self._modules = modules
        self._left = max_steps
        self._failed: set[tuple[_Key, Standing]] = set()

    @cached_property
    def _concerned(self) -> list[tuple[int, ...]]:
        """By cell, the rules that have to do with what it or a later one holds; none at the end."""
        later, found = set[int](), [tuple[int, ...]()]
        for cell in reversed(self._cells):
            later |= self._legality.concerned(cell)
            found.append(tuple(sorted(later)))
        return found[::-1]

    @property
    def has_given_up(self) -> bool:
        """Whether it stopped looking, so that what it did not find there may be."""
        return self._left < 0

    def find(
        self, picks: Sequence[Pick], forced: Sequence[Traits], n_more: int
    ) -> list[Pick] | None:
        """Picks for all ``forced`` traits and ``n_more`` others; None where none were found.

        Raises:
            SpaceError: If they are too many to be looked for one by one.
        """
        try:
            return self._found(picks, forced, n_more)
        except RecursionError as error:
            n = len(picks) + len(forced) + max(0, n_more)
            raise SpaceError(
                f"layouts of {n} connections, or groups of them, are more than can be searched "
                "for; lower connections.at_least or at_most, or name fewer in always"
            ) from error

    def _found(
        self, picks: Sequence[Pick], forced: Sequence[Traits], n_more: int
    ) -> list[Pick] | None:
        found = self._with_forced(list(picks), list(forced), n_more)
        return None if found is None else found[len(picks) :]

    def _with_forced(
        self, picks: list[Pick], forced: list[Traits], n_more: int
    ) -> list[Pick] | None:
        key = -1, len(forced), 0
        n_open = len(forced) + max(0, n_more)
        if self.has_given_up or self._is_known(key, picks) or not self._is_open(picks, n_open):
            return None
        if not forced:
            return self._filled(picks, 0, n_more, dict(self._stock))
        for module in self._modules:
            found = self._with_forced([*picks, (forced[0], module)], forced[1:], n_more)
            if found is not None:
                return found
        self._note_failure(key, picks)
        return None

    def _filled(
        self, picks: list[Pick], cell: int, n_more: int, free: dict[Traits, int]
    ) -> list[Pick] | None:
        # Of the traits of earlier cells nothing is taken any more, and later ones are untouched.
        key = cell, n_more, free[self._cells[cell][0]] if cell < len(self._cells) else 0
        n_open = max(0, n_more)
        if self.has_given_up or self._is_known(key, picks) or not self._is_open(picks, n_open):
            return None
        if n_more <= 0:
            return picks
        for index in range(cell, len(self._cells)):
            traits, _ = pick = self._cells[index]
            if free[traits]:
                free[traits] -= 1
                found = self._filled([*picks, pick], index, n_more - 1, free)
                free[traits] += 1
                if found is not None:
                    return found
        self._note_failure(key, picks)
        return None

    def _is_known(self, key: _Key, picks: Sequence[Pick]) -> bool:
        """Whether what stands as these picks do led nowhere from this place on; that is a step."""
        if not self._failed or (key, self._standing(key, picks)) not in self._failed:
            return False
        self._left -= 1
        return True

    def _standing(self, key: _Key, picks: Sequence[Pick]) -> Standing:
        cell, *_ = key
        everything = range(len(self._legality.rules))
        return self._legality.standing(picks, everything if cell < 0 else self._concerned[cell])

    def _note_failure(self, key: _Key, picks: Sequence[Pick]) -> None:
        if not self.has_given_up:
            self._failed.add((key, self._standing(key, picks)))

    def _is_open(self, picks: Sequence[Pick], n_more: int) -> bool:
        """Whether picks are legal, and may become so many more as far as numbers say."""
        self._left -= 1
        return (
            self._left >= 0
            and self._legality.has_room(picks, len(picks) + n_more)
            and self._legality.allows(picks)
        )
