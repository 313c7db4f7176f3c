from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.modules import MODULE_TYPES, count_parameters, parse_layout
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.cost_table import Price, Usage
from placement_search.space.encoding import Encoding
from placement_search.space.search_space import SearchSpace, bind_space
from tests.space.test_encoding import drawn_genes, spaces
from tests.tiny_spaces import (
    N_NODES,
    N_RANK_4,
    N_RANK_8,
    PLACES,
    WIDTH,
    bound,
    price_table,
    space_file,
)

TABLE = price_table(space_file())


def test_a_layout_pays_for_its_modules() -> None:
    """Parameters, bytes with the head's 1000, operations with the backbone's 100,000, time."""
    layout = parse_layout("3>9:bottleneck(rank=8)+3>4:bottleneck(rank=4)")
    costs = TABLE.costs(layout)

    assert costs.n_parameters == N_RANK_4 + N_RANK_8 == count_parameters(layout, Places(WIDTH))
    assert costs.n_bytes == 1000 + 4 * costs.n_parameters
    assert costs.n_flops == 100_000 + 10 * costs.n_parameters
    assert costs.flops_factor == costs.n_flops / 100_000
    assert costs.latency_factor == pytest.approx(1.02)


def test_a_recurrent_layout_pays_for_a_first_pass_up_to_its_last_source() -> None:
    """Once, however many connections read it."""
    one = TABLE.costs(parse_layout("20>4:bottleneck(rank=4)"))
    two = TABLE.costs(parse_layout("20>4:bottleneck(rank=4)+8>4:bottleneck(rank=4)"))

    assert one.n_flops == 100_000 + 80_000 + 10 * N_RANK_4
    assert two.n_flops == 100_000 + 80_000 + 20 * N_RANK_4
    assert two.latency_factor == pytest.approx(1.92)


def test_an_adapted_first_pass_carries_the_other_connections() -> None:
    """They are paid for twice, recurrent ones once."""
    layout = "20>4:bottleneck(rank=4)+3>9:bottleneck(rank=8)"
    frozen = TABLE.costs(parse_layout(layout)).n_flops
    adapted = TABLE.costs(parse_layout(f"{layout}|first_pass=adapted")).n_flops

    assert frozen is not None
    assert adapted == frozen + 10 * N_RANK_8


def test_a_table_of_parameters_alone_says_nothing_else() -> None:
    """What nobody counted is not made up."""
    costs = bound().predicted(parse_layout("3>9:bottleneck(rank=8)"))

    assert (costs.n_bytes, costs.n_flops, costs.latency_factor) == (None, None, None)


def test_a_limit_without_a_price_is_our_mistake() -> None:
    """No budget may be silently ignored."""
    with pytest.raises(ValueError, match="needs its price"):
        bind_space(
            space_file(),
            MODULE_TYPES,
            n_nodes=25,
            places=Places(64),
            budget=Budget(max_flops=Fraction(2)),
        )


@pytest.mark.slow
@given(st.data(), spaces())
@settings(deadline=None, max_examples=60)
def test_nothing_over_budget_can_be_proposed(data: st.DataObject, space: SearchSpace) -> None:
    """Whatever the numbers say, no prediction exceeds a limit."""
    encoding = Encoding(space)
    layout = encoding.decode(data.draw(drawn_genes(encoding)))

    assert space.budget.excess(space.predicted(layout)) == ""


def test_recurrent_connections_that_the_budget_can_not_pay_are_not_proposed() -> None:
    """With a third of a pass to spend, sources beyond its reach are out."""
    space = bound(
        space_file(kinds=["recurrent"], connections={"exactly": 1}),
        budget=Budget(max_flops=Fraction("1.3")),
    )
    layouts = [space.layout([pair], [space.modules[0]]) for pair in space.pairs]
    reached = [layout.connections[0].source for layout in layouts if space.contains(layout)]

    # 30,000 operations: 7,080 for the adapter, and 8,000 for every two nodes of the first pass.
    assert max(reached) == 5


def test_a_budget_that_pays_for_no_pass_leaves_a_recurrent_space_empty() -> None:
    """The error shows both factors."""
    with pytest.raises(SpaceError, match=r"times the bare backbone's latency, the most is 1.5"):
        bound(space_file(kinds=["recurrent"]), budget=Budget(max_latency=Fraction("1.5")))


@given(st.integers(100, 400), st.integers(10**4, 10**13), st.integers(-2, 2))
@settings(deadline=None)
def test_what_may_be_proposed_is_not_over_the_budget(percent: int, bare: int, more: int) -> None:
    """At a limit such as 1.1, which no float is, as well as beside it."""
    limit = Fraction(percent, 100)
    added = int(limit * bare) - bare + more
    table = replace(TABLE, flops=Price((added, added), fixed=bare))
    budget, usage = Budget(max_flops=limit), Usage((1, 0), (0, 0), frozenset(), is_adapted=False)
    ((price, most),) = budget.limits(table)

    assert (price.of(usage) <= most) == (not budget.excess(table.costs_of(usage)))
    assert (price.of(usage) <= most) == (more <= 0)


@pytest.mark.parametrize(("limit", "most"), [("1.4", 4), ("1.39", 3), ("1.7", 6)])
def test_as_many_connections_as_a_sum_of_floats_lets_pass(limit: str, most: int) -> None:
    """Each a tenth more: (1.4 - 1.0) // 0.1 is 3, and 4 of them are within 1.4."""
    file = space_file(connections={"at_most": 9}, modules=[{"type": "bottleneck", "rank": 4}])
    table = replace(price_table(file), latency=Price((0.1,), fixed=1.0))
    budget = Budget(max_latency=Fraction(limit))
    space = bind_space(
        file, MODULE_TYPES, n_nodes=N_NODES, places=PLACES, budget=budget, sublayers=2, table=table
    )

    assert space.choices.most(0) == most
    assert most <= space.at_most <= most + 1


def test_a_layout_just_at_a_limit_is_within_it() -> None:
    """As a sum of floats gives it: 1.1 is more than 11/10 by what a float can't hold."""
    table = replace(TABLE, latency=Price((0.1, 0.2), fixed=1.0))
    budget = Budget(max_latency=Fraction("1.1"))
    usage = Usage((1, 0), (0, 0), frozenset(), is_adapted=False)
    ((price, most),) = budget.limits(table)

    assert price.of(usage) <= most
    assert budget.excess(table.costs_of(usage)) == ""
