"""Counting sets by their sums, against the sets one by one."""

import itertools

import pytest

from placement_search.space import sums
from placement_search.space.counting import count_freely
from placement_search.space.search_space import SearchSpace
from placement_search.space.sums import counted_by_sums
from tests.tiny_spaces import bound, space_file

SHARING = [{"type": "arc", "rank": [2, 4], "norm": True}, {"type": "bottleneck", "rank": [1, 2]}]


def space_of(**changes: object) -> SearchSpace:
    file = {"sources": ["0-2"], "targets": ["0-2"], "module_per": "connection"}
    return bound(space_file(**file | changes))


def within(space: SearchSpace, limit: int) -> list[int]:
    """The parameters of every layout within a limit."""
    everything = list(itertools.product(range(len(space.groups)), range(len(space.modules))))
    costs = [
        space.cost(space.layout_of(chosen))
        for n in range(space.at_least, space.at_most + 1)
        for chosen in itertools.combinations(everything, n)
        if space.choices.contains(chosen)
    ]
    return [cost for cost in costs if cost <= limit]


@pytest.mark.parametrize("limit", [400, 777, 1500, 10**6])
@pytest.mark.parametrize(
    "changes",
    [
        {"modules": SHARING, "connections": {"at_most": 2}},
        {"modules": SHARING, "connections": {"exactly": 2}, "module_per": "layout"},
        {"always": ["0>1"], "symmetric": True, "connections": {"at_most": 3}},
    ],
)
def test_each_set_within_the_limit_is_counted_once(changes: dict[str, object], limit: int) -> None:
    """Also where modules share parameters, which a set has once however often it uses them."""
    space = space_of(**changes)
    costs = within(space, limit)
    price, n_freely = space.table.parameters, count_freely(space.choices)
    found = counted_by_sums(space.choices, price, limit, n_freely)

    if not costs:
        assert found is None
    else:
        assert found is not None
        assert (found.n_sets, found.parameters) == (len(costs), (min(costs), max(costs)))


def test_what_would_take_long_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """By the bits that all products would have."""
    monkeypatch.setattr(sums, "MAX_BITS", 1000)
    space = space_of()
    found = counted_by_sums(space.choices, space.table.parameters, 5000, 10**6)

    assert found is None
