"""What limits on any resource leave, against the sets one by one."""

import itertools
from dataclasses import replace
from fractions import Fraction

import pytest

from placement_search.space import limited
from placement_search.space.budget import Budget
from placement_search.space.cost_table import Price
from placement_search.space.counting import count_freely
from placement_search.space.limited import most_within, sets_within
from placement_search.space.search_space import SearchSpace
from placement_search.space.sums import MAX_BITS
from tests.tiny_spaces import bound, space_file

SPACES = [
    {"module_per": "connection", "connections": {"at_most": 2}},
    {"first_pass": "adapted"},
    {"symmetric": True, "first_pass": "adapted"},
    {"always": ["2>0"], "modules": [{"type": "arc", "rank": [2, 4]}, {"type": "lora", "rank": 2}]},
]


def space_of(changes: dict[str, object]) -> tuple[SearchSpace, Price]:
    """A space of 9 places, of which a limit on operations leaves all, and their price."""
    file = space_file(sources=["0-2"], targets=["0-2"], **changes)
    space = bound(file, budget=Budget(max_flops=Fraction(100)))
    assert space.table.flops is not None
    return space, space.table.flops


def costs_of(space: SearchSpace, price: Price) -> list[tuple[float, int]]:
    """Operations and parameters of every layout."""
    everything = list(itertools.product(range(len(space.groups)), range(len(space.modules))))
    layouts = [
        space.layout_of(chosen)
        for chosen in itertools.chain.from_iterable(
            itertools.combinations(everything, n) for n in range(space.at_least, space.at_most + 1)
        )
        if space.choices.contains(chosen)
    ]
    return [(price.of(space.table.usage(each)), space.cost(each)) for each in layouts]


@pytest.mark.slow
@pytest.mark.parametrize("changes", SPACES)
@pytest.mark.parametrize("factor", ["1.02", "1.15", "1.3", "1.5", "9"])
def test_sets_are_counted_whatever_they_use(changes: dict[str, object], factor: str) -> None:
    """First passes, adapted ones that carry others twice, and what modules share."""
    space, price = space_of(changes)
    limit = 100_000 * Fraction(factor)
    within = [each for each in costs_of(space, price) if each[0] <= limit]
    found = sets_within(space.choices, price, limit, count_freely(space.choices), MAX_BITS)
    most = most_within(space.choices, price, limit, space.table.parameters)

    assert found == (len(within), len(within))
    if within:
        assert most is not None
        assert max(n for _, n in within) <= most


@pytest.mark.slow
@pytest.mark.parametrize("changes", SPACES)
def test_what_is_rounded_gives_bounds(
    changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The coarser the wider; costs that are no whole numbers are always rounded."""
    space, price = space_of(changes)
    fine = replace(price, modules=tuple(cost / 3 for cost in price.modules))
    costs, limit = costs_of(space, fine), Fraction(112_345)
    true, n_freely = sum(cost <= limit for cost, _ in costs), count_freely(space.choices)
    found = sets_within(space.choices, fine, limit, n_freely, MAX_BITS)
    monkeypatch.setattr(limited, "N_UNITS", (30,))
    coarse = sets_within(space.choices, fine, limit, n_freely, MAX_BITS)

    assert found is not None
    assert coarse is not None
    assert coarse[0] <= found[0] <= true <= found[1] <= coarse[1]
    assert found[1] - found[0] <= 0.05 * n_freely


def test_the_most_parameters_are_near_what_the_limit_pays() -> None:
    """Where operations go with parameters the bound is what they leave."""
    space, price = space_of({"kinds": ["parallel", "long_range"]})
    limit = Fraction(price.fixed) + 20_000

    assert most_within(space.choices, price, limit, space.table.parameters) == 2000
    assert most_within(space.choices, price, Fraction(1), space.table.parameters) is None


def test_what_would_take_long_is_not_counted() -> None:
    """Rounding saves no more than it can; it is as coarse as it must be."""
    space, price = space_of({})
    n_freely, limit = count_freely(space.choices), Fraction(112_345)
    exact, rough, none = (
        sets_within(space.choices, replace(price, fixed=price.fixed + 0.1), limit, n_freely, bits)
        for bits in (MAX_BITS, 2_000_000, 1000)
    )

    assert none is None
    assert exact is not None
    assert rough is not None
    assert rough[0] <= exact[0] <= exact[1] <= rough[1]
