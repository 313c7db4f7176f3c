"""How many layouts a space has."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from placement_search.space.choices import Choices
from placement_search.space.cost_table import Price
from placement_search.space.legality import Pick, Traits, own_cost

MAX_STEPS = 100_000
"""Sets of traits that are looked at before counting is given up; about two seconds."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Sets of choices that were counted.

    Args:
        n_sets: Their number.
        sizes: Fewest and most groups of one.
        parameters: Fewest and most parameters of one.
    """

    n_sets: int
    sizes: tuple[int, int]
    parameters: tuple[int, int]


def count_layouts(choices: Choices) -> int | None:
    """The number of sets, budget and conditions counted in; None where counting takes too long."""
    legality = choices.legality
    is_free = not legality.rules and not legality.limits
    return count_freely(choices) if is_free else _count(choices, lambda _: None)


def _count(choices: Choices, see: Callable[[Sequence[Pick]], None]) -> int | None:
    """The number of sets, those that rules can't tell apart seen once; None for too many."""
    counter = _Counter(choices, see)
    try:
        return sum(counter.count(each) for each in choices.module_sets)
    except (_TooManyError, RecursionError):  # of very many that are always there
        return None


def count_freely(choices: Choices) -> int:
    """The number of sets, with budget and conditions left out of account."""
    return sum(_count_among(choices, modules) for modules in choices.module_sets)


def _count_among(choices: Choices, modules: list[int]) -> int:
    """The number of sets with these modules.

    A group that k of them fit counts as the polynomial 1 + k·x, or as k·x where it is always there;
    their product's coefficient of x^n is the number of sets of n groups.
    """
    n_always, at_most = len(choices.always), choices.legality.at_most

    def n_fitting(group: int) -> int:
        return sum(choices.fits(group, module) for module in modules)

    made = [math.prod(n_fitting(group) for group in choices.always)]
    for k, n_alike in Counter(map(n_fitting, choices.free)).items():
        more = [math.comb(n_alike, n) * k**n for n in range(min(n_alike, at_most) + 1)]
        made = [
            sum(made[i] * more[n - i] for i in range(len(made)) if 0 <= n - i < len(more))
            for n in range(min(len(made) + len(more) - 1, at_most + 1))
        ]
    return sum(made[max(0, choices.at_least - n_always) : at_most - n_always + 1])


def counted_one_by_one(choices: Choices, price: Price) -> Counted | None:
    """The sets, budget and conditions counted in; None where that takes too long.

    Args:
        choices: The space's.
        price: Of parameters.
    """
    tally = _Tally(price, choices.legality.n_modules)
    n_sets = _count(choices, tally.see)
    return None if n_sets is None else Counted(n_sets, tally.sizes, tally.parameters)


class _Tally:
    """The sizes and the parameters of the sets that it sees."""

    def __init__(self, price: Price, n_modules: int) -> None:
        self._price, self._n_modules = price, n_modules
        self._own: dict[Pick, int] = {}
        self._seen: set[tuple[int, int]] = set()

    def see(self, picks: Sequence[Pick]) -> None:
        """Take a set into account."""
        shared = self._price.shared
        total = sum(shared[module] for module in {m for _, m in picks}) if shared else 0
        for pick in picks:
            if pick not in self._own:
                self._own[pick] = int(own_cost(self._price, *pick, self._n_modules))
            total += self._own[pick]
        self._seen.add((len(picks), int(total)))

    @property
    def sizes(self) -> tuple[int, int]:
        """Fewest and most groups."""
        return min(n for n, _ in self._seen), max(n for n, _ in self._seen)

    @property
    def parameters(self) -> tuple[int, int]:
        """Fewest and most parameters."""
        return min(total for _, total in self._seen), max(total for _, total in self._seen)


class _TooManyError(Exception):
    """There are more sets of traits than can be looked at."""


class _Counter:
    """Counts sets by how many of each traits and module they have, which is all that matters."""

    def __init__(self, choices: Choices, see: Callable[[Sequence[Pick]], None]) -> None:
        self._choices = choices
        self._see = see
        self._left = MAX_STEPS

    def count(self, modules: list[int]) -> int:
        stock = Counter(self._choices.traits[group] for group in self._choices.free)
        self._cells = [
            (traits, module)
            for traits in stock
            for module in modules
            if module not in traits.misfits
        ]
        forced = self._choices.forced(set())
        return self._with_forced([], forced, modules, stock)

    def _with_forced(
        self, picks: list[Pick], forced: list[Traits], modules: list[int], stock: Counter[Traits]
    ) -> int:
        if not self._is_open(picks):
            return 0
        if not forced:
            return self._from(0, picks, stock)
        return sum(
            self._with_forced([*picks, (forced[0], module)], forced[1:], modules, stock)
            for module in modules
        )

    def _from(self, cell: int, picks: list[Pick], stock: Counter[Traits]) -> int:
        """Legal picks, and sets that add to them what is in this cell or a later one."""
        total, room = 0, self._choices.legality.at_most - len(picks)
        if len(picks) >= self._choices.at_least:
            self._see(picks)
            total = 1
        for number in range(cell, len(self._cells) if room else cell):
            traits, _ = pick = self._cells[number]
            n_free = stock[traits]
            for n in range(1, min(n_free, room) + 1):
                more = picks + [pick] * n
                if not self._is_open(more):
                    break
                rest = Counter(stock)
                rest[traits] -= n
                total += math.comb(n_free, n) * self._from(number + 1, more, rest)
        return total

    def _is_open(self, picks: list[Pick]) -> bool:
        self._left -= 1
        if self._left < 0:
            raise _TooManyError
        return self._choices.legality.allows(picks)
