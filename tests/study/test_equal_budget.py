"""Baselines at the budget: every layer made thin, evenly spread places, a greedy choice."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.layout import Kind, make_module
from placement_search.modules import MODULE_TYPES, count_parameters
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.search_space import SearchSpace
from placement_search.study.equal_budget import (
    EVENLY_SPREAD,
    GREEDY,
    EqualBudget,
    Thinning,
    _in_proportion,
    equal_budget_baselines,
    spread,
    thinned,
)
from placement_search.study.search import load_ingredients
from placement_search.study.settings import SearchSettings
from placement_search.study.spending import affordable
from tests.tiny_spaces import N_NODES, N_RANK_4, N_RANK_8, WIDTH, bound, space_file

PARALLEL, SEQUENTIAL = (f"every layer, {kind}, same budget" for kind in ("parallel", "sequential"))
SCORES = [
    [float(source == 20) + float(target == 3) for target in range(25)] for source in range(25)
]


def made(space: SearchSpace, *, has_map: bool = True) -> EqualBudget:
    scores = SCORES if has_map else None
    return equal_budget_baselines(space, MODULE_TYPES, N_NODES, scores)


@pytest.mark.slow
@given(st.integers(N_RANK_8, 30 * N_RANK_8))
@settings(deadline=None)
def test_none_costs_more_than_an_answer_may(limit: int) -> None:
    """Whatever the budget."""
    for baseline in made(bound(max_parameters=limit)).baselines:
        assert count_parameters(baseline.layout, Places(WIDTH)) <= limit


def test_every_layer_has_the_largest_rank_that_fits() -> None:
    """24 connections of rank 3 cost 13,896 parameters, of rank 4 16,992."""
    layouts = {b.role: b.layout for b in made(bound(max_parameters=16_000)).baselines}

    for role, kind in ((PARALLEL, Kind.PARALLEL), (SEQUENTIAL, Kind.SEQUENTIAL)):
        connections = layouts[role].connections
        assert [c.target for c in connections] == list(range(1, 25))
        assert {c.kind for c in connections} == {kind}
        assert {c.module.notation for c in connections} == {"bottleneck(rank=3)"}


def test_every_layer_does_without_a_norm_where_rank_1_is_too_dear() -> None:
    """With it 24 connections of rank 1 cost 7,704 parameters, without it those of rank 2 7,728."""
    space = bound(space_file(connections={"at_most": 24}), 7703)
    found = made(space)
    layouts = {b.role: b.layout for b in found.baselines}

    for role in (PARALLEL, SEQUENTIAL):
        modules = [c.module.notation for c in layouts[role].connections]
        assert modules == ["bottleneck(norm=false,rank=1)"] * 24
        assert found.notes[role] == (
            "made without norm: else 24 connections cost 7,704 parameters even at rank 1, a layout "
            "may have 7,703"
        )


def test_a_norm_stays_where_rank_1_fits_with_it() -> None:
    """Rank 2 without it would fit as well; what the space's modules have comes first."""
    found = made(bound(space_file(connections={"at_most": 24}), 7728))
    layouts = {b.role: b.layout for b in found.baselines}

    assert layouts[PARALLEL].connections[0].module.notation == "bottleneck(rank=1)"
    assert PARALLEL not in found.notes


def test_every_layer_is_left_out_with_a_note_where_nothing_fits() -> None:
    """24 connections of rank 1 cost 4,632 without norms; three of rank 8, the dearest, 3,672."""
    found = made(bound())

    assert {PARALLEL, SEQUENTIAL}.isdisjoint(b.role for b in found.baselines)
    assert found.notes.keys() == {PARALLEL, SEQUENTIAL}
    assert found.notes[PARALLEL] == (
        "left out: 24 connections cost 4,632 parameters even at rank 1 without norm, a layout may "
        "have 3,672"
    )


@pytest.mark.parametrize(
    ("type_name", "settings", "limit", "thin"),
    [
        # In widths of 64: a norm is two, a scale one, a gate one and 1.
        ("bottleneck", {"scale_per_channel": True}, 257, "scale_per_channel=true"),
        ("bottleneck", {"scale_per_channel": True, "gate": True}, 258, "gate=true"),
        ("bottleneck", {"scale_per_channel": True, "gate": True}, 257, ""),
        ("adamix", {"experts": 2}, 323, "experts=2"),
        ("arc", {"norm": True}, 129, ""),
    ],
)  # fmt: skip
def test_any_type_does_without_what_it_can_do_without(
    type_name: str, settings: dict[str, bool | int], limit: int, thin: str
) -> None:
    """One setting after another, each only where those before it were not enough."""
    module = make_module(MODULE_TYPES, type_name, {"rank": 4, **settings}, "here")
    found, _ = thinned(module, [(0, 1)], Thinning(limit), MODULE_TYPES, Places(WIDTH))

    assert found is not None
    kept = set(found.notation.removesuffix(")").split("(")[1].split(","))
    assert kept - {"norm=false", "rank=1"} == ({thin} if thin else set())


