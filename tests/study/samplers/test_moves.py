import random

import pytest

from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study.samplers.moves import neighbours, random_layout
from tests.tiny_spaces import N_RANK_4, bound, space_file

START = parse_layout("3>9:bottleneck(rank=4)+20>4:bottleneck(rank=4)", MODULE_TYPES)


def around(layout: Layout, **changes: object) -> list[Layout]:
    space = bound(space_file(**changes))
    return neighbours(space, layout, random.Random(0), 60)  # noqa: S311


@pytest.mark.parametrize("module_per", ["layout", "connection"])
def test_neighbours_are_different_layouts_of_the_space(module_per: str) -> None:
    """None is the layout itself, none comes twice, none breaks a rule."""
    found = around(START, module_per=module_per)
    space = bound(space_file(module_per=module_per))

    assert START not in found
    assert len(set(found)) == len(found) == 60
    assert all(space.contains(layout) for layout in found)


def test_all_moves_are_made() -> None:
    """One connection more, one less, an end elsewhere, another module."""
    found = around(START, module_per="connection")
    sizes = {len(layout.connections) for layout in found}
    same_places = [
        layout
        for layout in found
        if [(c.source, c.target) for c in layout.connections] == [(3, 9), (20, 4)]
    ]

    assert sizes == {1, 2, 3}
    assert same_places


def test_one_move_changes_one_connection() -> None:
    """All others stay."""
    found = around(START, module_per="connection")

    assert all(set(layout.connections) & set(START.connections) for layout in found)


def test_neighbours_keep_the_budget() -> None:
    """Two connections of rank 4 are all that it pays for."""
    space = bound(max_parameters=2 * N_RANK_4)
    found = neighbours(space, START, random.Random(0), 40)  # noqa: S311

    assert found
    assert all(space.cost(layout) <= 2 * N_RANK_4 for layout in found)


def test_random_layouts_have_all_sizes() -> None:
    """Each size as likely as another."""
    generator = random.Random(0)  # noqa: S311
    found = [random_layout(bound(), generator) for _ in range(300)]
    sizes = [len(layout.connections) for layout in found if layout]

    assert all(70 < sizes.count(size) < 130 for size in (1, 2, 3))
