"""What a limit on any resource leaves of a space: how many sets, and of how many parameters.

A first pass costs a set what its dearest source costs, so sets are counted for each such price; an
adapted pass carries other connections a second time. Costs that are too fine to count by are
rounded, down for the most sets that there may be and up for the fewest.
"""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from placement_search.space.choices import Choices
from placement_search.space.cost_table import Price
from placement_search.space.legality import Traits, own_cost
from placement_search.space.sums import Sort, sums_within

N_UNITS = (4096, 1024, 256)
"""Steps that a limit is divided into where costs are rounded, as many of these as time allows."""
N_THIRDS = 60
"""Steps of a search for the best rate of exchange between two resources."""
TOLERANCE = 1e-6
"""Of a number of parameters, for sums of costs that are no whole numbers."""

Costs = tuple[Fraction | None, ...]
"""Of a group with each module; None where one does not fit."""


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Groups that cost the same.

    Args:
        traits: As rules see the first of them.
        own: What one costs.
        carried: What one costs where there is a first pass.
        first_pass: What the first pass that it needs costs; None where it needs none.
        n: How many they are.
        is_forced: Whether they are always there.
    """

    traits: Traits
    own: Costs
    carried: Costs
    first_pass: Fraction | None
    n: int
    is_forced: bool


@dataclass(frozen=True, slots=True)
class _Part:
    """Sets whose first pass costs the same.

    Args:
        groups: Those that they may have.
        before: Those whose sets need a cheaper pass or none, and belong elsewhere.
        costs: What a group costs them.
        limit: What they may cost, without what every set does.
    """

    groups: list[_Weighed]
    before: list[_Weighed]
    costs: Callable[[_Weighed], Costs]
    limit: Fraction


def sets_within(
    choices: Choices, price: Price, limit: Fraction, n_freely: int, max_bits: int
) -> tuple[int, int] | None:
    """The fewest and the most sets within a limit, alike where they were counted exactly.

    Args:
        choices: The space's; conditions and other limits are not seen.
        price: Of the resource.
        limit: Most of it that a set may use.
        n_freely: The number of sets without a limit.
        max_bits: Bits of all products together, see `sums_within`.

    Returns:
        None where counting would take too long.
    """
    shared = [Fraction(each) for each in price.shared] or [Fraction(0)] * choices.legality.n_modules
    parts = _parts(choices, price, limit)
    max_bits //= max(1, sum(1 + bool(part.before) for part in parts))
    least = most = 0
    for part in parts:
        ends = _counted(choices, part, shared, n_freely, max_bits)
        if ends is None:
            return None
        least, most = least + ends[0], most + ends[1]
    return least, min(most, n_freely)


def most_within(choices: Choices, price: Price, limit: Fraction, parameters: Price) -> int | None:
    """So many parameters at most has a set within a limit; None where none is within it.

    Whatever a parameter is said to be worth, a set is worth no more than the limit and its groups
    beyond what they cost; the least of these bounds is looked for.

    Args:
        choices: The space's; conditions and other limits are not seen.
        price: Of the resource.
        limit: Most of it that a set may use.
        parameters: Price of parameters.
    """
    found = [
        _most(choices, part, (parameters, price))
        for part in _parts(choices, price, limit)
        if part.limit >= 0
    ]
    return max(found, default=None)


def _parts(choices: Choices, price: Price, limit: Fraction) -> list[_Part]:
    groups, free = _weighed(choices, price), limit - Fraction(price.fixed)
    without = [each for each in groups if each.first_pass is None]
    parts = [_Part(without, [], lambda each: each.own, free)]
    for level in sorted({each.first_pass for each in groups if each.first_pass is not None}):
        more = [each for each in groups if each.first_pass is None or each.first_pass <= level]
        before = [each for each in more if each.first_pass != level]
        parts.append(_Part(more, before, lambda each: each.carried, free - level))
    # What is always there is in every set.
    n_forced = sum(each.is_forced for each in groups)
    return [part for part in parts if sum(each.is_forced for each in part.groups) == n_forced]


def _weighed(choices: Choices, price: Price) -> list[_Weighed]:
    n_modules, is_adapted = choices.legality.n_modules, choices.legality.is_adapted

    def costs(traits: Traits) -> Costs:
        return tuple(
            None if m in traits.misfits else Fraction(own_cost(price, traits, m, n_modules))
            for m in range(n_modules)
        )

    def weighed(traits: Traits, n: int, *, is_forced: bool) -> _Weighed:
        own = carried = costs(traits)
        if is_adapted:
            twice = tuple(2 * number for number in traits.n_forward)
            carried = costs(traits._replace(n_forward=twice))
        passes = [Fraction(price.first_pass[s]) for s in traits.sources if price.first_pass]
        return _Weighed(traits, own, carried, max(passes, default=None), n, is_forced)

    forced = Counter(choices.traits[group] for group in choices.always)
    free = Counter(choices.traits[group] for group in choices.free)
    return [
        weighed(traits, n, is_forced=is_forced)
        for counts, is_forced in ((forced, True), (free, False))
        for traits, n in counts.items()
    ]


def _counted(
    choices: Choices, part: _Part, shared: Sequence[Fraction], n_freely: int, max_bits: int
) -> tuple[int, int] | None:
    """The fewest and the most sets of a part."""

    def n_sets(unit: Fraction, rounded: Callable[[Fraction], int]) -> int | None:
        return _n_sets(choices, part, shared, _Rounding(unit, rounded), n_freely, max_bits)

    if part.limit < 0:
        return 0, 0
    costs = [own for each in part.groups for own in part.costs(each) if own is not None]
    if all(cost.denominator == 1 for cost in (*costs, *shared)):
        exact = n_sets(Fraction(1), math.floor)
        if exact is not None:
            return exact, exact
    largest = choices.legality.at_most * max(costs, default=Fraction(0)) + sum(shared)
    for unit in (min(part.limit, largest) / n for n in N_UNITS):
        least = n_sets(unit, math.ceil) if unit else None
        most = n_sets(unit, math.floor) if least is not None else None
        if least is not None and most is not None:
            return least, most
    return None


@dataclass(frozen=True, slots=True)
class _Rounding:
    """How costs become whole numbers: in which unit, and whether down or up."""

    unit: Fraction
    rounded: Callable[[Fraction], int]

    def of(self, cost: Fraction) -> int:
        return self.rounded(cost / self.unit)


def _n_sets(
    choices: Choices,
    part: _Part,
    shared: Sequence[Fraction],
    rounding: _Rounding,
    n_freely: int,
    max_bits: int,
) -> int | None:
    """The sets of a part, with rounded costs; None where that takes too long."""
    once, limit = [rounding.of(each) for each in shared], math.floor(part.limit / rounding.unit)
    total = 0
    for sign, groups in ((1, part.groups), (-1, part.before)):
        counts: Counter[tuple[tuple[int | None, ...], bool]] = Counter()
        for each in groups:
            own = (None if cost is None else rounding.of(cost) for cost in part.costs(each))
            counts[tuple(own), each.is_forced] += each.n
        sorts = [Sort(own, n, is_forced) for (own, is_forced), n in counts.items()]
        is_whole = sum(each.n for each in groups if each.is_forced) == len(choices.always)
        if is_whole and sorts:
            found = sums_within(choices, sorts, once, limit, n_freely, max_bits)
            if found is None:
                return None
            total += sign * sum(number for _, number, _, _ in found)
    return total


def _most(choices: Choices, part: _Part, prices: tuple[Price, Price]) -> int:
    """The most parameters of a part's sets, or more.

    Args:
        choices: The space's.
        part: The sets.
        prices: Of parameters, and of the resource that is limited.
    """
    n_modules, limit = choices.legality.n_modules, float(part.limit)
    shared = [each.shared or (0.0,) * n_modules for each in prices]
    offers = [_offer(each, part, prices[0]) for each in part.groups]
    modules = range(n_modules)
    sets = [[module] for module in modules] if choices.is_module_shared else [[*modules]]

    def bound(rate: float) -> float:
        once = [gain - rate * cost for gain, cost in zip(*shared, strict=True)]
        at_most = choices.legality.at_most
        return limit * rate + max(_worth(offers, once, each, rate, at_most) for each in sets)

    pairs = [pair for offer in offers for pair in offer.by_module.values()]
    rates = [gain / cost for gain, cost in (*pairs, *zip(*shared, strict=True)) if cost]
    low, high = 0.0, max(rates, default=0.0)
    for _ in range(N_THIRDS):  # the bound is convex in the rate
        third = (high - low) / 3
        if bound(low + third) <= bound(high - third):
            high -= third
        else:
            low += third
    return math.floor(max(0.0, bound(low)) + TOLERANCE)


@dataclass(frozen=True, slots=True)
class _Offer:
    """Parameters and costs of a group by module, of so many groups."""

    by_module: dict[int, tuple[float, float]]
    n: int
    is_forced: bool


def _offer(group: _Weighed, part: _Part, parameters: Price) -> _Offer:
    n_modules = len(group.own)
    gains = [own_cost(parameters, group.traits, m, n_modules) for m in range(n_modules)]
    costs = part.costs(group)
    by_module = {m: (gains[m], float(cost)) for m, cost in enumerate(costs) if cost is not None}
    return _Offer(by_module, group.n, group.is_forced)


def _worth(
    offers: Sequence[_Offer],
    once: Sequence[float],
    modules: Sequence[int],
    rate: float,
    at_most: int,
) -> float:
    """The most that a set of these modules is worth beyond its costs, or more.

    Args:
        offers: Its groups.
        once: What each module is worth that a set has, however often.
        modules: Their numbers.
        rate: What a unit of cost is worth.
        at_most: Most groups.
    """
    forced, free = 0.0, list[float]()
    for offer in offers:
        values = (offer.by_module[m] for m in modules if m in offer.by_module)
        best = max((gain - rate * cost for gain, cost in values), default=-math.inf)
        if offer.is_forced:
            forced += offer.n * best
        else:
            free += [best] * min(offer.n, at_most)
    n_free = at_most - sum(offer.n for offer in offers if offer.is_forced)
    worth = forced + _best(free, n_free)
    return worth + _best([once[module] for module in modules], at_most)


def _best(values: Sequence[float], n: int) -> float:
    """The sum of the ``n`` largest values above 0."""
    return sum(sorted((value for value in values if value > 0), reverse=True)[:n])
