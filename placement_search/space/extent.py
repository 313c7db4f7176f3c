"""How large a space is: its layouts, their connections, their parameters, exactly or as bounds."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from placement_search.space import sums
from placement_search.space.choices import Choices
from placement_search.space.cost_table import Price
from placement_search.space.counting import Counted, count_freely, counted_one_by_one
from placement_search.space.limited import most_within, sets_within
from placement_search.space.sums import MAX_SHARING, Sort, counted_by_sums, sorts_of

Ends = tuple[int, int]
"""The lowest and the highest of some numbers."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How large a space is.

    Args:
        n_layouts: The number of layouts, training settings left out; the most where it is not
            exact.
        is_exact: Whether all is counted. Else no layout lies outside of the ranges, which may be
            wider than what there is.
        sizes: Fewest and most groups of connections of a layout.
        parameters: Fewest and most trainable parameters of one.
        n_least: Fewest layouts; as many as the most where their number is exact, though the ranges
            may not be, and 0 where nothing is known.
    """

    n_layouts: int
    is_exact: bool
    sizes: Ends
    parameters: Ends
    n_least: int

    @property
    def is_counted(self) -> bool:
        """Whether the number of layouts is exact."""
        return self.n_least == self.n_layouts


def extent_of(choices: Choices, price: Price) -> Extent:
    """How large a space is, counted where that takes seconds.

    Args:
        choices: The space's.
        price: Of parameters.
    """
    legality = choices.legality
    free = _freely(choices, price)
    if not legality.rules and not legality.limits:
        return free
    counted: Counted | None = None
    if not legality.rules and len(legality.limits) == 1:
        limit = _in_parameters(*legality.limits[0], price)
        if limit is not None:
            counted = counted_by_sums(choices, price, limit, free.n_layouts)
    counted = counted or counted_one_by_one(choices, price)
    if counted:
        n = counted.n_sets
        return Extent(
            n, is_exact=True, sizes=counted.sizes, parameters=counted.parameters, n_least=n
        )
    return _bounded(free, choices, price)


def _in_parameters(price: Price, limit: Fraction, parameters: Price) -> int | None:
    """A limit on a resource of which every parameter costs the same, as one on parameters."""
    costs = [*zip(price.modules, parameters.modules, strict=True)]
    none = (0,) * len(price.shared or parameters.shared)
    costs += zip(price.shared or none, parameters.shared or none, strict=True)
    each = next((Fraction(cost) / Fraction(n) for cost, n in costs if n), None)
    is_alike = each and all(Fraction(cost) == each * Fraction(n) for cost, n in costs)
    if not each or not is_alike or price.first_pass:
        return None
    return math.floor((limit - Fraction(price.fixed)) / each)


def _bounded(free: Extent, choices: Choices, price: Price) -> Extent:
    """What can't be counted with all limits: by each alone, of which the tightest holds."""
    legality = choices.legality
    n, max_bits = free.n_layouts, sums.MAX_BITS // (2 * max(1, len(legality.limits)))
    counts = [sets_within(choices, *each, n, max_bits) for each in legality.limits]
    ends = [each for each in counts if each is not None]
    most = min([n, *(high for _, high in ends)])
    is_alone = len(legality.limits) == 1 and not legality.rules
    low, high = free.parameters
    reached = (most_within(choices, *each, price) for each in legality.limits)
    high = min([high, *(each for each in reached if each is not None)])
    least = ends[0][0] if is_alone and ends else 0
    return Extent(most, is_exact=False, sizes=free.sizes, parameters=(low, high), n_least=least)


def _freely(choices: Choices, price: Price) -> Extent:
    """How large a space is with budget and conditions left out of account."""
    n_modules, at_most = choices.legality.n_modules, choices.legality.at_most
    shared = [int(each) for each in price.shared] or [0] * n_modules
    modules = list(range(n_modules))
    sets = [[module] for module in modules] if choices.is_module_shared else [modules]
    is_exact = choices.is_module_shared or sum(map(bool, shared)) <= MAX_SHARING
    found: dict[int, Ends] = {}
    for each in sets:
        reached: _States = {(0, _NONE): (0, 0)}
        for sort in sorts_of(choices, price):
            steps = _steps(sort, each, shared if is_exact else None, shared)
            for _ in range(min(sort.n, at_most)):
                more = _one_more(reached, steps, shared, at_most)
                reached = more if sort.is_forced else _joined(reached, more)
        for (n, _), ends in reached.items():
            if n >= choices.at_least:
                found[n] = _wider(found.get(n, ends), ends)
    n = count_freely(choices)
    return Extent(
        n,
        is_exact,
        (min(found), max(found)),
        (min(low for low, _ in found.values()), max(high for _, high in found.values())),
        n_least=n,
    )


_NONE = frozenset[int]()
_States = dict[tuple[int, frozenset[int]], Ends]
"""By the number of groups, and the modules among theirs that share: what sets of these cost."""
_Step = tuple[Ends, int | None]
"""What one group more costs without what it shares, and its module where that shares."""


def _steps(
    sort: Sort, modules: Sequence[int], sharing: Sequence[int] | None, shared: Sequence[int]
) -> list[_Step]:
    """What a group of this sort may cost; with too many modules that share, not less and not more.

    Args:
        sort: Of the group.
        modules: Those that it may have.
        sharing: What each module shares; None where it is not known which are there already.
        shared: The same, known or not.
    """
    owns = {module: own for module in modules if (own := sort.own[module]) is not None}
    alone = {module: own for module, own in owns.items() if not sharing or not sharing[module]}
    steps: list[_Step] = [((own, own), m) for m, own in owns.items() if m not in alone]
    if alone:
        least = min(alone.values())
        most = max(own + (shared[m] if sharing is None else 0) for m, own in alone.items())
        steps.append(((least, most), None))
    return steps


def _one_more(
    states: _States, steps: Sequence[_Step], shared: Sequence[int], at_most: int
) -> _States:
    made: _States = {}
    for (n, used), (low, high) in states.items():
        for (least, most), module in steps if n < at_most else ():
            first = 0 if module is None or module in used else shared[module]
            key = n + 1, used if module is None else used | {module}
            ends = low + least + first, high + most + first
            made[key] = _wider(made.get(key, ends), ends)
    return made


def _joined(one: _States, other: _States) -> _States:
    return one | {key: _wider(one.get(key, ends), ends) for key, ends in other.items()}


def _wider(one: Ends, other: Ends) -> Ends:
    return min(one[0], other[0]), max(one[1], other[1])
