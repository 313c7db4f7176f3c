from collections import Counter

import pytest

from benchmarks.placements.maps import maps_of
from benchmarks.placements.protocol import (
    LENGTHS,
    LONG,
    N_COMPARED,
    N_REPLICATES,
    N_SETS,
    SHORT,
    TASKS,
    compared_layouts,
    random_sets,
    single_connections,
)
from benchmarks.placements.table import TABLE, Row, read_rows, rows_of_one_backbone
from placement_search.layout import Layout

N_NODES = 25


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    """All that ships."""
    return read_rows()


def held(rows: list[Row], task: str) -> Counter[tuple[str, int]]:
    """How many seeds of each layout and length."""
    return Counter((row.layout_id, row.epochs) for row in rows if row.task == task)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_every_single_connection_has_three_seeds(rows: list[Row], task: str) -> None:
    """All 625 of them, as the card says; each seed is another one."""
    found = held(rows, task)
    singles = single_connections(N_NODES)

    assert len(singles) == 625
    assert {found[each.id, SHORT.epochs] for each in singles} == {3} == {N_REPLICATES}
    assert len({row.key for row in rows}) == len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_every_single_connection_is_trained_long_with_three_seeds(
    rows: list[Row], task: str
) -> None:
    """And the head alone, which tells what they gain."""
    found = held(rows, task)
    trained = [Layout(), *single_connections(N_NODES)]

    assert {found[each.id, LONG.epochs] for each in trained} == {3} == {N_REPLICATES}


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_a_thousand_sets_are_tabled(rows: list[Row], task: str) -> None:
    """With one seed each, and no other sets."""
    found = held(rows, task)
    tabled = [row for row in rows if row.task == task and row.layout.count(">") > 1]

    assert N_SETS == 1000
    assert {found[each.id, SHORT.epochs] for each in random_sets(N_NODES)} == {1}
    assert len({row.layout_id for row in tabled if row.epochs == SHORT.epochs}) == N_SETS


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_sixty_layouts_have_all_five_lengths(rows: list[Row], task: str) -> None:
    """Half of them single connections."""
    compared = compared_layouts(N_NODES)
    found = held(rows, task)

    assert (len(compared), len(LENGTHS), N_COMPARED) == (60, 5, 30)
    assert all(found[each.id, epochs] for each in compared for epochs in LENGTHS)


@pytest.mark.slow
def test_the_shipped_maps_are_of_the_shipped_table() -> None:
    """Of the same tasks, backbone and data."""
    assert set(maps_of(rows_of_one_backbone(TABLE))) == set(TASKS)
