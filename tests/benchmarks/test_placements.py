import json
import random
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.journal import append
from benchmarks.placements import maps as maps_file
from benchmarks.placements.errors import TableError
from benchmarks.placements.maps import MapRow, add_maps, maps_of, read_maps
from benchmarks.placements.protocol import (
    LONG,
    N_REPLICATES,
    N_SETS,
    SHORT,
    SIZES,
    random_sets,
    single_connections,
    stages,
)
from benchmarks.placements.table import (
    EMBEDDED_BACKBONE,
    JOURNALS,
    TABLE,
    Owner,
    Row,
    journals_of,
    pack,
    read_journal,
    read_rows,
    rows_of_one_backbone,
)
from benchmarks.placements.world import World
from benchmarks.replay import Length, Replay, median_trials, replay, trials_until
from placement_search.backbones.loading import load_backbone
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study.map_record import RANDOM_HEAD, ProxyMap, ProxySpread

N_NODES = 9
TASK = "made-up"


def score_of(layout: Layout) -> float:
    """Reading late and writing early is good; each further connection a little."""
    near = [1 - (abs(c.source - 7) + abs(c.target - 1)) / 16 for c in layout.connections]
    return 0.5 + 0.4 * max(near, default=0) + 0.01 * len(near)


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


OWNER = Owner(TASK, EMBEDDED_BACKBONE, "examples")


def old_lines(rows: Sequence[Row]) -> list[dict[str, object]]:
    """Rows as they were written before they had a backbone and data."""
    later = {"backbone", "data"}
    return [{k: v for k, v in asdict(row).items() if k not in later} for row in rows]


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


def test_old_rows_are_those_of_the_embedded_backbone(tmp_path: Path) -> None:
    """So a build goes on from a table and journals without a backbone, and trains nothing again."""
    runs = next(stages(N_NODES))
    rows = [row_of(run.layout) for run in runs]
    table, journal = tmp_path / "table.parquet", tmp_path / f"{TASK}.jsonl"
    pq.write_table(pa.Table.from_pylist(old_lines(rows[:40])), table)
    journal.write_text("".join(json.dumps(line) + "\n" for line in old_lines(rows[40:])))
    known = [*read_rows(table), *read_journal(journal)]

    assert OWNER.held(known) == {OWNER.key(run) for run in runs}
    pack(tmp_path, table)
    assert OWNER.held(read_rows(table)) == {OWNER.key(run) for run in runs}


def test_rows_of_another_backbone_are_not_held() -> None:
    """The same layout on the same task is trained anew."""
    assert Owner(TASK, "another", "examples").held(ROWS) == set()


def test_rows_of_other_examples_are_refused() -> None:
    """A part of a task's data, or another version of them, needs a table of its own."""
    rows = [replace(ROWS[0], data="half of them")]

    with pytest.raises(TableError, match=r"half of them.* name another file by --table"):
        OWNER.held(rows)
    with pytest.raises(TableError, match="all examples"):
        replace(OWNER, is_whole=False).held(ROWS)


@pytest.mark.slow
def test_the_shipped_table_is_of_the_backbone_that_ships() -> None:
    """Old rows are taken for its own; another one needs another table."""
    assert load_backbone().facts.fingerprint == EMBEDDED_BACKBONE


def test_each_table_has_its_own_journals(tmp_path: Path) -> None:
    """A table of other tasks never receives the shipped one's rows, nor the other way round."""
    mine = tmp_path / "mine.parquet"

    assert journals_of(TABLE) == JOURNALS
    assert journals_of(mine) == tmp_path / "mine-journals"
    assert journals_of(mine) != journals_of(tmp_path / "yours.parquet")


def test_only_what_is_asked_for_is_packed(tmp_path: Path) -> None:
    """Journals of other tasks in the same folder stay where they are."""
    append(tmp_path / f"{TASK}.jsonl", asdict(ROWS[0]))
    append(tmp_path / "other.jsonl", asdict(replace(ROWS[1], task="other")))
    table = tmp_path / "table.parquet"
    pack(tmp_path, table, [TASK])

    assert read_rows(table) == [ROWS[0]]


