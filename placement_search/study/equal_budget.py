"""Baselines that spend what an answer may: spread evenly, chosen greedily, thin in every layer."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from placement_search.layout import Layout, ModuleSpec, ModuleTypes, make_module
from placement_search.module_type import Scalar, Settings
from placement_search.places import Places
from placement_search.space.cost_table import CostTable, Price
from placement_search.space.module_choices import SIZES, parameter_price
from placement_search.space.node_names import Pair
from placement_search.space.search_space import SearchSpace
from placement_search.study.baselines import (
    EVERY_PARALLEL,
    Baseline,
    every_layer,
    where_it_fits,
)
from placement_search.study.definition import NEWEST_BASELINES, WHOLE_BUDGET
from placement_search.study.greedy import (
    GAMMA,
    Discount,
    FittingChoices,
    Ranking,
    greedy_groups,
    group_scores,
)
from placement_search.study.spending import (
    affordable,
    at_places,
    dearest,
    random_of,
    spent,
    wired,
)

EVENLY_SPREAD = "evenly spread"
GREEDY = "greedy by numerical rank (GGA)"
GREEDY_PROXY = "numerical_rank"
"""The paper's choice, made on the paper's own proxy."""
SAME_BUDGET = "same budget"
SPARED: Mapping[str, Scalar] = {"norm": False, "scale_per_channel": False, "gate": False}
"""What a module can do without, first to last, with the value that is without it.

