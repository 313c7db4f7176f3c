"""What baselines spend: the module that comes nearest to the budget, and the rest of it."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import lru_cache

from placement_search.layout import Connection, Layout, ModuleSpec
from placement_search.space.budget import Budget
from placement_search.space.choices import Choice
from placement_search.space.cost_table import Price
from placement_search.space.equal_sizes import n_sets, of_connections
from placement_search.space.node_names import Pair
from placement_search.space.search_space import SearchSpace
from placement_search.study.definition import (
    DEAREST_OF_ALL,
    NEWEST_BASELINES,
    PRICED_IN_SPACE,
    WHOLE_BUDGET,
)

MIN_SETS = 20
"""Sets of one size that random layouts are drawn from; of fewer they would repeat each other."""


def dearest(space: SearchSpace, baseline_set: int) -> tuple[int, int]:
    """The module, and how many groups of connections with it, that spend most of the budget.

    Up to set 4 of baselines each group counted once, however many connections it has.
    """
    counts = [space.choices.most(number) for number in range(len(space.modules))]
    enough = [number for number, count in enumerate(counts) if count >= space.at_least]
    if not enough:  # no module will do for all connections of a layout
        return 0, space.at_least
    shared = space.table.parameters.shared or [0] * len(counts)
    if baseline_set >= WHOLE_BUDGET and space.has_unequal_groups:
        counts_of = {number: drawn_size(space, number, baseline_set) for number in enough}
        number = max(enough, key=lambda i: (counts_of[i] * space.costs[i] + shared[i], i))
        return number, counts[number]
    worth = [(counts[i] * cost + shared[i], cost) for i, cost in enumerate(space.costs)]
    number = max(enough, key=worth.__getitem__)
    return number, counts[number]


@lru_cache(maxsize=4)  # several baselines ask, and counting may take seconds
def affordable(space: SearchSpace, baseline_set: int = NEWEST_BASELINES) -> int:
    """Parameters that a layout may have: the budget, or the space's dearest layout without one.

    Where layouts are too many to count, the dearest of those that each module makes, with groups
    without a first pass first or with large ones first. Up to set 5 of baselines it was the first
    such layout of the dearest module.
    """
    limit = space.budget.max_parameters
    if limit is not None:
        return limit
    if baseline_set < DEAREST_OF_ALL:
        return space.cost(_dear_layout(space, dearest(space, 1)[0]))
    if space.extent.is_exact:
        return space.extent.parameters[1]
    counts = [space.choices.most(number) for number in range(len(space.modules))]
    usable = [number for number, count in enumerate(counts) if count >= space.at_least] or [0]
    made = (
        _dear_layout(space, number, is_pass_first=is_pass_first)
        for number in usable
        for is_pass_first in (True, False)
    )
    return max(map(space.cost, made))


def _dear_layout(space: SearchSpace, number: int, *, is_pass_first: bool = True) -> Layout:
    """A module as often as it goes, at groups without a first pass or at large ones first.

    What that leaves of other limits is spent where connections may have different modules.
    """
    most = max(space.choices.most(number), space.at_least)
    always, traits = sorted(space.choices.always), space.choices.traits

    def order(group: int) -> tuple[int, int]:
        passes = len(traits[group].sources) if is_pass_first else 0
        return passes, -space.cost(space.layout_of([(group, number)]))

    free = sorted(space.choices.fitting(number), key=order)
    groups = [*always, *free[: most - len(always)]]
    made = space.choices.filled([(group, number) for group in groups], most)
    return _spent_whole(space, made)


def _spent_whole(
    space: SearchSpace, made: Sequence[Choice], generator: random.Random | None = None
) -> Layout:
    """The layout of a set, made dearer where connections may have different modules."""
    return space.layout_of(made if space.is_module_shared else spent(space, made, generator))


def random_of(
    space: SearchSpace, module: int, n: int, generator: random.Random, baseline_set: int
) -> Layout:
    """A random layout of ``n`` groups with one module, as far as conditions allow.

    Where connections may have different modules, what that leaves of the budget is spent on dearer
    ones and on further groups. Where groups differ in size, their connections are what is drawn to
    a number, see `drawn_size`; up to set 4 of baselines it was ``n``.
    """
    choices = space.choices
    always, free = sorted(choices.always), choices.fitting(module)
    if baseline_set >= WHOLE_BUDGET and space.has_unequal_groups:
        n_drawn = drawn_size(space, module, baseline_set)
        wanted = {module: n_drawn} if n_drawn else {}
        drawn = of_connections(choices, space.group_sizes, wanted, generator) if wanted else []
        made = choices.repaired([*((group, module) for group in always), *drawn])
    else:
        groups = always + generator.sample(free, min(n - len(always), len(free)))
        made = choices.filled([(group, module) for group in groups], n)
    return _spent_whole(space, made, generator)


def drawn_size(space: SearchSpace, module: int, baseline_set: int = NEWEST_BASELINES) -> int:
    """Connections of a random layout beside those always there, where groups differ in size.

    The most with one module that the limits pay for and that `MIN_SETS` sets of groups have; where
    no number has so many, the one that most sets have. Up to set 6 of baselines the limits had to
    pay for the backbone's dearest places, also where the space has cheaper ones alone.
    """
    sizes, always = space.group_sizes, space.choices.always
    n_always = sum(sizes[group] for group in always)
    largest = sorted((sizes[g] for g in space.choices.fitting(module)), reverse=True)
    most = sum(largest[: space.at_most - len(always)])
    for price, limit in space.choices.legality.limits:
        each = _dearest_place(space, price, module, baseline_set)
        shared = price.shared[module] if price.shared else 0
        if each:
            left = limit - Fraction(price.fixed + shared)
            most = min(most, int(left // Fraction(each)) - n_always)
    best, best_sets = 0, 0
    for n in range(most, 0, -1):
        found = n_sets(space.choices, sizes, {module: n})
        if found > best_sets:
            best, best_sets = n, found
        if found >= MIN_SETS:
            break
    return best


def _dearest_place(space: SearchSpace, price: Price, module: int, baseline_set: int) -> float:
    """The most that one connection with a module costs at a place that a random layout may have."""
    each = price.modules[module :: len(space.modules)]
    if baseline_set < PRICED_IN_SPACE:
        return max(each)
    numbers, fitting = space.table.classes.numbers, space.choices.fitting(module)
    pairs = (pair for group in fitting for pair in space.groups[group])
    return max((each[numbers.get(pair, 0)] for pair in pairs), default=0.0)


def spent(
    space: SearchSpace,
    chosen: Sequence[Choice],
    generator: random.Random | None = None,
    order: Sequence[int] = (),
) -> list[Choice]:
    """A legal set of choices made dearer one at a time, as long as that stays legal.

    Each gets the dearest module that it can have, and each further group that can be had is added.

    Args:
        space: What contains the set.
        chosen: The set.
        generator: Draws in which order; None for the given one, and then by ``order`` and number.
        order: Groups that are added first.
    """
    choices, made = space.choices, list(chosen)
    places = list(range(len(made)))
    taken = {group for group, _ in made}
    further = [group for group in dict.fromkeys([*order, *choices.free]) if group not in taken]
    if generator is not None:
        generator.shuffle(places)
        generator.shuffle(further)
    for place in places:
        rest = [*made[:place], *made[place + 1 :]]
        made[place] = _dearest_legal(space, rest, made[place][0]) or made[place]
    stuck = set[int]()
    for group in further:
        if len(made) == space.at_most:
            break
        if choices.alike[group] not in stuck:
            more = _dearest_legal(space, made, group)
            made += [more] if more else []
            stuck |= set() if more else {choices.alike[group]}
    return made


def _dearest_legal(space: SearchSpace, others: Sequence[Choice], group: int) -> Choice | None:
    """A group with the dearest module that it can have beside others; None where it has none."""
    options = [
        (space.cost(space.layout_of(made)), module)
        for module in space.choices.modules_of(group)
        if space.choices.contains(made := [*others, (group, module)])
    ]
    return (group, max(options)[1]) if options else None


def most_payable(
    space: SearchSpace,
    module: ModuleSpec,
    n: int,
    places: Callable[[int], Sequence[Pair]],
    budget: Budget,
) -> Sequence[Pair]:
    """The most of ``n`` places whose connections the budget can pay for; they may be dear ones.

    Args:
        space: Whose prices.
        module: One of its modules.
        n: At most so many.
        places: Gives so many of them.
        budget: What they may cost.
    """
    found = (places(fewer) for fewer in range(n, 0, -1))
    costs = ((pairs, space.predicted(wired(pairs, module))) for pairs in found)
    return next((pairs for pairs, cost in costs if not budget.excess(cost)), [])


def at_places(
    space: SearchSpace,
    number: int,
    n: int,
    n_places: int,
    places: Callable[[int], Sequence[Pair]],
    baseline_set: int,
) -> Layout | None:
    """The connections at places of a rule that come nearest to what an answer may cost.

    Where groups of connections come together, as many as that pays for. Where modules may differ,
    some are made dearer, or further places are added, as in `spent`; up to set 4 of baselines
    neither was so.

    Args:
        space: Whose modules and budget.
        number: Of the module.
        n: Connections where each is a group of its own.
        n_places: Places that there are.
        places: Gives so many of them.
        baseline_set: See `StudyDefinition`.

    Returns:
        None where not one can be paid for.
    """
    module = space.modules[number]
    if baseline_set < WHOLE_BUDGET:
        old = most_payable(space, module, n, places, space.budget)
        return wired(old, module) if old else None
    if len(space.groups) < len(space.pairs):
        most = n_places
    else:
        most = n if space.is_module_shared else min(space.at_most, n_places)
    budget = replace(space.budget, max_parameters=affordable(space, baseline_set))
    alike = most_payable(space, module, most, places, budget)
    if space.is_module_shared or not alike:
        return wired(alike, module) if alike else None
    found = (_made_dearer(space, places(k), budget) for k in range(len(alike), most + 1))
    return max((each for each in found if each), key=space.cost, default=None)


def _made_dearer(space: SearchSpace, pairs: Sequence[Pair], budget: Budget) -> Layout | None:
    """The dearest module that all of these places can have, then dearer ones from the first on."""

    def is_payable(modules: Sequence[ModuleSpec]) -> bool:
        return not budget.excess(space.predicted(space.layout(pairs, modules)))

    misfit = space.table.classes.misfit
    fitting = [[m for m in reversed(space.modules) if not misfit(m, pair)] for pair in pairs]
    everywhere = (
        [module] * len(pairs)
        for module in reversed(space.modules)
        if all(module in each for each in fitting)
    )
    made = next((modules for modules in everywhere if is_payable(modules)), None)
    if made is None:
        return None
    for place, options in enumerate(fitting):
        changed = ([*made[:place], module, *made[place + 1 :]] for module in options)
        made = next(modules for modules in changed if is_payable(modules))
    return space.layout(pairs, made)


def wired(pairs: Iterable[Pair], module: ModuleSpec) -> Layout:
    """A connection with this module at each place."""
    return Layout(tuple(Connection(source, target, module) for source, target in pairs))
