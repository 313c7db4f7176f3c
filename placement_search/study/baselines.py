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
    module, most = dearest(space)
    made = [
        Baseline(HEAD_ONLY, Layout()),
        *(Baseline(role, layout) for role, layout in every_layer(n_nodes, module).items()),
        Baseline(LAST_LAYERS, parallel(range(max(1, n_nodes - most), n_nodes), module)),
        *further,
    ]
    generator = random.Random(seed)  # noqa: S311 - reproducible, not secret
    made += [
        Baseline(
            f"{RANDOM} {index}",
            space.layout(generator.sample(space.pairs, most), [module] * most),
        )
        for index in range(1, n_random + 1)
    ]
    return without_repeats(made)


def without_repeats(made: Sequence[Baseline]) -> list[Baseline]:
    """The first of each layout."""
    first = {baseline.layout.id: baseline for baseline in reversed(made)}
    return [baseline for baseline in made if first[baseline.layout.id] is baseline]


def dearest(space: SearchSpace) -> tuple[ModuleSpec, int]:
    """The module, and how many connections of it, that spend most of the budget."""
    counts = [space.budget.how_many(cost, space.at_most) for cost in space.costs]
    spent = [count * cost for count, cost in zip(counts, space.costs, strict=True)]
    enough = [i for i, count in enumerate(counts) if count >= space.at_least]
    index = max(enough, key=lambda i: (spent[i], space.costs[i]))
    return space.modules[index], counts[index]


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