def test_a_note_says_what_fits_where_and_what_it_does_without() -> None:
    """LoRA on queries and values goes around attention alone, and here without its gate."""
    lora = {"type": "lora", "rank": 4, "linears": "query_value", "gate": True}
    space = bound(space_file(kinds=["parallel"], modules=[lora]))
    note = made(space).notes[PARALLEL]

    assert note.startswith("at 12 of 24 places: 1>2:lora(")
    assert "; made without gate: else 12 connections cost 4,632 parameters even at rank 1" in note


def test_studies_of_earlier_sets_do_without_nothing() -> None:
    """They are left out with the note that they had."""
    space = bound(space_file(connections={"at_most": 24}), 7703)
    found = equal_budget_baselines(space, MODULE_TYPES, N_NODES, SCORES, baseline_set=3)

    assert {PARALLEL, SEQUENTIAL}.isdisjoint(b.role for b in found.baselines)
    assert found.notes[PARALLEL] == (
        "left out: 24 connections cost 7,704 parameters even at rank 1, a layout may have 7,703"
    )


def test_a_rank_is_never_raised() -> None:
    """A large budget leaves the space's own module."""
    module = make_module(MODULE_TYPES, "bottleneck", {"rank": 4, "norm": False}, "here")

    assert thinned(module, [(0, 1)], Thinning(10**9), MODULE_TYPES, Places(WIDTH)) == (module, "")


def test_without_a_budget_the_dearest_layout_of_the_space_is_the_limit() -> None:
    """What an answer may cost there."""
    assert affordable(bound()) == 3 * N_RANK_8
    assert affordable(bound(max_parameters=2000)) == 2000


def test_under_another_budget_the_dearest_layout_counts_the_modules_it_can_pay_for() -> None:
    """Seven of rank 4, or four of rank 8 with fewer parameters, and not seven of rank 8."""
    file = space_file(connections={"at_most": 24})
    space = bound(file, budget=Budget(max_bytes=1000 + 4 * 7 * N_RANK_4))

    assert affordable(space) == 7 * N_RANK_4


def test_without_a_budget_tied_connections_are_all_counted() -> None:
    """Parallel ones of one sort in all twelve blocks are a single group."""
    file = space_file(kinds=["parallel"], tied="blocks", connections={"at_most": 1})

    assert affordable(bound(file)) == 12 * N_RANK_8


def test_a_thin_layout_over_another_budget_is_left_out() -> None:
    """24 connections take 0.24 of the backbone's time at any rank; parameters would allow them."""
    file = space_file(connections={"at_most": 24})
    found = made(bound(file, budget=Budget(max_latency=Fraction("1.1"))))

    assert {PARALLEL, SEQUENTIAL}.isdisjoint(b.role for b in found.baselines)
    assert "1.24 times the bare backbone's latency, the most is 1.1" in found.notes[PARALLEL]


def test_every_layer_keeps_every_limit() -> None:
    """Bytes for 24 connections of rank 1, where parameters would allow rank 3; 4 bytes each."""
    budget = Budget(max_parameters=16_000, max_bytes=1000 + 4 * 24 * 321)
    space = bound(space_file(connections={"at_most": 24}), budget=budget)
    layouts = {b.role: b.layout for b in made(space).baselines}

    for role in (PARALLEL, SEQUENTIAL):
        assert {c.module.notation for c in layouts[role].connections} == {"bottleneck(rank=1)"}


def test_a_limit_that_no_size_keeps_is_told() -> None:
    """The smallest every-layer adapters have 193 parameters each, and ten operations for each."""
    budget = Budget(max_parameters=16_000, max_flops=Fraction("1.4"))
    note = made(bound(space_file(connections={"at_most": 24}), budget=budget)).notes[PARALLEL]

    assert note == (
        "left out: 24 connections even at rank 1 without norm: 1.4632 times the bare backbone's "
        "operations, the most is 1.4"
    )


def test_the_size_that_is_lowered_is_what_the_module_calls_so() -> None:
    """A tiny attention has a width; 24 of width 1 cost 9,456 parameters."""
    modules = [{"type": "tiny_attention", "width": [1, 4]}]
    found = made(bound(space_file(connections={"at_most": 24}, modules=modules), 12_000))
    layouts = {b.role: b.layout for b in found.baselines}

    for role in (PARALLEL, SEQUENTIAL):
        assert [c.module.notation for c in layouts[role].connections] == [
            "tiny_attention(width=1)"
        ] * 24
        assert role not in found.notes


