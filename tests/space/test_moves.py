import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.layout import Connection, Layout
from placement_search.modules import parse_layout
from placement_search.space.search_space import SearchSpace
from tests.space.test_encoding import spaces
from tests.tiny_spaces import bound, space_file


def seeded(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - reproducible, not secret


@pytest.mark.slow
@given(spaces(), st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_random_layouts_are_the_spaces_own(space: SearchSpace, seed: int) -> None:
    """And a seed fixes them."""
    layout = space.random_layout(seeded(seed))

    assert space.contains(layout)
    assert space.random_layout(seeded(seed)) == layout


@pytest.mark.slow
@given(spaces(), st.integers(0, 2**32))
@settings(deadline=None, max_examples=60)
def test_neighbours_are_the_spaces_own_and_different(space: SearchSpace, seed: int) -> None:
    """None of them twice, none of them the layout itself, and not more than were asked for."""
    layout = space.random_layout(seeded(seed))
    near = space.neighbours(layout, seeded(seed + 1), 8)

    assert len(near) <= 8
    assert all(space.contains(each) for each in near)
    assert len({layout.id, *(each.id for each in near)}) == len(near) + 1


def ends(layout: Layout) -> set[tuple[int, int]]:
    return {(c.source, c.target) for c in layout.connections}


def modules(layout: Layout) -> dict[tuple[int, int], str]:
    return {(c.source, c.target): c.module.notation for c in layout.connections}


def is_one_move(before: Layout, after: Layout) -> bool:
    """One connection more, fewer, moved at one end, or with another module."""
    gone, new = ends(before) - ends(after), ends(after) - ends(before)
    changed = [
        pair for pair in ends(before) & ends(after) if modules(before)[pair] != modules(after)[pair]
    ]
    if len(gone) == len(new) == 1 and not changed:
        return (
            next(iter(gone))[0] == next(iter(new))[0] or next(iter(gone))[1] == next(iter(new))[1]
        )
    return len(gone) + len(new) + len(changed) == 1


def test_every_kind_of_move_is_made_and_nothing_else() -> None:
    """Add, drop, move one end, exchange a module."""
    space = bound(space_file(module_per="connection"))
    layout = parse_layout("3>9:bottleneck(rank=4)+20>4:bottleneck(rank=8)")
    near = space.neighbours(layout, seeded(0), 60)

    assert len(near) == 60
    assert all(is_one_move(layout, each) for each in near)
    assert {len(each.connections) for each in near} == {1, 2, 3}
    assert any(ends(each) == ends(layout) for each in near)


def test_a_small_space_gives_what_it_has() -> None:
    """One candidate and two modules: the other module is the only neighbour."""
    space = bound(space_file(sources=[3], targets=[9]))
    layout = space.layout([(3, 9)], [space.modules[0]])

    assert space.neighbours(layout, seeded(0), 5) == [Layout((Connection(3, 9, space.modules[1]),))]


def test_a_layout_of_another_space_has_no_neighbours_here() -> None:
    """That is our mistake, not a user's."""
    with pytest.raises(ValueError, match="does not contain 3>9"):
        bound(space_file(kinds=["parallel"])).neighbours(
            parse_layout("3>9:bottleneck(rank=4)"), seeded(0), 1
        )
