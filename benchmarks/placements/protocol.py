"""What the tabular benchmark trains, in which order; changing it makes another benchmark."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from placement_search.evaluation.plan import TrainingPlan
from placement_search.layout import Connection, Layout, ModuleSpec, make_module
from placement_search.modules import MODULE_TYPES

TASKS = ("digits", "digits-location", "digits-rotation", "digits-count")
"""The embedded tasks, which the shipped table holds."""
SHORT, LONG = TrainingPlan(epochs=4), TrainingPlan(epochs=16)
"""A trial of a search by default, and four times as much, of single connections alone."""
N_REPLICATES = 3
"""Seeds of every single connection; sets of several have one."""
N_SETS = 1000
SIZES = (2, 6)
"""Fewest and most connections of a set."""
SETS_SEED = 20_241
RANK = 8
LENGTHS = (1, 2, 4, 8, 16)
"""Epochs that some layouts are trained for, to see how well short trials rank as long ones do."""
N_COMPARED = 30
"""Single connections, and as many sets, that are trained so."""
N_CHUNKS = 4
"""Sets come in so many parts, between which the tasks take turns; the first before more seeds."""


@dataclass(frozen=True, slots=True)
class Run:
    """One training of the table.

    Args:
        layout: What is trained.
        replicate: From 0; fixes the seed together with the layout.
        plan: How long.
    """

    layout: Layout
    replicate: int
    plan: TrainingPlan

    @property
    def key(self) -> tuple[str, int, int]:
        """What a row is known by: the layout's id, replicate and epochs."""
        return self.layout.id, self.replicate, self.plan.epochs


def module() -> ModuleSpec:
    """The module of every connection."""
    return make_module(MODULE_TYPES, "bottleneck", {"rank": RANK}, "the protocol")


def single_connections(n_nodes: int) -> list[Layout]:
    """Every connection of a backbone alone, by source and target."""
    nodes = range(n_nodes)
    return [Layout((Connection(s, t, module()),)) for s in nodes for t in nodes]


def random_sets(n_nodes: int) -> list[Layout]:
    """Different layouts of several connections, drawn from all pairs; the same for every task."""
    generator = random.Random(SETS_SEED)  # noqa: S311 - reproducible, not secret
    pairs = [(s, t) for s in range(n_nodes) for t in range(n_nodes)]
    sets: dict[str, Layout] = {}
    while len(sets) < N_SETS:
        chosen = generator.sample(pairs, generator.randint(*SIZES))
        layout = Layout(tuple(Connection(s, t, module()) for s, t in chosen))
        sets.setdefault(layout.id, layout)
    return list(sets.values())


def compared_layouts(n_nodes: int) -> list[Layout]:
    """Single connections and sets that are trained for all lengths."""
    alone = single_connections(n_nodes)
    chosen = random.Random(SETS_SEED).sample(alone, N_COMPARED)  # noqa: S311
    return [*chosen, *random_sets(n_nodes)[:N_COMPARED]]


def stages(n_nodes: int) -> Iterator[list[Run]]:
    """All runs, in parts that each task finishes before any goes on to the next.

    A table that was stopped between two of them holds the same layouts for every task: head only
    and single connections first, then some layouts at all lengths, a quarter of the sets, two more
    seeds of the single connections, the other sets, and last the single connections trained for
    long. What comes twice is trained once.
    """
    alone = [Layout(), *single_connections(n_nodes)]
    sets = random_sets(n_nodes)
    size = -(-len(sets) // N_CHUNKS)
    yield [Run(layout, 0, SHORT) for layout in alone]
    yield [
        Run(layout, 0, TrainingPlan(epochs=epochs))
        for layout in compared_layouts(n_nodes)
        for epochs in LENGTHS
    ]
    yield [Run(layout, 0, SHORT) for layout in sets[:size]]
    for replicate in range(1, N_REPLICATES):
        yield [Run(layout, replicate, SHORT) for layout in alone]
    for start in range(size, len(sets), size):
        yield [Run(layout, 0, SHORT) for layout in sets[start : start + size]]
    for replicate in range(N_REPLICATES):
        yield [Run(layout, replicate, LONG) for layout in alone]
