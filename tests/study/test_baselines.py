import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.layout import Kind
from placement_search.space.encoding import Encoding
from placement_search.study.baselines import Baseline, make_baselines
from tests.tiny_spaces import N_NODES, N_RANK_4, N_RANK_8, bound, space_file


def made(max_parameters: int | None = None, n_random: int = 3, seed: int = 0) -> list[Baseline]:
    return make_baselines(bound(max_parameters=max_parameters), N_NODES, n_random, seed)


def test_baselines_come_from_the_plainest_to_random_ones() -> None:
    """The order in which a study evaluates them."""
    assert [baseline.role for baseline in made()] == [
        "head only",
        "every layer, parallel",
        "every layer, sequential",
        "last layers",
        "random 1",
        "random 2",
        "random 3",
    ]


def test_named_baselines_are_what_their_names_say() -> None:
    """Nothing; each of the 24 sub-layers twice over; the last three sub-layers."""
    layouts = {baseline.role: baseline.layout for baseline in made()}
    ends = {
        role: [(c.source, c.target) for c in layout.connections] for role, layout in layouts.items()
    }

    assert ends["head only"] == []
    assert ends["every layer, parallel"] == [(node - 1, node) for node in range(1, 25)]
    assert ends["every layer, sequential"] == [(node, node) for node in range(1, 25)]
    assert ends["last layers"] == [(21, 22), (22, 23), (23, 24)]
    assert {c.kind for c in layouts["last layers"].connections} == {Kind.PARALLEL}


def test_all_use_the_dearest_module() -> None:
    """A baseline is not weakened by a smaller rank than the answer may have."""
    modules = {c.module.notation for b in made() for c in b.layout.connections}

    assert modules == {"bottleneck(rank=8)"}


@pytest.mark.slow
@given(st.integers(N_RANK_4, 4 * N_RANK_8), st.integers(1, 6))
@settings(deadline=None)
def test_random_layouts_are_the_spaces_own(limit: int, at_most: int) -> None:
    """They could have been proposed, within the budget, and so may be the answer."""
    space = bound(space_file(connections={"at_most": at_most}), limit)
    baselines = make_baselines(space, N_NODES, 3, seed=0)

    for baseline in baselines:
        if baseline.role.startswith("random"):
            assert space.contains(baseline.layout)
        if baseline.role == "last layers":
            assert space.cost(baseline.layout) <= limit


@pytest.mark.slow
@given(st.integers(N_RANK_4, 4 * N_RANK_8), st.integers(0, 2**31))
@settings(deadline=None)
def test_random_layouts_cost_at_least_what_an_answer_does(limit: int, seed: int) -> None:
    """A gain over them is never one of size, whatever the budget."""
    space = bound(max_parameters=limit)
    encoding, generator = Encoding(space), random.Random(seed)  # noqa: S311 - reproducible
    drawn = (
        {
            g.name: generator.randrange(g.n_values) if g.n_values else generator.random()
            for g in genes
        }
        for genes in [encoding.genes] * 20
    )
    proposals = [encoding.decode(numbers) for numbers in drawn]
    costs = [
        space.cost(baseline.layout)
        for baseline in make_baselines(space, N_NODES, 2, seed=0)
        if baseline.role.startswith("random")
    ]

    assert min(costs) >= max(map(space.cost, proposals))


@pytest.mark.slow
def test_a_seed_fixes_the_random_layouts() -> None:
    """The same seed the same ones, another seed others."""
    assert made(seed=1) == made(seed=1)
    assert made(seed=1)[4:] != made(seed=2)[4:]


@pytest.mark.parametrize("n_random", [0, 2, 8])
def test_there_are_as_many_random_layouts_as_asked_for(n_random: int) -> None:
    """In a space that has that many."""
    assert len(made(n_random=n_random)) == 4 + n_random


def test_a_layout_that_would_repeat_is_left_out() -> None:
    """A space of one layout has one random one, and where that is the last layer's, none."""
    one = bound(space_file(sources=[3], targets=[9]))
    last = bound(space_file(sources=[23], targets=[24]))
    roles = [[b.role for b in make_baselines(space, N_NODES, 3, seed=0)] for space in (one, last)]

    assert roles[0][4:] == ["random 1"]
    assert roles[1][4:] == []


def test_a_condition_that_a_cheap_connection_brings_leaves_baselines_their_size() -> None:
    """Parallel ones stand alone here, long-range ones may be four: four is what an answer has."""
    file = space_file(
        kinds=["parallel", "long_range"],
        connections={"at_most": 4},
        modules=[{"type": "bottleneck", "rank": 8}],
        when=[{"has": "parallel", "in_all": 1}],
    )
    sizes = {b.role: len(b.layout.connections) for b in make_baselines(bound(file), N_NODES, 8, 0)}

    assert sizes["last layers"] == 4
    assert {size for role, size in sizes.items() if role.startswith("random")} == {4}


def test_random_layouts_of_mixed_modules_spend_what_one_module_would_leave() -> None:
    """Two of rank 4 cost 1,416 of 2,000 parameters, one of rank 4 and one of rank 8 cost 1,932."""
    space = bound(space_file(module_per="connection"), 2000)
    costs = [
        space.cost(b.layout)
        for b in make_baselines(space, N_NODES, 4, seed=0)
        if b.role.startswith("random")
    ]

    assert costs == [N_RANK_4 + N_RANK_8] * 4
