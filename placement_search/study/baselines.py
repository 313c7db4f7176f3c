"""The baselines: layouts that every study evaluates first, since the answer is measured by them."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from placement_search.layout import Connection, Layout, ModuleSpec
from placement_search.space.search_space import SearchSpace


@dataclass(frozen=True, slots=True)
class Baseline:
    """A layout with the role that it plays in a study."""

    role: str
    layout: Layout


HEAD_ONLY = "head only"
EVERY_PARALLEL = "every layer, parallel"
EVERY_SEQUENTIAL = "every layer, sequential"
LAST_LAYERS = "last layers"
RANDOM = "random"


def make_baselines(
    space: SearchSpace,
    n_nodes: int,
    n_random: int,
    seed: int,
    further: Sequence[Baseline] = (),
) -> list[Baseline]:
    """The baselines of a study, first to last; a layout that would repeat is left out.

    All use one module, the one with which the most connections that the space and its budget admit
    come nearest to the budget, so that random layouts cost what an answer may cost. The last layers
    have as many connections; the every-layer ones put a connection at each sub-layer and are
    references outside the budget.

    Args:
        space: The space, whose candidates the random layouts are drawn from.
        n_nodes: Nodes of the backbone.
        n_random: How many random layouts.
        seed: Fixes them.
        further: Others that stand before the random ones.
    """
    number, most = dearest(space)
    module, generator = space.modules[number], random.Random(seed)  # noqa: S311 - reproducible
    drawn = [random_of(space, number, most, generator) for _ in range(n_random)]
    n_last = len(drawn[0].connections) if drawn else most
    made = [
        Baseline(HEAD_ONLY, Layout()),
        *(Baseline(role, layout) for role, layout in every_layer(n_nodes, module).items()),
        Baseline(LAST_LAYERS, parallel(range(max(1, n_nodes - n_last), n_nodes), module)),
        *further,
        *(Baseline(f"{RANDOM} {index}", layout) for index, layout in enumerate(drawn, start=1)),
    ]
    return without_repeats(made)


def without_repeats(made: Sequence[Baseline]) -> list[Baseline]:
    """The first of each layout."""
    first = {baseline.layout.id: baseline for baseline in reversed(made)}
    return [baseline for baseline in made if first[baseline.layout.id] is baseline]


def dearest(space: SearchSpace) -> tuple[int, int]:
    """The module, and how many groups of connections with it, that spend most of the budget."""
    counts = [space.choices.most(number) for number in range(len(space.modules))]
    enough = [number for number, count in enumerate(counts) if count >= space.at_least]
    if not enough:  # no module will do for all connections of a layout
        return 0, space.at_least
    number = max(enough, key=lambda i: (counts[i] * space.costs[i], space.costs[i]))
    return number, counts[number]


def random_of(space: SearchSpace, module: int, n: int, generator: random.Random) -> Layout:
    """A random layout of ``n`` groups with one module, as far as conditions allow."""
    always = sorted(space.choices.always)
    groups = always + generator.sample(space.choices.free, n - len(always))
    return space.layout_of(space.choices.repaired([(group, module) for group in groups]))


def every_layer(n_nodes: int, module: ModuleSpec) -> dict[str, Layout]:
    """A connection at each sub-layer, parallel to it and after it, by role."""
    nodes = range(1, n_nodes)
    return {
        EVERY_PARALLEL: parallel(nodes, module),
        EVERY_SEQUENTIAL: Layout(tuple(Connection(node, node, module) for node in nodes)),
    }


def parallel(targets: Iterable[int], module: ModuleSpec) -> Layout:
    """Connections beside the sub-layers that lead to these nodes."""
    return Layout(tuple(Connection(target - 1, target, module) for target in targets))
