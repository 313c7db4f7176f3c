"""Random sets of choices with as many connections of each module, where groups differ in size."""

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from placement_search.space.choices import Choice, Choices
from placement_search.space.moves import drawn_apart

MAX_STATES = 100_000
"""Steps of a count, about, beyond which each group is exchanged for one of its own size."""


class Sort(NamedTuple):
    """Groups with equally many connections that the same modules fit.

    Args:
        size: Connections of each.
        n: How many groups.
        fits: Whether each of the modules that are asked about fits them.
    """

    size: int
    n: int
    fits: tuple[bool, ...]


def equally_sized(
    space: Choices, sizes: Sequence[int], chosen: Sequence[Choice], generator: random.Random
) -> list[Choice] | None:
    """A random set with as many connections of each module as ``chosen``, whatever their groups.

    Groups that are always there stay as they are. All sets are equally likely whose number of
    groups is one of the space's; its other rules are not looked at. Only where the sets would take
    too long to count does each group give way to one that has as many connections.

    Args:
        space: Whose groups and modules.
        sizes: Connections of every group, by its number.
        chosen: A set that the space contains.
        generator: Draws.

    Returns:
        None where nothing was found.
    """
    kept = [choice for choice in chosen if choice[0] in space.always]
    moved = [choice for choice in chosen if choice[0] not in space.always]
    if not moved:
        return kept
    wanted = Counter[int]()
    for group, module in moved:
        wanted[module] += sizes[group]
    n_sorts = len(_members(space, sizes, wanted))
    if math.prod(n + 1 for n in wanted.values()) * n_sorts * len(wanted) <= MAX_STATES:
        return kept + of_connections(space, sizes, wanted, generator)
    made = _exchanged(space, sizes, moved, generator)
    return None if made is None else kept + made


def of_connections(
    space: Choices, sizes: Sequence[int], wanted: Mapping[int, int], generator: random.Random
) -> list[Choice]:
    """A random set of free groups with so many connections by module, all sets equally likely.

    Args:
        space: Whose groups and modules.
        sizes: Connections of every group, by its number.
        wanted: What some set has, see `n_sets`.
        generator: Draws.
    """
    members, made = _members(space, sizes, wanted), list[Choice]()
    for each, row in zip(
        members.values(), _counts_of(space, members, wanted).draw(generator), strict=True
    ):
        modules = [module for module, n in zip(wanted, row, strict=True) for _ in range(n)]
        made += zip(generator.sample(each, len(modules)), modules, strict=True)
    return made


def n_sets(space: Choices, sizes: Sequence[int], wanted: Mapping[int, int]) -> int:
    """How many sets of free groups have so many connections by module.

    Args:
        space: Whose groups and modules.
        sizes: Connections of every group, by its number.
        wanted: One module at least.
    """
    return _counts_of(space, _members(space, sizes, wanted), wanted).n_sets


def _members(
    space: Choices, sizes: Sequence[int], modules: Iterable[int]
) -> dict[tuple[int, tuple[bool, ...]], list[int]]:
    """Free groups by their size, and by which of the modules fit them."""
    members: dict[tuple[int, tuple[bool, ...]], list[int]] = {}
    for group in space.free:
        fits = tuple(space.fits(group, module) for module in modules)
        members.setdefault((sizes[group], fits), []).append(group)
    return members


def _counts_of(
    space: Choices,
    members: Mapping[tuple[int, tuple[bool, ...]], Sequence[int]],
    wanted: Mapping[int, int],
) -> "_Counts":
    sorts = tuple(Sort(size, len(each), fits) for (size, fits), each in members.items())
    n_always = len(space.always)
    fewest, most = space.at_least - n_always, space.legality.at_most - n_always
    return _counted(sorts, tuple(wanted.values()), fewest, most)


def _exchanged(
    space: Choices, sizes: Sequence[int], chosen: Sequence[Choice], generator: random.Random
) -> list[Choice] | None:
    """For each choice another group of its size that its module fits; None where one lacks."""
    options = [
        [other for other in space.fitting(module) if sizes[other] == sizes[group]]
        for group, module in chosen
    ]
    drawn = drawn_apart(options, generator)
    if drawn is None:
        return None
    return [(group, module) for group, (_, module) in zip(drawn, chosen, strict=True)]


class _Counts:
    """How many sets of groups have just so many connections of each module.

    Args:
        sorts: The groups.
        wanted: Connections by module, one module at least.
        fewest: Groups of a set.
        most: Groups of a set.
    """

    def __init__(
        self, sorts: Sequence[Sort], wanted: tuple[int, ...], fewest: int, most: int
    ) -> None:
        self._sorts, self._wanted, self._most = sorts, wanted, most
        self._slack = most - max(fewest, 0)
        self._cells = [(sort, module) for sort in sorts for module in range(len(wanted))]
        self._known: dict[tuple[int, int, tuple[int, ...], int], int] = {}

    @property
    def n_sets(self) -> int:
        """All of them."""
        return self._n_sets(0, 0, self._wanted, self._most)

    def draw(self, generator: random.Random) -> list[tuple[int, ...]]:
        """By sort, how many groups have each module; as likely as there are such sets.

        There must be one.
        """
        left, due, room = 0, self._wanted, self._most
        drawn: list[int] = []
        for place in range(len(self._cells)):
            options = self._options(place, left, due, room)
            total = sum(options.values())
            n = generator.choices(list(options), [w / total for w in options.values()])[0]
            drawn.append(n)
            left, due, room = self._after(place, left, due, room, n)
        n_modules = len(self._wanted)
        starts = range(0, len(drawn), n_modules)
        return [tuple(drawn[start : start + n_modules]) for start in starts]

    def _options(self, place: int, left: int, due: tuple[int, ...], room: int) -> dict[int, int]:
        """By how many groups of this cell a set has, how many sets there are from here on."""
        sort, module = self._cells[place]
        free = left if module else sort.n
        most = min(free, due[module] // sort.size, room) if sort.fits[module] else 0
        found = {
            n: math.comb(free, n) * self._n_sets(place + 1, *self._after(place, left, due, room, n))
            for n in range(most + 1)
        }
        return {n: weight for n, weight in found.items() if weight}

    def _after(
        self, place: int, left: int, due: tuple[int, ...], room: int, n: int
    ) -> tuple[int, tuple[int, ...], int]:
        """Groups of the sort, connections and groups of the set that are left after a cell."""
        sort, module = self._cells[place]
        rest = due[module] - n * sort.size
        is_last = module == len(due) - 1
        free = 0 if is_last else (left if module else sort.n) - n
        return free, (*due[:module], rest, *due[module + 1 :]), room - n

    def _n_sets(self, place: int, left: int, due: tuple[int, ...], room: int) -> int:
        if not any(due):
            return int(room <= self._slack)
        if place == len(self._cells):
            return 0
        key = place, left, due, room
        if key not in self._known:
            self._known[key] = sum(self._options(*key).values())
        return self._known[key]


_counted = lru_cache(maxsize=4)(_Counts)
