"""Sets of choices by their parameters: how many sets have each sum.

The sets of n groups are a polynomial in y, whose coefficient of y^s is the number of those that sum
to s. It is held in one whole number, coefficients so many bits apart that none runs into the next,
so that a product of polynomials is one of whole numbers.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from placement_search.space.choices import Choices
from placement_search.space.cost_table import Price
from placement_search.space.counting import Counted
from placement_search.space.legality import Traits, own_cost

MAX_SHARING = 6
"""Modules that share parameters; sets are counted for each choice among them."""
MAX_BITS = 2**30
"""Bits of all products together, beyond which counting is given up; some seconds."""


@dataclass(frozen=True, slots=True)
class Sort:
    """So many groups that cost the same with each module, None where one does not fit."""

    own: tuple[int | None, ...]
    n: int
    is_forced: bool


@dataclass(frozen=True, slots=True)
class _Field:
    """How polynomials are held: bits of a coefficient, and the largest power that is kept."""

    n_bits: int
    most: int

    def at(self, power: int) -> int:
        """The power alone."""
        return 1 << self.n_bits * power

    def cut(self, polynomial: int, most: int | None = None) -> int:
        """The powers up to ``most``, or up to the largest that is kept."""
        return polynomial & (self.at((self.most if most is None else most) + 1) - 1)

    def n_sets(self, polynomial: int) -> int:
        """The sum of all coefficients, as casting out nines gives a sum of digits."""
        return polynomial % (self.at(1) - 1)

    def ends(self, polynomial: int) -> tuple[int, int]:
        """The lowest and the highest power, of a polynomial that is not 0."""
        lowest = (polynomial & -polynomial).bit_length() - 1
        return lowest // self.n_bits, (polynomial.bit_length() - 1) // self.n_bits


def counted_by_sums(choices: Choices, price: Price, limit: int, n_freely: int) -> Counted | None:
    """The sets of a space within a limit on parameters; conditions and other limits are not seen.

    Args:
        choices: The space's.
        price: Of parameters.
        limit: Most parameters of a set.
        n_freely: The number of sets without a limit, or more.

    Returns:
        None where counting would take too long, or there are no sets.
    """
    shared = [int(each) for each in price.shared] or [0] * choices.legality.n_modules
    found = sums_within(choices, sorts_of(choices, price), shared, limit, n_freely, MAX_BITS)
    if not found:
        return None
    sizes, numbers, lows, highs = zip(*found, strict=True)
    return Counted(sum(numbers), (min(sizes), max(sizes)), (min(lows), max(highs)))


def sums_within(
    choices: Choices,
    sorts: Sequence[Sort],
    shared: Sequence[int],
    limit: int,
    n_freely: int,
    max_bits: int,
) -> list[tuple[int, int, int, int]] | None:
    """The sets within a limit on sums, in parts: size, number of sets, least and largest sum.

    Args:
        choices: The space's.
        sorts: Its groups, or some of them.
        shared: What each module costs once, however often a set has it.
        limit: The largest sum.
        n_freely: The number of sets without a limit, or more.
        max_bits: Bits of all products together.

    Returns:
        None where counting would take more.
    """
    n_modules, at_most = choices.legality.n_modules, choices.legality.at_most
    sharing = [module for module in range(n_modules) if shared[module]]
    largest = max((own for sort in sorts for own in sort.own if own is not None), default=0)
    limit = min(limit, at_most * largest + sum(shared))
    if limit < 0:
        return []
    unit, sorts = _in_units(sorts)
    field = _Field(n_freely.bit_length() + 1, limit // unit)
    n_families = n_modules if choices.is_module_shared else 2 ** len(sharing)
    n_products = len(sorts) * at_most**2 * n_families
    is_small = field.n_bits * (field.most + 1) * n_products <= max_bits
    if not is_small or len(sharing) > MAX_SHARING:
        return None
    families = (
        {(m,): _by_size(sorts, [m], at_most, field) for m in range(n_modules)}
        if choices.is_module_shared
        else _families(sorts, n_modules, sharing, at_most, field)
    )
    return [
        (size, field.n_sets(kept), base + unit * ends[0], base + unit * ends[1])
        for used, polynomials in families.items()
        if (base := sum(shared[module] for module in used)) <= limit
        for size, polynomial in enumerate(polynomials)
        if size >= choices.at_least and (kept := field.cut(polynomial, (limit - base) // unit))
        for ends in (field.ends(kept),)
    ]


def sorts_of(choices: Choices, price: Price) -> list[Sort]:
    """The groups of a space, those together that cost the same and are always there or not."""
    n_modules = choices.legality.n_modules

    def own(traits: Traits) -> tuple[int | None, ...]:
        return tuple(
            None if module in traits.misfits else int(own_cost(price, traits, module, n_modules))
            for module in range(n_modules)
        )

    forced = Counter(own(choices.traits[group]) for group in choices.always)
    free = Counter(own(choices.traits[group]) for group in choices.free)
    return [
        Sort(each, n, is_forced)
        for counts, is_forced in ((forced, True), (free, False))
        for each, n in counts.items()
    ]


def _in_units(sorts: Sequence[Sort]) -> tuple[int, list[Sort]]:
    """The largest unit that all costs are multiples of, and the costs in it."""
    unit = math.gcd(*(own for sort in sorts for own in sort.own if own)) or 1
    return unit, [
        replace(sort, own=tuple(None if own is None else own // unit for own in sort.own))
        for sort in sorts
    ]


def _families(
    sorts: Sequence[Sort], n_modules: int, sharing: Sequence[int], at_most: int, field: _Field
) -> dict[tuple[int, ...], list[int]]:
    """By modules that share parameters, the sets that have just these of them, by size.

    Those that have some of these are counted; then inclusion and exclusion leave those with all.
    """
    others = [module for module in range(n_modules) if module not in sharing]
    some = {used: _by_size(sorts, [*others, *used], at_most, field) for used in _subsets(sharing)}
    return {
        used: [
            sum((-1) ** (len(used) - len(part)) * some[part][size] for part in _subsets(used))
            for size in range(at_most + 1)
        ]
        for used in some
    }


def _subsets(modules: Sequence[int]) -> Iterator[tuple[int, ...]]:
    for n in range(len(modules) + 1):
        yield from combinations(modules, n)


def _by_size(
    sorts: Sequence[Sort], modules: Sequence[int], at_most: int, field: _Field
) -> list[int]:
    """The polynomials of the sets with these modules, by number of groups."""
    made = [1] + [0] * at_most
    for sort in sorts:
        owns = [sort.own[module] for module in modules]
        shifts = [field.n_bits * own for own in owns if own is not None and own <= field.most]
        powers = [1]
        while len(powers) <= min(sort.n, at_most):
            powers.append(field.cut(sum(powers[-1] << shift for shift in shifts)))
        more = [
            math.comb(sort.n, n) * power if n == sort.n or not sort.is_forced else 0
            for n, power in enumerate(powers)
        ]
        made = [
            field.cut(sum(made[n - i] * more[i] for i in range(min(n + 1, len(more)))))
            for n in range(at_most + 1)
        ]
    return made
