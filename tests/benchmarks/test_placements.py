import random
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.journal import append
from benchmarks.lengths import by_length, lines_of
from benchmarks.placements.protocol import (
    LENGTHS,
    LONG,
    N_COMPARED,
    N_REPLICATES,
    N_SETS,
    SHORT,
    SIZES,
    random_sets,
    single_connections,
    stages,
)
from benchmarks.placements.table import Row, pack, read_journal, read_rows
from benchmarks.placements.world import World
from benchmarks.replay import Replay, median_trials, replay
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES

N_NODES = 9
TASK = "made-up"


def score_of(layout: Layout) -> float:
    """Reading late and writing early is good; each further connection a little."""
    near = [1 - (abs(c.source - 7) + abs(c.target - 1)) / 16 for c in layout.connections]
    return 0.5 + 0.4 * max(near) + 0.01 * len(near)


def row_of(layout: Layout, replicate: int = 0, epochs: int = SHORT.epochs) -> Row:
    score = score_of(layout) + 0.001 * replicate
    return Row(
        TASK,
        layout.notation,
        layout.id,
        replicate,
        epochs,
        score,
        score - 0.1,
        8,
        1.0,
        2.0,
    )


ROWS = [row_of(layout) for layout in [*single_connections(N_NODES), *random_sets(N_NODES)[:200]]]


def world(at_most: int = 6) -> World:
    return World(TASK, ROWS, {}, N_NODES, at_most)


def test_all_is_trained_that_the_table_promises() -> None:
    """Head only and every single connection with three seeds, short and long; sets short."""
    runs = {run.key for part in stages(N_NODES) for run in part}
    alone, sets = single_connections(N_NODES), random_sets(N_NODES)

    assert {(each.id, 0, SHORT.epochs) for each in sets} <= runs
    for plan in (SHORT, LONG):
        for replicate in range(N_REPLICATES):
            assert {(each.id, replicate, plan.epochs) for each in [Layout(), *alone]} <= runs


def test_sets_are_different_and_of_all_sizes() -> None:
    """A thousand of two to six connections."""
    sets = random_sets(25)

    assert len({layout.id for layout in sets}) == N_SETS
    assert {len(layout.connections) for layout in sets} == set(range(SIZES[0], SIZES[1] + 1))


def test_a_journal_that_was_cut_off_loses_its_last_line_alone(tmp_path: Path) -> None:
    """An interruption in the middle of a line leaves the others readable."""
    journal = tmp_path / "made-up.jsonl"
    for row in ROWS[:3]:
        append(journal, asdict(row))
    journal.write_text(journal.read_text()[:-20])

    assert read_journal(journal) == ROWS[:2]


def test_a_journal_goes_on_behind_a_line_that_was_cut_off(tmp_path: Path) -> None:
    """What is added afterwards is a line of its own."""
    journal = tmp_path / "made-up.jsonl"
    for row in ROWS[:2]:
        append(journal, asdict(row))
    journal.write_text(journal.read_text()[:-20])
    append(journal, asdict(ROWS[2]))

    assert read_journal(journal) == [ROWS[0], ROWS[2]]


def test_packing_joins_table_and_journals(tmp_path: Path) -> None:
    """What the table holds stays, what is new is added, and nothing comes twice."""
    table, journals = tmp_path / "table.parquet", tmp_path / "journals"
    for part in (ROWS[:4], ROWS[2:7]):
        for row in part:
            append(journals / "made-up.jsonl", asdict(row))
        pack(journals, table)

    assert sorted(read_rows(table), key=lambda row: row.key) == sorted(
        ROWS[:7], key=lambda row: row.key
    )


def test_what_is_tabled_is_answered_by_its_own_score() -> None:
    """And is worth the mean of its seeds."""
    layout = parse_layout("7>1:bottleneck(rank=8)", MODULE_TYPES)
    known = World(TASK, [row_of(layout, r) for r in range(3)], {}, N_NODES)

    assert known.trial(layout, set()) == layout
    assert known.worth(layout) == pytest.approx(score_of(layout) + 0.001)
    assert known.observed(layout, random.Random(0)) in {  # noqa: S311
        score_of(layout) + 0.001 * replicate for replicate in range(3)
    }


def test_what_is_not_tabled_is_answered_by_the_nearest_that_is_new() -> None:
    """Which the search has not seen yet."""
    alone = World(TASK, [row_of(each) for each in single_connections(N_NODES)], {}, N_NODES)
    proposed = parse_layout("3>3:bottleneck(rank=8)+3>4:bottleneck(rank=8)", MODULE_TYPES)
    seen: set[str] = set()
    answers = []
    for _ in range(3):
        answers.append(alone.trial(proposed, seen))
        seen.add(answers[-1].id)
    ends = [(each.connections[0].source, each.connections[0].target) for each in answers]

    assert set(ends[:2]) == {(3, 3), (3, 4)}
    assert len(set(ends)) == 3


@pytest.mark.parametrize(
    "sampler", ["random", "tpe", "cma-es", pytest.param("guided", marks=pytest.mark.slow)]
)
def test_a_search_is_replayed_without_repeats(sampler: str) -> None:
    """Every trial another layout; the same seed gives the same search."""
    found = replay(world(), sampler, 0, 25)

    assert len(found.worths) == 25
    assert found == replay(world(), sampler, 0, 25)


def test_a_replay_ends_where_the_table_does() -> None:
    """All single connections, and then no more."""
    assert len(replay(world(at_most=1), "random", 0, 500).worths) == N_NODES**2


def test_trials_are_counted_until_one_is_good_enough() -> None:
    """From one; the median over searches, infinite where most never are."""
    searches = [Replay((0.1, 0.5, 0.9), ()), Replay((0.9,), ()), Replay((0.1, 0.1), ())]

    assert [each.trials_until(0.9) for each in searches] == [3, 1, float("inf")]
    assert median_trials(searches, 0.9) == 3
    assert median_trials(searches[1:] + searches[2:], 0.9) == float("inf")


def test_the_incumbent_is_the_best_by_what_was_seen() -> None:
    """Its worth may fall when luck makes another one look better."""
    assert Replay((0.5, 0.7, 0.6), (0.5, 0.6, 0.8)).incumbents() == [0.5, 0.7, 0.6]


def test_lengths_are_compared_over_what_has_all_of_them() -> None:
    """A layout that lacks one length is left out of every correlation."""
    layouts = single_connections(N_NODES)[:N_COMPARED]
    rows = [row_of(layout, 0, epochs) for layout in layouts for epochs in LENGTHS]
    rows = [*rows[:-1], replace(rows[0], epochs=LONG.epochs, replicate=1)]

    assert {len(each) for each in by_length(rows).values()} == {N_COMPARED - 1}
    assert all("17 layouts" in line and " 1.00 (" in line for line in lines_of(TASK, rows))
