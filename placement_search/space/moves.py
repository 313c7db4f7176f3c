"""Random sets of choices, and those next to a set: one more, one fewer, one moved or changed."""

import random
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TypeVar

from placement_search.space.choices import Choice, Choices
from placement_search.space.node_names import Pair

T = TypeVar("T")

N_TRIES = 30
"""Moves that are tried for each neighbour that is asked for."""


class Ends:
    """Which groups have an end in common.

    Args:
        firsts: The first connection of every group, by its number; it stands for all of them.
        free: The groups that a set may have or not.
    """

    def __init__(self, firsts: Sequence[Pair], free: Sequence[int]) -> None:
        self._firsts = firsts
        self._at: tuple[dict[int, list[int]], ...] = ({}, {})
        for group in free:
            for end, at in enumerate(self._at):
                at.setdefault(firsts[group][end], []).append(group)

    def near(self, group: int, end: int) -> Sequence[int]:
        """The free groups with the same source (0) or target (1) as this one, which is free too."""
        return self._at[end][self._firsts[group][end]]


def random_choices(space: Choices, generator: random.Random) -> list[Choice]:
    """A random set: its size first, then its groups, then its modules, each at random."""
    n = generator.randint(space.at_least, space.legality.at_most)
    groups = sorted(space.always) + generator.sample(space.free, n - len(space.always))
    shared = generator.randrange(space.legality.n_modules)
    return space.repaired([
        (g, shared if space.is_module_shared else generator.choice(space.modules_of(g)))
        for g in groups
    ])  # fmt: skip


def moved_choices(
    space: Choices, ends: Ends, chosen: Sequence[Choice], generator: random.Random
) -> Iterator[list[Choice]]:
    """Random sets that are one move away, without end; a move that nothing allows gives none.

    Args:
        space: What contains them.
        ends: Of its groups.
        chosen: A set that the space contains.
        generator: Draws.
    """
    moves = [_added, _dropped, _end_moved, _module_exchanged]
    while True:
        made = generator.choice(moves)(space, ends, list(chosen), generator)
        yield made if space.contains(made) and set(made) != set(chosen) else []


def _added(
    space: Choices, ends: Ends, chosen: list[Choice], generator: random.Random
) -> list[Choice]:
    del ends
    taken = {group for group, _ in chosen}
    if len(taken) == len(space.traits):
        return chosen
    is_given = space.is_module_shared and chosen
    module = chosen[0][1] if is_given else generator.randrange(space.legality.n_modules)
    group = _not_taken(space.fitting(module), taken, generator)
    return chosen if group is None else [*chosen, (group, module)]


def _not_taken(groups: Sequence[int], taken: set[int], generator: random.Random) -> int | None:
    """A random one of sorted groups that is not taken; None where all are."""
    found = ((bisect_left(groups, group), group) for group in taken)
    gaps = sorted(place for place, group in found if groups[place : place + 1] == (group,))
    if len(gaps) == len(groups):
        return None
    number = generator.randrange(len(groups) - len(gaps))
    for place in gaps:
        number += place <= number
    return groups[number]


def _dropped(
    space: Choices, ends: Ends, chosen: list[Choice], generator: random.Random
) -> list[Choice]:
    del ends
    droppable = [choice for choice in chosen if choice[0] not in space.always]
    gone = generator.choice(droppable) if droppable else None
    return [choice for choice in chosen if choice != gone]


def _end_moved(
    space: Choices, ends: Ends, chosen: list[Choice], generator: random.Random
) -> list[Choice]:
    movable = [i for i, choice in enumerate(chosen) if choice[0] not in space.always]
    if not movable:
        return chosen
    index = generator.choice(movable)
    (group, module), end = chosen[index], generator.randrange(2)
    taken = {g for g, _ in chosen}
    near = [g for g in ends.near(group, end) if g not in taken]
    if space.has_misfits:
        near = [g for g in near if space.fits(g, module)]
    if near:
        chosen[index] = generator.choice(near), module
    return chosen


def _module_exchanged(
    space: Choices, ends: Ends, chosen: list[Choice], generator: random.Random
) -> list[Choice]:
    del ends
    module = generator.randrange(space.legality.n_modules)
    if space.is_module_shared:
        return [(group, module) for group, _ in chosen]
    fitting = [i for i, (group, _) in enumerate(chosen) if space.fits(group, module)]
    if fitting:
        index = generator.choice(fitting)
        chosen[index] = chosen[index][0], module
    return chosen


def fitting_choices(
    space: Choices, chosen: Sequence[Choice], generator: random.Random
) -> list[Choice] | None:
    """The same modules at different random groups that they fit; groups always there stay.

    Returns:
        None where there are too few.
    """
    kept = [choice for choice in chosen if choice[0] in space.always]
    modules = [module for group, module in chosen if group not in space.always]
    if not space.has_misfits:
        groups: list[int] | None = generator.sample(space.free, len(modules))
    else:
        fitting = {module: space.fitting(module) for module in set(modules)}
        groups = drawn_apart([fitting[module] for module in modules], generator)
    return None if groups is None else [*kept, *zip(groups, modules, strict=True)]


def drawn_apart(options: Sequence[Sequence[T]], generator: random.Random) -> list[T] | None:
    """One random entry of each list, no two alike; the shortest lists are drawn from first.

    Where of any two lists one holds the other, as where one module fits everywhere, all results are
    equally likely.

    Returns:
        In the order of ``options``; None where an entry was left for none of a list.
    """
    drawn: dict[int, T] = {}
    for index in sorted(range(len(options)), key=lambda index: len(options[index])):
        taken = set(drawn.values())
        left = [each for each in options[index] if each not in taken]
        if not left:
            return None
        drawn[index] = generator.choice(left)
    return [drawn[index] for index in range(len(options))]
