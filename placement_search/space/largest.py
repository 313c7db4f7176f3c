"""The largest set of groups that may all have one module."""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from placement_search.space.legality import (
    Completion,
    Legality,
    Pick,
    Traits,
    loosened,
    own_cost,
)


def largest_set(
    legality: Legality, stock: Mapping[Traits, int], forced: Sequence[Traits], module: int
) -> list[Pick]:
    """As many picks of one module as were found together; none where the forced ones break a rule.

    Cheap ones are taken first. Where that ends below what limits admit, one of those taken may have
    brought a condition with it, so a set of one more is searched for until none is found.

    Args:
        legality: What they obey together.
        stock: How many free groups there are of each traits.
        forced: Traits of the groups that every set has.
        module: The number of the module.
    """
    picks = [(traits, module) for traits in forced]
    if not legality.allows(picks):
        return []
    for traits in sorted(stock, key=lambda each: legality.cost_order(each, [module])):
        for _ in range(stock[traits]):
            if not legality.allows([*picks, (traits, module)]):
                break
            picks.append((traits, module))
    admitted = _admitted(legality, stock, forced, module)
    while len(picks) < admitted:
        n_more = len(picks) + 1 - len(forced)
        found = Completion(legality, stock, [module]).find([], forced, n_more)
        if found is None:
            break
        picks = found
    return picks


def _admitted(
    legality: Legality, stock: Mapping[Traits, int], forced: Sequence[Traits], module: int
) -> int:
    """A number of groups that no set exceeds: the limits, each with the groups cheapest for it."""
    fitting = {traits: n for traits, n in stock.items() if module not in traits.misfits}
    found = [legality.at_most, len(forced) + sum(fitting.values())]
    for price, limit in legality.limits:
        spent = Fraction(price.of(legality.usage([(traits, module) for traits in forced])))
        each = {t: Fraction(own_cost(price, t, module, legality.n_modules)) for t in fitting}
        n = len(forced)
        for traits in sorted(fitting, key=each.__getitem__):
            n_payable = fitting[traits]
            if each[traits] > 0:
                n_payable = min(n_payable, int((loosened(limit) - spent) // each[traits]))
            n += n_payable
            spent += n_payable * each[traits]
            if n_payable < fitting[traits]:
                break
        found.append(n)
    return min(found)
