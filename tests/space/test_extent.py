"""How large a space is, against its layouts one by one."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.space import counting, sums
from placement_search.space.budget import Budget
from placement_search.space.extent import Extent
from placement_search.space.file import read_space
from placement_search.space.search_space import SearchSpace
from tests.tiny_spaces import N_RANK_4, N_RANK_8, bound, space_file

MODULES = [
    [{"type": "bottleneck", "rank": [4, 8]}],
    [{"type": "arc", "rank": 4}, {"type": "bottleneck", "rank": 2}],
    [{"type": "lora", "rank": 4}, {"type": "hadamard"}, {"type": "bottleneck", "rank": 8}],
]
SPACES = st.fixed_dictionaries({
    "modules": st.sampled_from(MODULES),
    "module_per": st.sampled_from(["layout", "connection"]),
    "always": st.sampled_from([[], ["0>1"]]),
    "symmetric": st.booleans(),
    "connections": st.sampled_from([{"at_most": 3}, {"exactly": 2}]),
    "when": st.sampled_from([[], [], [{"has": "parallel", "in_all": 1}]]),
})  # fmt: skip
BUDGETS = st.one_of(
    st.just(Budget()),
    st.builds(Budget, st.integers(700, 4000)),
    st.builds(Budget, max_flops=st.fractions(Fraction("1.1"), 3)),
)


def exactly(n: int, sizes: tuple[int, int], parameters: tuple[int, int]) -> Extent:
    return Extent(n, is_exact=True, sizes=sizes, parameters=parameters, n_least=n)


def one_by_one(space: SearchSpace) -> Extent:
    """The extent of all sets of choices that the space says it contains."""
    everything = list(itertools.product(range(len(space.groups)), range(len(space.modules))))
    found = [
        (len(chosen), space.cost(space.layout_of(chosen)))
        for n in range(space.at_least, space.at_most + 1)
        for chosen in itertools.combinations(everything, n)
        if space.choices.contains(chosen)
    ]
    sizes, costs = zip(*found, strict=True)
    return exactly(len(found), (min(sizes), max(sizes)), (min(costs), max(costs)))


def made(changes: dict[str, object], budget: Budget) -> SearchSpace:
    file = space_file(sources=["0-2"], targets=["0-2"], **changes)
    try:
        return bound(file, budget=budget)
    except SpaceError:
        reject()


@pytest.mark.slow
@given(SPACES, BUDGETS)
@settings(deadline=None, max_examples=60)
def test_what_can_be_counted_is_exact(changes: dict[str, object], budget: Budget) -> None:
    """Number, sizes and parameters, whatever conditions, budget and modules."""
    space = made(changes, budget)

    assert space.extent == one_by_one(space)


@pytest.mark.slow
@given(SPACES, BUDGETS)
@settings(deadline=None, max_examples=40)
def test_what_can_not_be_counted_has_bounds(changes: dict[str, object], budget: Budget) -> None:
    """No layout lies outside of them."""
    space = made(changes, budget)
    true = one_by_one(space)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "MAX_STEPS", 0)
        patch.setattr(sums, "MAX_BITS", 0)
        found = space.extent

    assert found.n_least <= true.n_layouts <= found.n_layouts
    for ours, theirs in ((found.sizes, true.sizes), (found.parameters, true.parameters)):
        assert ours[0] <= theirs[0] and theirs[1] <= ours[1]
    assert not found.is_exact or found == true


def test_bytes_that_go_with_parameters_are_counted_as_those() -> None:
    """Four bytes each and a head of 1,000: all is exact where parameters would be."""
    space = bound(read_space("modules"), budget=Budget(max_bytes=1000 + 4 * 602))

    assert space.extent == bound(read_space("modules"), 602).extent


def test_operations_are_counted_where_sets_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ranges are bounds then; a space without first passes has what parameters would leave."""
    monkeypatch.setattr(counting, "MAX_STEPS", 0)
    file = space_file(kinds=["parallel", "long_range"], module_per="connection")
    true = bound(file, 2000).extent
    found = bound(file, budget=Budget(max_flops=Fraction("1.2"))).extent

    assert (found.n_least, found.n_layouts) == (true.n_layouts, true.n_layouts)
    assert found.is_counted
    assert not found.is_exact
    assert true.parameters[1] <= found.parameters[1] <= 2000


def test_several_limits_have_the_bounds_of_the_tightest(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they leave together is less than what each leaves."""
    monkeypatch.setattr(counting, "MAX_STEPS", 0)
    tight = bound(space_file(), 1500).extent
    found = bound(space_file(), budget=Budget(1500, max_bytes=100_000)).extent

    assert found.n_layouts == tight.n_layouts
    assert found.n_least == 0
    assert found.parameters[1] <= 1500


def test_a_limit_on_parameters_alone_is_counted_by_sums(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far beyond what can be looked at set by set: pairs of rank 4 and 8, or single ones."""
    monkeypatch.setattr(counting, "MAX_STEPS", 0)
    space = bound(space_file(module_per="connection"), N_RANK_4 + N_RANK_8)
    pairs = 625 * 624 // 2

    assert space.extent == exactly(
        2 * 625 + pairs + 2 * pairs, (1, 2), (N_RANK_4, N_RANK_4 + N_RANK_8)
    )


def test_modules_that_stand_at_few_places_have_their_own_range() -> None:
    """The shipped space of all module types: 300 random layouts ran from 128 to 587 parameters."""
    extent = bound(read_space("modules"), 602).extent

    assert extent == exactly(48_231_101, (1, 4), (128, 587))


def test_sizes_are_those_that_conditions_leave() -> None:
    """At most three connections, and parallel ones are alone: of those there is one."""
    file = space_file(kinds=["parallel"], when=[{"has": "parallel", "in_all": 1}])

    assert bound(file).at_most == 3
    assert bound(file).extent.sizes == (1, 1)
