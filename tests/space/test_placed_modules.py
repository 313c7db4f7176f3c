"""Spaces of modules that do not fit everywhere, cost by their place, or share parameters."""

import itertools
import math
import random

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.layout import parse_layout
from placement_search.space.budget import Budget
from placement_search.space.encoding import Encoding
from placement_search.space.search_space import SearchSpace, bind_space
from tests.placed_types import TYPES, counted, misfits, places_of
from tests.space.test_counting import counted_one_by_one
from tests.space.test_encoding import PLACES, drawn_genes, spaces
from tests.tiny_spaces import N_RANK_4, WIDTH, bound, price_table, space_file

INNER = {"type": "inner", "rank": 4}
PLAIN = {"type": "bottleneck", "rank": 4}
COMMON = {"type": "common", "rank": 4}
N_INNER, N_LAST = 4 * 6 * WIDTH, 4 * 3 * (WIDTH + WIDTH // 4)
"""Of rank 4 at three square maps, and at those of the last block."""


def placed(budget: Budget | None = None, /, **changes: object) -> SearchSpace:
    return bound(space_file(**changes), None, TYPES, budget=budget, places=PLACES)


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - reproducible, not secret


@pytest.mark.slow
@given(st.data(), spaces(), st.integers(0, 2**32))
@settings(deadline=None, max_examples=50)
def test_whatever_is_proposed_fits_and_costs_what_is_counted_by_hand(
    data: st.DataObject, space: SearchSpace, seed: int
) -> None:
    """Decoded, random, near and shuffled layouts: each at its place, what is shared once."""
    encoding, generator = Encoding(space), seeded(seed)
    layout = encoding.decode(data.draw(drawn_genes(encoding)))
    shuffled = space.shuffled(layout, generator)
    made = [layout, space.random_layout(generator), *space.neighbours(layout, generator, 4)]
    made += [shuffled] if shuffled else []

    for each in made:
        assert not misfits(each, PLACES), each.notation
        assert space.contains(each) and not space.objections(each), each.notation
        assert space.cost(each) == space.predicted(each).n_parameters == counted(each, PLACES)
        assert encoding.decode(encoding.encode(each)) == each


@pytest.mark.slow
@given(spaces(), st.integers(0, 2**32))
@settings(deadline=None, max_examples=30)
def test_what_is_contained_has_no_objections_and_nothing_else_is(
    space: SearchSpace, seed: int
) -> None:
    """Both say the same of any layout of the space's own connections and modules."""
    generator = seeded(seed)
    n = generator.randint(1, min(4, len(space.pairs)))
    pairs = generator.sample(space.pairs, n)
    layout = space.layout(pairs, [generator.choice(space.modules) for _ in pairs])

    assert space.contains(layout) == (not space.objections(layout))


@pytest.mark.slow
@given(
    modules=st.sampled_from([[INNER], [INNER, PLAIN], [COMMON, INNER], [COMMON]]),
    module_per=st.sampled_from(["layout", "connection"]),
    always=st.sampled_from([[], ["0>1"], ["0>1", "2>2"]]),
    symmetric=st.booleans(),
    at_least=st.integers(1, 2),
    limit=st.one_of(
        st.builds(Budget, st.integers(1500, 6000)),
        st.builds(Budget, max_bytes=st.integers(8000, 30_000)),
        st.builds(Budget, max_flops=st.fractions(1.2, 3)),
        st.just(Budget()),
    ),
)
@settings(deadline=None, max_examples=60)
def test_the_number_of_layouts_is_exact(
    modules: list[object],
    module_per: str,
    always: list[str],
    symmetric: bool,
    at_least: int,
    limit: Budget,
) -> None:
    """As counted one by one on nine candidates, of which one goes around attention."""
    try:
        space = placed(
            limit,
            sources=["0-2"],
            targets=["0-2"],
            connections={"at_least": at_least, "at_most": 3},
            modules=modules,
            module_per=module_per,
            always=always,
            symmetric=symmetric,
        )
    except SpaceError:
        reject()

    assert space.n_layouts == counted_one_by_one(space)


def test_every_layout_has_numbers() -> None:
    """Whatever the space contains a sampler can propose."""
    space = placed(
        Budget(3000),
        sources=["0-2"],
        targets=["1-3"],
        modules=[INNER, PLAIN, COMMON],
        module_per="connection",
    )
    encoding = Encoding(space)
    everything = list(itertools.product(range(len(space.groups)), range(len(space.modules))))
    sets = [s for n in (1, 2, 3) for s in itertools.combinations(everything, n)]
    legal = [space.layout_of(s) for s in sets if space.choices.contains(s)]

    assert len(legal) == space.n_layouts
    for layout in legal:
        assert encoding.decode(encoding.encode(layout)) == layout


def test_connections_that_no_module_fits_are_no_candidates() -> None:
    """Of 49 parallel and sequential ones the twelve around attention are left."""
    space = placed(kinds=["parallel", "sequential"], modules=[INNER], connections={"at_most": 20})

    assert space.pairs == tuple((node, node + 1) for node in range(0, 24, 2))
    assert space.at_most == 12


def test_a_large_space_of_both_sorts_is_counted_by_formula() -> None:
    """Twelve of 625 connections have a choice of two modules."""
    space = placed(modules=[INNER, PLAIN], module_per="connection", connections={"at_most": 4})
    by_hand = sum(
        math.comb(12, inner) * 2**inner * math.comb(613, n - inner)
        for n in range(1, 5)
        for inner in range(n + 1)
    )
    each = placed(modules=[INNER, PLAIN], connections={"at_most": 4})

    assert space.n_layouts == by_hand
    assert each.n_layouts == sum(math.comb(12, n) + math.comb(625, n) for n in range(1, 5))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"kinds": ["sequential", "long_range"], "modules": [PLAIN, INNER]},
            ("inner(rank=4) fits no connection of space 'tiny': 0>0:inner(rank=4) has to go around "
            "one sub-layer; admit other connections, or leave the module out"),
        ),
        (
            {"kinds": ["parallel"], "sources": ["attention"], "modules": [INNER]},
            "1>2:inner(rank=4) works in attention alone",
        ),
        (
            {"modules": [INNER], "always": ["3>9"]},
            ("always names 3>9 in space 'tiny', which no module fits: 3>9:inner(rank=4) has to go "
            "around one sub-layer; add a module, or leave the connection out"),
        ),
        (
            {"modules": [INNER], "connections": {"at_least": 13, "at_most": 20}},
            "and the modules' places admit 12 connections, connections.at_least asks for 13",
        ),
        (
            {"modules": [INNER, PLAIN], "always": ["3>9"], "when": [
                {"has": "3>9", "module": {"type": "inner"}}
            ]},
            ("no layout of at least 1 connection meets when, always and never together with "
            "modules where they fit"),
        ),
        (
            {"modules": [INNER], "symmetric": True, "kinds": ["parallel", "recurrent"]},
            "1>0:inner(rank=4) has to go around one sub-layer",
        ),
    ],
)  # fmt: skip
def test_what_fits_nowhere_is_told(changes: dict[str, object], said: str) -> None:
    """The module or the connection, the reason, and the cure."""
    with pytest.raises(SpaceError) as raised:
        placed(**changes)

    assert said in str(raised.value)