def test_one_backbone_is_looked_at_at_a_time(tmp_path: Path) -> None:
    """Where a table has several, one has to be chosen, and only its rows count."""
    table = tmp_path / "table.parquet"
    other = replace(ROWS[0], backbone="another")
    for row in (ROWS[0], other):
        append(tmp_path / f"{TASK}.jsonl", asdict(row))
    pack(tmp_path, table)

    assert rows_of_one_backbone(table, "another") == [other]
    with pytest.raises(TableError, match=f"--backbone: another, {EMBEDDED_BACKBONE}"):
        rows_of_one_backbone(table)
    with pytest.raises(TableError, match="got 'nosuch'"):
        rows_of_one_backbone(table, "nosuch")


def test_maps_that_are_held_are_not_computed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that replays repeat; another backbone's map of the task is another one."""
    drawn = iter([0.1, 0.2, 0.3, 0.4])
    random_head = ProxySpread(1, 2, {}, {}, {"rank": [[0.9]]})
    made = lambda *_: ProxyMap({"rank": [[next(drawn)]]}, 1, 0.0, 0.0, 0.0, random_head)  # noqa: E731
    monkeypatch.setattr(maps_file, "compute_proxy_map", made)
    path, bench = tmp_path / "maps.parquet", cast("Workbench", SimpleNamespace())
    held = {"task": TASK, "scores": [[0.0]]}
    rows = [held | {"proxy": proxy} for proxy in ("rank", f"rank{RANDOM_HEAD}")]
    pq.write_table(pa.Table.from_pylist(rows), path)
    others = [replace(OWNER, task="other"), replace(OWNER, backbone="another")]

    assert add_maps(dict.fromkeys([OWNER, *others], bench), path, 0) == ["other", TASK]
    assert read_maps(path) == {TASK: {"rank": [[0.0]]}, "other": {"rank": [[0.1]]}}
    assert read_maps(path, "another") == {TASK: {"rank": [[0.2]]}}
    assert add_maps({OWNER: bench}, path, 0) == []
    assert add_maps({OWNER: bench}, path, 0, anew=True) == [TASK]
    assert read_maps(path)[TASK] == {"rank": [[0.3]]}


