from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.modules import MODULE_TYPES, count_parameters, parse_layout
from placement_search.space.budget import Budget
from placement_search.space.encoding import Encoding
from placement_search.space.search_space import SearchSpace, bind_space
from tests.space.test_encoding import drawn_genes, spaces
from tests.tiny_spaces import N_RANK_4, N_RANK_8, WIDTH, bound, price_table, space_file

TABLE = price_table(space_file())


def test_a_layout_pays_for_its_modules() -> None:
    """Parameters, bytes with the head's 1000, operations with the backbone's 100,000, time."""
    layout = parse_layout("3>9:bottleneck(rank=8)+3>4:bottleneck(rank=4)")
    costs = TABLE.costs(layout)

    assert costs.n_parameters == N_RANK_4 + N_RANK_8 == count_parameters(layout, WIDTH)
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
            space_file(), MODULE_TYPES, n_nodes=25, width=64, budget=Budget(max_flops=Fraction(2))
        )


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
