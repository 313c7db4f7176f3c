"""Baselines that spend what an answer may: spread evenly, chosen greedily, thin in every layer."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from placement_search.layout import Layout, ModuleSpec, ModuleTypes, make_module
from placement_search.places import Places
from placement_search.space.cost_table import CostTable, Price, Usage
from placement_search.space.search_space import SearchSpace
from placement_search.study.baselines import (
    Baseline,
    dearest,
    every_layer,
    parallel,
    random_of,
)
from placement_search.study.greedy import greedy_groups

EVENLY_SPREAD = "evenly spread"
GREEDY = "greedy by numerical rank (GGA)"
GREEDY_PROXY = "numerical_rank"
"""The paper's choice, made on the paper's own proxy."""
SAME_BUDGET = "same budget"
RANK = "rank"
"""The setting that every-layer baselines lower until they fit."""


@dataclass(frozen=True, slots=True)
class EqualBudget:
    """Baselines at the budget, and what there was to say of those that were left out.

    Args:
        baselines: First to last.
        notes: By role, why it is missing.
    """

    baselines: tuple[Baseline, ...]
    notes: dict[str, str]


def equal_budget_baselines(
    space: SearchSpace,
    types: ModuleTypes,
    n_nodes: int,
    scores: Sequence[Sequence[float]] | None,
    seed: int = 0,
) -> EqualBudget:
    """Baselines that cost at most what an answer may, each by its own rule for the places.

    Args:
        space: The space, whose dearest layout they may cost where no budget is given.
        types: The module types.
        n_nodes: Nodes of the backbone.
        scores: ``GREEDY_PROXY`` by ``[source][target]``; None where the study has no proxy map.
        seed: That of the random baselines, whose number of connections the spread ones have.
    """
    number, most = dearest(space)
    module = space.modules[number]
    baselines: list[Baseline] = []
    notes: dict[str, str] = {}
    for base, layout in every_layer(n_nodes, module).items():
        role, n = f"{base}, {SAME_BUDGET}", len(layout.connections)
        thin, reason = thinned(module, n, affordable(space), types, space.places)
        if thin is not None:
            costs = _table_with(thin, number, space, types).costs_of(_forward(n))
            reason = space.budget.excess(costs)
        if thin is None or reason:
            notes[role] = f"left out: {reason}"
        else:
            baselines.append(Baseline(role, every_layer(n_nodes, thin)[base]))
    alike = random_of(space, number, most, random.Random(seed))  # noqa: S311 - reproducible
    places = spread(len(alike.connections), n_nodes - 1)
    baselines.append(Baseline(EVENLY_SPREAD, parallel(places, module)))
    if scores is None:
        notes[GREEDY] = "left out: the study has no proxy map"
    else:
        baselines.append(Baseline(GREEDY, _greedy(space, scores, number, most)))
    return EqualBudget(tuple(baselines), notes)


def _greedy(space: SearchSpace, scores: Sequence[Sequence[float]], module: int, n: int) -> Layout:
    """``n`` groups with one module, those that are always there first, as conditions allow."""
    always = sorted(space.choices.always)
    groups = greedy_groups(scores, space.groups, n, taken=always)
    return space.layout_of(space.choices.repaired([(group, module) for group in groups]))


def affordable(space: SearchSpace) -> int:
    """Parameters that a layout may have: the budget, or the space's dearest layout without one."""
    limit = space.budget.max_parameters
    return space.cost(_dearest_layout(space)) if limit is None else limit


def _dearest_layout(space: SearchSpace) -> Layout:
    """The dearest module as often as it goes, at groups without a first pass, large ones first."""
    number, most = dearest(space)
    always, traits = sorted(space.choices.always), space.choices.traits
    free = sorted(space.choices.free, key=lambda g: (len(traits[g].sources), -len(space.groups[g])))
    groups = [*always, *free[: most - len(always)]]
    return space.layout_of(space.choices.repaired([(group, number) for group in groups]))


def _forward(n: int) -> Usage:
    """``n`` connections with the only module of a table, none of them recurrent."""
    return Usage((n,), (0,), frozenset(), is_adapted=False)


def _table_with(thin: ModuleSpec, number: int, space: SearchSpace, types: ModuleTypes) -> CostTable:
    """What a module costs that is the space's of this number with a lower rank.

    Where the space has no such module, bytes and operations are taken to go with its parameters,
    and it takes as long as the whole one: most of that is the same at every rank.
    """
    if thin in space.modules:
        return space.table.only([thin])
    kind, whole = types[thin.type], space.table
    count = kind.count(kind.complete(thin.settings), space.places.at(0, 1))

    def shrunk(price: Price | None) -> Price | None:
        if price is None:
            return None
        return Price((price.modules[number] * count / space.costs[number],), price.fixed)

    latency = whole.latency and Price((whole.latency.modules[number],), whole.latency.fixed)
    return CostTable((thin,), Price((count,)), shrunk(whole.n_bytes), shrunk(whole.flops), latency)


def thinned(
    module: ModuleSpec, n: int, limit: int, types: ModuleTypes, places: Places
) -> tuple[ModuleSpec | None, str]:
    """The module with the largest rank of which ``n`` cost at most ``limit`` parameters.

    Its rank is never raised.

    Returns:
        None and the reason where it has no rank, or even rank 1 is too dear.
    """
    kind = types[module.type]
    full = kind.complete(module.settings)
    if RANK not in full:
        return None, f"{module.type} has no {RANK} to lower"
    cost = 0
    for rank in range(int(full[RANK]), 0, -1):
        thin = make_module(types, module.type, {**module.settings, RANK: rank}, "a baseline")
        cost = n * kind.count(kind.complete(thin.settings), places.at(0, 1))
        if cost <= limit:
            return thin, ""
    return None, (
        f"{n} connections cost {cost:,} parameters even at rank 1, a layout may have {limit:,}"
    )


def spread(n: int, last: int) -> list[int]:
    """``n`` whole numbers from 1 to ``last`` at even distances, as far from the ends as they go."""
    n = min(n, last)
    return [1 + (2 * index + 1) * last // (2 * n) for index in range(n)]