def test_a_module_without_a_size_says_so() -> None:
    """`adapter_bias` has none."""
    modules = [{"type": "adapter_bias"}]
    found = made(bound(space_file(connections={"at_most": 3}, modules=modules)))

    assert found.notes[PARALLEL] == (
        "left out: adapter_bias has no rank or width or experts or heads to lower"
    )


@given(st.integers(1, 40), st.integers(1, 30))
def test_evenly_spread_places_are_evenly_spread(n: int, last: int) -> None:
    """All different, within the backbone, gaps differ by 1 at most, and both ends by 1 as well."""
    places = spread(n, last)
    gaps = {after - before for before, after in pairwise(places)}

    assert len(set(places)) == len(places) == min(n, last)
    assert places[0] >= 1 and places[-1] <= last
    assert max(gaps, default=0) - min(gaps, default=0) <= 1
    assert abs((places[0] - 1) - (last - places[-1])) <= 1


def test_the_evenly_spread_ones_are_parallel() -> None:
    """Three of 24 sub-layers."""
    layouts = {b.role: b.layout for b in made(bound()).baselines}

    assert [(c.source, c.target) for c in layouts[EVENLY_SPREAD].connections] == [
        (4, 5), (12, 13), (20, 21),
    ]  # fmt: skip


def test_the_greedy_choice_follows_the_proxy() -> None:
    """(20, 3) has both of what scores here; the next ones lie far from it."""
    layouts = {b.role: b.layout for b in made(bound()).baselines}
    pairs = [(c.source, c.target) for c in layouts[GREEDY].connections]

    assert (20, 3) in pairs
    assert len(pairs) == 3
    assert all(SCORES[source][target] for source, target in pairs)


@pytest.mark.parametrize("role", [GREEDY, EVENLY_SPREAD])
def test_they_may_be_the_answer_where_the_space_has_them(role: str) -> None:
    """A greedy choice is made among the space's places, so it has it always."""
    narrow = bound(space_file(kinds=["long_range"]))
    contained = [
        {b.role: space.contains(b.layout) for b in made(space).baselines}[role]
        for space in (bound(), narrow)
    ]

    assert contained == [True, role == GREEDY]


def test_without_a_proxy_map_there_is_no_greedy_choice() -> None:
    """And a note says so."""
    found = made(bound(), has_map=False)

    assert GREEDY not in {b.role for b in found.baselines}
    assert found.notes[GREEDY] == "left out: the study has no proxy map with numerical_rank"


def test_in_a_tied_space_they_have_as_many_connections_as_random_layouts() -> None:
    """One group, with a connection in each of twelve blocks."""
    space = bound(space_file(kinds=["parallel"], tied="blocks", connections={"at_most": 1}))
    layouts = {b.role: b.layout for b in made(space).baselines}

    assert len(layouts[GREEDY].connections) == 12 == len(layouts[EVENLY_SPREAD].connections)
    assert space.contains(layouts[GREEDY])


def test_the_greedy_choice_has_what_is_always_there() -> None:
    """Else no study over the space could propose it."""
    space = bound(space_file(always=["7>9"]))
    greedy = {b.role: b.layout for b in made(space).baselines}[GREEDY]

    assert space.contains(greedy)
    assert (7, 9) in {(c.source, c.target) for c in greedy.connections}


def test_all_have_the_size_of_the_largest_layout_under_conditions() -> None:
    """Parallel ones stand alone here, long-range ones may be four."""
    file = space_file(
        kinds=["parallel", "long_range"],
        connections={"at_most": 4},
        when=[{"has": "parallel", "in_all": 1}],
    )
    found = made(bound(file))
    layouts = {b.role: b.layout for b in found.baselines}

    assert len(layouts[GREEDY].connections) == len(layouts[EVENLY_SPREAD].connections) == 4
    assert "a layout may have 4,896" in found.notes[PARALLEL]


def test_without_a_budget_of_parameters_the_limit_counts_mixed_modules() -> None:
    """Bytes that pay for one module of rank 4 and one of rank 8, and not for two of rank 8."""
    limit = Budget(max_bytes=1000 + 4 * (N_RANK_4 + N_RANK_8))
    file = space_file(module_per="connection", connections={"at_most": 2})

    assert affordable(bound(file, budget=limit)) == N_RANK_4 + N_RANK_8


def test_a_shared_projection_has_parameters_and_no_operations_of_its_own() -> None:
    """A thinner one is priced in proportion where there is something to price."""
    assert _in_proportion((), (10,), (40,)) == ()
    assert _in_proportion((8.0,), (10,), (40,)) == (2,)


@pytest.mark.slow
def test_thin_modules_that_share_are_priced_under_a_limit_on_operations() -> None:
    """The space has no such rank, so what it costs follows from that of the whole one."""
    settings = SearchSettings(space="arc", max_params="5000", max_flops="2x")

    assert made(load_ingredients(settings).space).baselines
