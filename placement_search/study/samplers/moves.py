"""Small changes of a layout: one connection more, one less, an end elsewhere, another module."""

import random
from collections.abc import Callable, Sequence

from placement_search.layout import Connection, Layout
from placement_search.space.search_space import SearchSpace

REACH = 3
"""Nodes by which an end moves at most, when it does not jump."""
N_TRIES = 4
"""Attempts for each neighbour that is asked for; some moves leave the space."""


def neighbours(
    space: SearchSpace, layout: Layout, generator: random.Random, n: int
) -> list[Layout]:
    """Up to ``n`` different layouts of a space, each one move away.

    Args:
        space: Which they stay in.
        layout: Where they start; of the space itself.
        generator: Draws the moves.
        n: How many.
    """
    moves = [_moved, _jumped, _added, _dropped, _exchanged]
    found: dict[Layout, None] = {}
    for _ in range(n * N_TRIES):
        if len(found) == n:
            break
        made = generator.choice(moves)(space, layout, generator)
        if made is not None and made != layout and space.contains(made):
            found[made] = None
    return list(found)


def random_layout(space: SearchSpace, generator: random.Random) -> Layout | None:
    """A layout with a random number of random connections; None where it breaks the budget."""
    size = generator.randint(space.at_least, space.at_most)
    pairs = generator.sample(space.pairs, size)
    if space.is_module_shared:
        modules = [generator.choice(space.modules)] * size
    else:
        modules = generator.choices(space.modules, k=size)
    made = space.layout(pairs, modules)
    return made if space.contains(made) else None


Move = Callable[[SearchSpace, Layout, random.Random], Layout | None]


def _moved(space: SearchSpace, layout: Layout, generator: random.Random) -> Layout | None:
    """One end of one connection a few nodes further."""
    old = generator.choice(layout.connections)
    step = generator.choice([-1, 1]) * generator.randint(1, REACH)
    source, target = old.source, old.target
    if generator.random() < 0.5:
        source += step
    else:
        target += step
    return _with(space, layout, old, (source, target))


def _jumped(space: SearchSpace, layout: Layout, generator: random.Random) -> Layout | None:
    """One connection anywhere else."""
    return _with(space, layout, generator.choice(layout.connections), generator.choice(space.pairs))


def _with(
    space: SearchSpace, layout: Layout, old: Connection, pair: tuple[int, int]
) -> Layout | None:
    """A layout with one connection in another place; None where the place is taken or none."""
    kept = [each for each in layout.connections if each is not old]
    if min(pair) < 0 or pair in {(each.source, each.target) for each in kept}:
        return None
    return _made(space, [*kept, Connection(*pair, old.module)])


def _added(space: SearchSpace, layout: Layout, generator: random.Random) -> Layout | None:
    pair = generator.choice(space.pairs)
    if pair in {(each.source, each.target) for each in layout.connections}:
        return None
    module = (
        layout.connections[0].module if space.is_module_shared else generator.choice(space.modules)
    )
    return _made(space, [*layout.connections, Connection(*pair, module)])


def _dropped(space: SearchSpace, layout: Layout, generator: random.Random) -> Layout | None:
    if len(layout.connections) < 2:
        return None
    old = generator.choice(layout.connections)
    return _made(space, [each for each in layout.connections if each is not old])


def _exchanged(space: SearchSpace, layout: Layout, generator: random.Random) -> Layout | None:
    """Another module, for one connection or for all where they share it."""
    if len(space.modules) < 2:
        return None
    module = generator.choice(space.modules)
    old = generator.choice(layout.connections)
    return _made(
        space,
        [
            Connection(each.source, each.target, module)
            if space.is_module_shared or each is old
            else each
            for each in layout.connections
        ],
    )


def _made(space: SearchSpace, connections: Sequence[Connection]) -> Layout:
    pairs = [(each.source, each.target) for each in connections]
    return space.layout(pairs, [each.module for each in connections])