Every-layer baselines do without where no rank fits otherwise.
"""


@dataclass(frozen=True, slots=True)
class EqualBudget:
    """Baselines at the budget, and what there is to say of them.

    Args:
        baselines: First to last.
        notes: By role, why it is missing, or what it lacks.
    """

    baselines: tuple[Baseline, ...]
    notes: dict[str, str]


def equal_budget_baselines(
    space: SearchSpace,
    types: ModuleTypes,
    n_nodes: int,
    scores: Sequence[Sequence[float]] | None,
    seed: int = 0,
    baseline_set: int = NEWEST_BASELINES,
) -> EqualBudget:
    """Baselines that cost at most what an answer may, each by its own rule for the places.

    Args:
        space: The space, whose dearest layout they may cost where no budget is given.
        types: The module types.
        n_nodes: Nodes of the backbone.
        scores: ``GREEDY_PROXY`` by ``[source][target]``; None where the study has no proxy map, or
            one without it.
        seed: That of the random baselines, whose number of connections the spread ones have.
        baseline_set: See `StudyDefinition`.
    """
    number, most = dearest(space, baseline_set)
    thin = [
        (f"{base}, {SAME_BUDGET}", *_thin(space, number, pairs, types, baseline_set))
        for base, pairs in every_layer(n_nodes).items()
    ]
    generator = random.Random(seed)  # noqa: S311 - reproducible
    n = len(random_of(space, number, most, generator, baseline_set).connections)
    spread_out = _evenly_spread(space, number, n, n_nodes, baseline_set)
    greedy = None if scores is None else _greedy(space, scores, number, most)
    if greedy and scores and baseline_set >= WHOLE_BUDGET:
        greedy = _dearer(space, greedy, scores, number)
    no_map = "" if scores else f"left out: the study has no proxy map with {GREEDY_PROXY}"
    made = [*thin, (EVENLY_SPREAD, *spread_out), (GREEDY, greedy, no_map)]
    return EqualBudget(
        tuple(Baseline(role, layout) for role, layout, _ in made if layout is not None),
        {role: note for role, _, note in made if note},
    )


def _thin(
    space: SearchSpace,
    number: int,
    everywhere: Sequence[Pair],
    types: ModuleTypes,
    baseline_set: int,
) -> tuple[Layout | None, str]:
    """A layout at all places that a module fits, of the largest size within the budget; a note."""
    module = space.modules[number]
    pairs, note = where_it_fits(space, module, everywhere)
    if not pairs:
        return None, note

    def excess(thin: ModuleSpec) -> str:
        table = _table_with(thin, number, space, types)
        return space.budget.excess(table.costs(wired(pairs, thin)))

    thinning = Thinning(affordable(space, baseline_set), excess)
    if baseline_set < WHOLE_BUDGET:
        spared = SPARED if baseline_set >= 4 else {}
        thinning = Thinning(affordable(space, baseline_set), sizes=SIZES[:1], spared=spared)
    thin, said = thinned(module, pairs, thinning, types, space.places)
    over = excess(thin) if thin else said
    if thin is None or over:
        return None, f"left out: {over}"
    return wired(pairs, thin), "; ".join(filter(None, (note, said)))


def _evenly_spread(
    space: SearchSpace, number: int, n: int, n_nodes: int, baseline_set: int
) -> tuple[Layout | None, str]:
    """Parallel connections at evenly spread places of those that a module fits, and a note."""
    module = space.modules[number]
    pairs, note = where_it_fits(space, module, every_layer(n_nodes)[EVERY_PARALLEL])

    def chosen(n: int) -> list[Pair]:
        return [pairs[place - 1] for place in spread(n, len(pairs))]

    return at_places(space, number, n, len(pairs), chosen, baseline_set), note


def _greedy(space: SearchSpace, scores: Sequence[Sequence[float]], module: int, n: int) -> Layout:
    """The best ``n`` groups that rules admit, with one module where that can be; fewer at need."""
    ranking = partial(Ranking, group_scores(scores, space.groups), Discount(space.groups, GAMMA))
    legal = FittingChoices(space.choices)
    sizes = range(n, space.at_least - 1, -1)
    return space.layout_of(next(made for size in sizes for made in legal.of(ranking, module, size)))


def _dearer(
    space: SearchSpace, greedy: Layout, scores: Sequence[Sequence[float]], number: int
) -> Layout:
    """A greedy choice that spends more where the space lets it.

    Its groups may be small ones, then another module may come nearer to the budget; where modules
    may differ, what is left is spent, on groups in the greedy order.
    """
    if space.has_unequal_groups:
        numbers = range(len(space.modules))
        most = {m: n for m in numbers if (n := space.choices.most(m)) >= space.at_least}
        made = [greedy, *(_greedy(space, scores, m, n) for m, n in most.items())]
        greedy = max(made, key=space.cost)
    chosen = space.chosen(greedy)
    if chosen is None or space.is_module_shared:
        return greedy
    always = sorted(space.choices.always)
    known = [*always, *space.choices.fitting(number)]
    places = [space.groups[group] for group in known]
    order = greedy_groups(scores, places, space.at_most, taken=range(len(always)))
    return space.layout_of(spent(space, chosen, order=[known[place] for place in order]))


def _table_with(thin: ModuleSpec, number: int, space: SearchSpace, types: ModuleTypes) -> CostTable:
    """What a module costs that is the space's of this number made smaller.

    Where the space has no such module, bytes and operations are taken to go with its parameters,
    and it takes as long as the whole one: most of that is the same at every size.
    """
    if thin in space.modules:
        return space.table.only([thin])
    whole = space.table.only([space.modules[number]])
    parameters = parameter_price([thin], types, space.places, whole.classes)

    def shrunk(price: Price | None) -> Price | None:
        return price and replace(
            price,
            modules=_in_proportion(price.modules, parameters.modules, whole.parameters.modules),
            shared=_in_proportion(price.shared, parameters.shared, whole.parameters.shared),
        )

    return CostTable(
        (thin,), parameters, shrunk(whole.n_bytes), shrunk(whole.flops), whole.latency,
        whole.classes,
    )  # fmt: skip


def _in_proportion(
    prices: Sequence[float], few: Sequence[float], many: Sequence[float]
) -> tuple[float, ...]:
    """Prices of few parameters from those of many; where there were none, as they are.

    What modules share may have parameters, and no operations of its own.
    """
    if not prices or not few or not many:
        return tuple(prices)
    return tuple(p * a / b if b else p for p, a, b in zip(prices, few, many, strict=True))


@dataclass(frozen=True, slots=True)
class Thinning:
    """How far, and by what, an every-layer module is made smaller.

    Args:
        limit: Parameters that its layout may have.
        excess: Says what else its layout has too much of with a module; nothing where it fits.
        sizes: The first of these that it has is lowered.
        spared: What it may do without, see `SPARED`.
    """

    limit: int
    excess: Callable[[ModuleSpec], str] = lambda _: ""
    sizes: Sequence[str] = SIZES
    spared: Mapping[str, Scalar] = field(default_factory=lambda: SPARED)


def thinned(
    module: ModuleSpec,
    pairs: Sequence[Pair],
    thinning: Thinning,
    types: ModuleTypes,
    places: Places,
) -> tuple[ModuleSpec | None, str]:
    """The module with the largest rank, or other size, that fits the budget at these places.

    It is never raised. Where even 1 is too dear it does without one of ``thinning.spared`` after
    another.

    Returns:
        The module, and what it does without; or None and the reason, where it has no size, or
        is too dear in any case.
    """
    full, limit = types[module.type].complete(module.settings), thinning.limit
    size = next((name for name in thinning.sizes if name in full), None)
    if size is None:
        return None, f"{module.type} has no {' or '.join(thinning.sizes)} to lower"
    who = "1 connection" if len(pairs) == 1 else f"{len(pairs)} connections"
    costs = "costs" if len(pairs) == 1 else "cost"
    reasons: list[str] = []
    for change in _changes(full, thinning.spared):
        given = {**module.settings, **change}
        for value in range(int(full[size]), 0, -1):
            thin = make_module(types, module.type, {**given, size: value}, "a baseline")
            cost = _at_all(thin, pairs, types, places)
            over = "" if cost > limit else thinning.excess(thin)
            if cost <= limit and not over:
                return thin, f"made {_without(change)}: else {reasons[0]}" if change else ""
        least = " ".join(filter(None, (f"even at {size} 1", _without(change))))
        reasons.append(
            f"{who} {costs} {cost:,} parameters {least}, a layout may have {limit:,}"
            if cost > limit
            else f"{who} {least}: {over}"
        )
    return None, reasons[-1]


def _changes(full: Settings, spared: Mapping[str, Scalar]) -> Iterator[dict[str, Scalar]]:
    """Nothing, then one setting more each time that a module has and can do without."""
    names = [name for name, value in spared.items() if full.get(name, value) != value]
    for n in range(len(names) + 1):
        yield {name: spared[name] for name in names[:n]}


def _without(change: Mapping[str, Scalar]) -> str:
    """What a change does without, in words; nothing where nothing changes."""
    return f"without {' and '.join(change)}" if change else ""


def _at_all(module: ModuleSpec, pairs: Sequence[Pair], types: ModuleTypes, places: Places) -> int:
    """Parameters of a module at each place, with what its connections share."""
    kind = types[module.type]
    settings = kind.complete(module.settings)
    own = sum(kind.count(settings, places.at(*pair)) for pair in pairs)
    return own + kind.count_shared(settings, places.width)


def spread(n: int, last: int) -> list[int]:
    """``n`` whole numbers from 1 to ``last`` at even distances, as far from the ends as they go."""
    n = min(n, last)
    return [1 + (2 * index + 1) * last // (2 * n) for index in range(n)]
