"""How many layouts a space has."""

import math
from collections import Counter

from placement_search.space.choices import Choices
from placement_search.space.legality import Pick, Traits

MAX_STEPS = 100_000
"""Sets of traits that are looked at before counting is given up; about two seconds."""


def count_layouts(choices: Choices) -> int | None:
    """The number of sets, budget and conditions counted in; None where counting takes too long."""
    legality = choices.legality
    if not legality.rules and not legality.limits:
        return count_freely(choices)
    modules = list(range(legality.n_modules))
    sets = [[module] for module in modules] if choices.is_module_shared else [modules]
    counter = _Counter(choices)
    try:
        return sum(counter.count(each) for each in sets)
    except _TooManyError:
        return None


def count_freely(choices: Choices) -> int:
    """The number of sets, with budget and conditions left out of account."""
    legality, n_always = choices.legality, len(choices.always)
    n_free = len(choices.traits) - n_always
    return sum(
        math.comb(n_free, n - n_always)
        * (legality.n_modules if choices.is_module_shared else legality.n_modules**n)
        for n in range(choices.at_least, legality.at_most + 1)
    )


class _TooManyError(Exception):
    """There are more sets of traits than can be looked at."""


class _Counter:
    """Counts sets by how many of each traits and module they have, which is all that matters."""

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._left = MAX_STEPS

    def count(self, modules: list[int]) -> int:
        stock = Counter(self._choices.traits[group] for group in self._choices.free)
        self._cells = [(traits, module) for traits in stock for module in modules]
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
        """Sets that add to legal picks what is in this cell or a later one."""
        legality = self._choices.legality
        if cell == len(self._cells) or len(picks) == legality.at_most:
            return int(len(picks) >= self._choices.at_least)
        traits, _ = pick = self._cells[cell]
        n_free, total = stock[traits], 0
        for n in range(min(n_free, legality.at_most - len(picks)) + 1):
            more = picks + [pick] * n
            if n and not self._is_open(more):
                break
            rest = stock | Counter[Traits]()
            rest[traits] = n_free - n
            total += math.comb(n_free, n) * self._from(cell + 1, more, rest)
        return total

    def _is_open(self, picks: list[Pick]) -> bool:
        self._left -= 1
        if self._left < 0:
            raise _TooManyError
        return self._choices.legality.allows(picks)