def test_a_file_without_maps_of_random_heads_receives_them_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it holds stays as it is."""
    spread = ProxySpread(1, 2, {}, {}, {"rank": [[0.9]]})
    made = ProxyMap({"rank": [[0.1]]}, 1, 0.0, 0.0, 0.0, spread)
    monkeypatch.setattr(maps_file, "compute_proxy_map", lambda *_: made)
    path, bench = tmp_path / "maps.parquet", cast("Workbench", SimpleNamespace())
    pq.write_table(pa.Table.from_pylist([{"task": TASK, "proxy": "rank", "scores": [[0.0]]}]), path)

    assert add_maps({OWNER: bench}, path, 0) == [TASK]
    assert read_maps(path) == {TASK: {"rank": [[0.0]]}}
    assert read_maps(path, of_random_heads=True) == {TASK: {"rank": [[0.9]]}}


@pytest.mark.parametrize(
    ("trained", "mapped", "fit"),
    [
        ({""}, "", True),
        ({"", "examples"}, "examples", True),
        ({"", "examples"}, "", True),
        ({"examples"}, "others", False),
        ({"examples"}, "", False),
    ],
)
def test_maps_are_of_the_data_that_the_table_was_trained_on(
    tmp_path: Path, trained: set[str], mapped: str, fit: bool
) -> None:
    """Those of other examples are refused; another backbone's, and other tasks', are no matter."""
    path = tmp_path / "maps.parquet"
    rows = [replace(ROWS[0], data=each) for each in trained]
    own = MapRow(TASK, "rank", [[0.0]], data=mapped)
    strange = [replace(own, backbone="b", data="x"), replace(own, task="t", data="x")]
    maps_file._write([own, *strange], path)

    if fit:
        assert maps_of(rows, path) == {TASK: {"rank": [[0.0]]}}
    else:
        with pytest.raises(TableError, match=r"name the table's own maps by --maps"):
            maps_of(rows, path)


def test_a_file_that_was_cut_off_is_a_plain_message(tmp_path: Path) -> None:
    """It names the file and the option that takes another one."""
    append(tmp_path / f"{TASK}.jsonl", asdict(ROWS[0]))
    table, maps = tmp_path / "table.parquet", tmp_path / "maps.parquet"
    pack(tmp_path, table)
    maps_file._write([MapRow(TASK, "rank", [[0.0]])], maps)
    for path in (table, maps):
        path.write_bytes(path.read_bytes()[:-50])

    with pytest.raises(TableError, match=r"table.parquet can't be read.*name another by --table"):
        read_rows(table)
    with pytest.raises(TableError, match=r"maps.parquet can't be read.*name another by --maps"):
        read_maps(maps)


def test_a_file_of_something_else_is_a_plain_message(tmp_path: Path) -> None:
    """As maps that are named as the table, and the other way round."""
    maps = tmp_path / "maps.parquet"
    maps_file._write([MapRow(TASK, "rank", [[0.0]])], maps)
    pack_from = tmp_path / f"{TASK}.jsonl"
    append(pack_from, asdict(ROWS[0]))
    pack(tmp_path, tmp_path / "table.parquet")

    with pytest.raises(TableError, match=r"rows of .*maps.parquet are of another form"):
        read_rows(maps)
    with pytest.raises(TableError, match=r"rows of .*table.parquet are of another form"):
        read_maps(tmp_path / "table.parquet")


def test_a_table_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Into a folder that is made; what was there stays where writing fails."""
    append(tmp_path / f"{TASK}.jsonl", asdict(ROWS[0]))
    table = tmp_path / "new" / "table.parquet"
    pack(tmp_path, table)
    append(tmp_path / f"{TASK}.jsonl", asdict(ROWS[1]))

    def broken(*_: object, **__: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(pq, "write_table", broken)
    with pytest.raises(OSError, match="disk is full"):
        pack(tmp_path, table)
    assert read_rows(table) == [ROWS[0]]


def test_what_is_tabled_is_answered_by_its_own_score() -> None:
    """And is worth the mean of its seeds."""
    layout = parse_layout("7>1:bottleneck(rank=8)", MODULE_TYPES)
    known = World(TASK, [row_of(layout, r) for r in range(3)], {}, N_NODES)

    assert known.space(set()).contains(layout)
    assert known.worth(layout) == pytest.approx(score_of(layout) + 0.001)
    assert known.observed(layout, random.Random(0)) in {  # noqa: S311
        score_of(layout) + 0.001 * replicate for replicate in range(3)
    }


@pytest.mark.parametrize(
    "sampler", ["random", "tpe", "cma-es", pytest.param("guided", marks=pytest.mark.slow)]
)
def test_a_search_is_replayed_without_repeats(sampler: str) -> None:
    """Every trial another layout; the same seed gives the same search."""
    found = replay(world(), sampler, 0, Length(25))

    assert len(found.worths) == 25
    assert found == replay(world(), sampler, 0, Length(25))


def test_a_replay_tells_the_mean_test_score_of_what_it_tried() -> None:
    """Which it never saw, beside what the validation scores are on average."""
    seeds = [row_of(layout, r) for layout in single_connections(N_NODES) for r in range(3)]
    found = replay(World(TASK, seeds, {}, N_NODES, 1), "random", 0, Length(5))

    assert found.tests == pytest.approx([worth - 0.1 for worth in found.worths])
    assert len(set(found.tests)) > 1


def test_a_replay_ends_where_the_table_does() -> None:
    """All single connections, and then no more."""
    assert len(replay(world(at_most=1), "random", 0, Length(500)).worths) == N_NODES**2


def test_trials_are_counted_until_one_is_good_enough() -> None:
    """From one; the median over searches, infinite where most never are."""
    until = [trials_until(worths, 0.9) for worths in ((0.1, 0.5, 0.9), (0.9,), (0.1, 0.1))]

    assert until == [3, 1, float("inf")]
    assert median_trials(until) == 3
    assert median_trials([*until[1:], until[2]]) == float("inf")


def test_the_incumbent_is_the_best_by_what_was_seen() -> None:
    """Whatever it is worth; the first of equals."""
    assert Replay((0.5, 0.7, 0.6), (0.5, 0.8, 0.8), (0.0,) * 3).incumbents() == [0, 1, 1]