def test_a_connection_of_every_layout_keeps_the_modules_that_it_can_have() -> None:
    """With one module for all, the one that does not fit it is no module of the space."""
    space = placed(modules=[INNER, PLAIN], always=["3>9"])

    assert [module.type for module in space.modules] == ["bottleneck"]


def test_a_misfit_is_told_by_its_own_reason() -> None:
    """Like every other objection."""
    space = placed(modules=[INNER, PLAIN], module_per="connection")
    layout = parse_layout("1>2:inner(rank=4)+3>3:inner(rank=4)+4>5:inner(rank=4)", TYPES)

    assert space.objections(layout) == [
        "1>2:inner(rank=4) works in attention alone",
        "3>3:inner(rank=4) has to go around one sub-layer",
    ]


def test_tied_connections_have_a_module_where_all_of_them_can() -> None:
    """Parallel ones from attention's input repeat in every block, those from MLPs' do not fit."""
    space = placed(kinds=["parallel"], tied="blocks", modules=[INNER], connections={"at_most": 2})

    assert space.groups == (tuple((node, node + 1) for node in range(0, 24, 2)),)
    assert space.cost(space.random_layout(seeded(0))) == 11 * N_INNER + N_LAST


def test_what_is_shared_counts_once() -> None:
    """Three connections with one projection, and another one of another module."""
    space = placed(modules=[COMMON, PLAIN], module_per="connection")
    three = parse_layout("+".join(f"{n}>9:common(rank=4)" for n in (1, 2, 3)), TYPES)
    mixed = parse_layout("1>9:common(rank=4)+2>9:bottleneck(rank=4)", TYPES)

    assert space.cost(three) == 3 * WIDTH + 4 * WIDTH
    assert space.cost(mixed) == WIDTH + 4 * WIDTH + N_RANK_4
    assert space.table.only([space.modules[1]]).parameters.shared == ()


