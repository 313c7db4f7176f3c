"""The baselines: layouts that every study evaluates first, since the answer is measured by them."""

import random
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


def make_baselines(space: SearchSpace, n_nodes: int, n_random: int, seed: int) -> list[Baseline]:
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
    """
    module, most = _dearest(space)
    made = [
        Baseline(HEAD_ONLY, Layout()),
        Baseline(EVERY_PARALLEL, _parallel(range(1, n_nodes), module)),
        Baseline(
            EVERY_SEQUENTIAL,
            Layout(tuple(Connection(node, node, module) for node in range(1, n_nodes))),
        ),
        Baseline(LAST_LAYERS, _parallel(range(max(1, n_nodes - most), n_nodes), module)),
    ]
    generator = random.Random(seed)  # noqa: S311 - reproducible, not secret
    made += [
        Baseline(
            f"{RANDOM} {index}",
            space.layout(generator.sample(space.pairs, most), [module] * most),
        )
        for index in range(1, n_random + 1)
    ]
    first = {baseline.layout.id: baseline for baseline in reversed(made)}
    return [baseline for baseline in made if first[baseline.layout.id] is baseline]


def _dearest(space: SearchSpace) -> tuple[ModuleSpec, int]:
    """The module, and how many connections of it, that spend most of the budget."""
    counts = [space.budget.how_many(cost, space.at_most) for cost in space.costs]
    spent = [count * cost for count, cost in zip(counts, space.costs, strict=True)]
    enough = [i for i, count in enumerate(counts) if count >= space.at_least]
    index = max(enough, key=lambda i: (spent[i], space.costs[i]))
    return space.modules[index], counts[index]


def _parallel(targets: range, module: ModuleSpec) -> Layout:
    return Layout(tuple(Connection(target - 1, target, module) for target in targets))
