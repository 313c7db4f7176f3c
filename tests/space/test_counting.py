import itertools
import math
from fractions import Fraction

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.space import counting
from placement_search.space.budget import Budget
from placement_search.space.search_space import SearchSpace
from tests.tiny_spaces import N_RANK_8, bound, space_file


def counted_one_by_one(space: SearchSpace) -> int:
    """The number of sets of choices that the space says it contains."""
    everything = list(itertools.product(range(len(space.groups)), range(len(space.modules))))
    return sum(
        space.choices.contains(chosen)
        for n in range(space.at_least, space.at_most + 1)
        for chosen in itertools.combinations(everything, n)
    )


@pytest.mark.slow
@given(
    module_per=st.sampled_from(["layout", "connection"]),
    always=st.sampled_from([[], ["0>1"], ["0>1", "2>2"]]),
    symmetric=st.booleans(),
    at_least=st.integers(1, 2),
    when=st.sampled_from([
        [],
        [{"has": "recurrent", "at_most": 1}],
        [{"has": "sequential", "in_all": 2, "module": {"rank": 4}}],
        [{"has": "*>0", "without": "0>*"}],
        [{"has": {"module": {"rank": 8}}, "at_most": 1}],
        [{"has": {"module": {"rank": 4}, "connections": "recurrent"}, "in_all": 2}],
        [{"has": "parallel", "without": {"module": {"rank": 8}, "connections": "*>0"}}],
    ]),
    limit=st.one_of(
        st.builds(Budget, st.integers(1500, 4000)),
        st.builds(Budget, max_bytes=st.integers(8000, 20_000)),
        st.builds(Budget, max_flops=st.fractions(Fraction("1.2"), 3)),
        st.builds(Budget, max_latency=st.fractions(Fraction("1.05"), 3)),
        st.just(Budget()),
    ),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_the_number_of_layouts_is_exact(
    module_per: str,
    always: list[str],
    symmetric: bool,
    at_least: int,
    when: list[object],
    limit: Budget,
) -> None:
    """Budget and conditions counted in, as counted one by one on nine candidates."""
    file = space_file(
        sources=["0-2"],
        targets=["0-2"],
        connections={"at_least": at_least, "at_most": 3},
        module_per=module_per,
        always=always,
        symmetric=symmetric,
        when=when,
    )
    try:
        space = bound(file, budget=limit)
    except SpaceError:
        reject()

    assert space.n_layouts == counted_one_by_one(space)


def test_what_would_take_too_long_has_no_exact_number(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its logarithm then leaves budget and conditions out of account."""
    limited = bound(max_parameters=2 * N_RANK_8)
    free = bound(space_file(connections={"at_most": limited.at_most}))
    monkeypatch.setattr(counting, "MAX_STEPS", 1)

    assert limited.n_layouts is None
    assert limited.log10_size == free.log10_size


def test_a_space_without_rules_is_counted_however_large() -> None:
    """By the formula: all sets of up to twenty of 625 connections, each with two modules."""
    file = space_file(connections={"at_most": 20}, module_per="connection")

    assert bound(file).n_layouts == sum(math.comb(625, n) * 2**n for n in range(1, 21))


def test_many_modules_under_many_conditions_are_counted_or_not() -> None:
    """There may be more of them with what tells groups apart than Python nests calls."""
    nodes = range(0, 24, 2)
    file = space_file(
        kinds=["parallel"],
        module_per="connection",
        modules=[{"type": "bottleneck", "rank": list(range(1, 81))}],
        connections={"at_most": 1},
        when=[{"has": f"{node}>*", "at_most": 1} for node in nodes],
    )
    always = {"always": ["*>3", *(f"{node}>*" for node in range(20))]}
    many = space_file(connections={"at_most": 625}, **always)

    assert bound(file).n_layouts == 24 * 80
    assert bound(many, budget=Budget(max_flops=Fraction(60))).n_layouts is None