def test_a_budget_counts_what_is_shared_once() -> None:
    """It pays for one projection, so for as many vectors as are left."""
    space = placed(Budget(4 * WIDTH + 5 * WIDTH), modules=[COMMON], connections={"at_most": 20})

    assert space.at_most == 5 == space.choices.most(0)


def test_bytes_and_operations_go_by_the_place() -> None:
    """Fewer where the maps are smaller."""
    space = placed(Budget(max_bytes=10**6), modules=[INNER])
    costs = space.predicted(parse_layout("0>1:inner(rank=4)+22>23:inner(rank=4)", TYPES))

    assert costs.n_bytes == 1000 + 4 * (N_INNER + N_LAST)
    assert costs.n_flops == 100_000 + 10 * (N_INNER + N_LAST)


def test_costs_are_those_of_the_dearest_place() -> None:
    """Of the space's own connections, without what is shared."""
    last = placed(sources=[22], targets=["22-23"], modules=[INNER, COMMON])

    assert placed(modules=[INNER, COMMON]).costs == (WIDTH, N_INNER)
    assert last.costs == (WIDTH, N_LAST)


def test_modules_that_mind_nothing_see_one_class_of_places() -> None:
    """So their spaces are as fast as they were."""
    plain, inner = (placed(modules=each).table.classes for each in ([PLAIN, COMMON], [INNER]))

    assert plain.examples == ((0, 0),)
    assert not plain.numbers and not plain.misfits
    assert inner.examples == ((0, 0), (0, 1), (22, 23))


def test_a_table_of_another_backbone_is_our_mistake() -> None:
    """Its prices are for other places."""
    file = space_file(modules=[INNER, PLAIN])
    table = price_table(file, TYPES, places_of(11, WIDTH))
    with pytest.raises(ValueError, match="the cost table is not one of space 'tiny'"):
        bind_space(file, TYPES, n_nodes=25, places=PLACES, budget=Budget(), table=table)


def test_shuffling_finds_places_that_fit() -> None:
    """Twelve of 625 do, too few to come upon by chance."""
    space = placed(modules=[INNER, PLAIN], module_per="connection")
    layout = parse_layout("0>1:inner(rank=4)+2>3:inner(rank=4)+3>9:bottleneck(rank=4)", TYPES)
    made = [space.shuffled(layout, seeded(seed)) for seed in range(20)]

    assert all(each is not None and space.contains(each) for each in made)
    assert len({each.id for each in made if each}) > 15


def test_moves_reach_modules_of_both_sorts() -> None:
    """A parallel connection changes its module, and one is added where it fits."""
    space = placed(modules=[INNER, PLAIN], module_per="connection")
    layout = parse_layout("0>1:bottleneck(rank=4)", TYPES)
    near = {each.notation for each in space.neighbours(layout, seeded(0), 60)}

    assert "0>1:inner(rank=4)" in near
    assert any("+" in each and "inner" in each for each in near)
