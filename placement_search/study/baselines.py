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

    All use the dearest module of the space. The every-layer ones put a connection at each
    sub-layer and are references outside the budget; the last layers and the random layouts have as
    many connections as the space and its budget admit, so they cost at least what an answer does.

    Args:
        space: The space, whose candidates the random layouts are drawn from.
        n_nodes: Nodes of the backbone.
        n_random: How many random layouts.
        seed: Fixes them.
    """
    module = space.modules[-1]
    most = space.budget.how_many(space.costs[-1], space.at_most)
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


def _parallel(targets: range, module: ModuleSpec) -> Layout:
    return Layout(tuple(Connection(target - 1, target, module) for target in targets))
