"""Random sets of choices, and those next to a set: one more, one fewer, one moved or changed."""

import random
from collections.abc import Iterator, Sequence

from placement_search.space.choices import Choice, Choices
from placement_search.space.node_names import Pair

N_TRIES = 30
"""Moves that are tried for each neighbour that is asked for."""


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
    space: Choices, ends: Sequence[Pair], chosen: Sequence[Choice], generator: random.Random
) -> Iterator[list[Choice]]:
    """Random sets that are one move away, without end; a move that nothing allows gives none.

    Args:
        space: What contains them.
        ends: The first connection of every group, by its number.
        chosen: A set that the space contains.
        generator: Draws.
    """
    moves = [_added, _dropped, _end_moved, _module_exchanged]
    while True:
        made = generator.choice(moves)(space, ends, list(chosen), generator)
        yield made if space.contains(made) and set(made) != set(chosen) else []


def _added(
    space: Choices, ends: Sequence[Pair], chosen: list[Choice], generator: random.Random
) -> list[Choice]:
    del ends
    taken = {group for group, _ in chosen}
    if len(taken) == len(space.traits):
        return chosen
    is_given = space.is_module_shared and chosen
    module = chosen[0][1] if is_given else generator.randrange(space.legality.n_modules)
    free = [group for group in space.fitting(module) if group not in taken]
    if not free:
        return chosen
    return [*chosen, (generator.choice(free), module)]


def _dropped(
    space: Choices, ends: Sequence[Pair], chosen: list[Choice], generator: random.Random
) -> list[Choice]:
    del ends
    droppable = [choice for choice in chosen if choice[0] not in space.always]
    gone = generator.choice(droppable) if droppable else None
    return [choice for choice in chosen if choice != gone]


def _end_moved(
    space: Choices, ends: Sequence[Pair], chosen: list[Choice], generator: random.Random
) -> list[Choice]:
    movable = [i for i, choice in enumerate(chosen) if choice[0] not in space.always]
    if not movable:
        return chosen
    index = generator.choice(movable)
    (group, module), end = chosen[index], generator.randrange(2)
    kept, taken = ends[group][end], {g for g, _ in chosen}
    near = [g for g in space.fitting(module) if ends[g][end] == kept and g not in taken]
    if near:
        chosen[index] = generator.choice(near), module
    return chosen


def _module_exchanged(
    space: Choices, ends: Sequence[Pair], chosen: list[Choice], generator: random.Random
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
