import itertools
import os
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info

from benchmarks import samplers
from benchmarks.journal import append
from benchmarks.outcomes import Job, looked_at, result_of
from benchmarks.placements import maps as maps_file
from benchmarks.placements.maps import MAPS, MapRow
from benchmarks.placements.protocol import random_sets
from benchmarks.placements.table import pack, read_rows
from benchmarks.regrets import page
from benchmarks.replay import Length, Replay
from benchmarks.results import RESULTS, Result, read_results
from benchmarks.samplers import NOT_REPLAYED, ONE_THREAD, one_thread_pool
from benchmarks.tabled import MIN_LAYOUTS, spaces_of, world_of
from placement_search.study.samplers import NEED_SWITCHES
from tests.benchmarks.made_up import (
    BACKBONE,
    GRID,
    N_NODES,
    RESULT,
    SHIPPED,
    SINGLES,
    row_of,
)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of another backbone's single connections."""
    for row in SINGLES:
        append(tmp_path / "made-up.jsonl", asdict(row))
    path = tmp_path / "mine.parquet"
    pack(tmp_path, path)
    return path


@pytest.fixture
def maps(tmp_path: Path) -> Path:
    """Its proxy map."""
    path = tmp_path / "mine-maps.parquet"
    maps_file._write([MapRow("made-up", "depth", GRID, BACKBONE)], path)
    return path


def run(monkeypatch: pytest.MonkeyPatch, *options: str | Path) -> None:
    monkeypatch.setattr(sys, "argv", ["samplers", *map(str, options)])
    samplers.main()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--maps", "nosuch.parquet"), "needs the task's proxy map, and nosuch.parquet has none"),
        (("--tasks", "nosuch"), "takes tasks of .*got 'nosuch' .known: made-up"),
        (("--samplers", "gues"), "samplers of search; got 'gues' .did you mean"),
        (("--samplers", "switch"), "'switch' is not replayed: it goes by switches"),
        (("--seeds", "0"), "--seeds must be at least 1, got 0"),
        (("--until", "9"), "--until must be at least --trials, which is 100, got 9; leave it out"),
        (("--table", "nosuch.parquet"), "takes a table with trainings, got nosuch.parquet"),
        (("--spaces", "sets"), "sets are left out, since 0 are tabled(.|\n)*30 tabled layouts"),
    ],
)
def test_a_wrong_option_is_one_plain_message(
    table: Path,
    maps: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, str],
    said: str,
) -> None:
    """Exit code 2, with rule, value and cure; no traceback."""
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, "--table", table, "--maps", maps, *options)

    printed = capsys.readouterr()
    assert left.value.code == 2
    assert "error: " in printed.err
    assert re.search(said, printed.out + printed.err)


def test_samplers_that_the_replay_cannot_run_are_left_out() -> None:
    """Without switches it would draw at random, and call that the sampler."""
    assert set(NOT_REPLAYED) >= NEED_SWITCHES


def test_a_space_takes_part_where_enough_of_it_is_tabled(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Sets would be single connections under another name; a line says what is left out."""
    sets = [row_of(layout) for layout in random_sets(N_NODES)]

    assert spaces_of("made-up", [*SINGLES, *sets[: MIN_LAYOUTS - 1]], ["singles", "sets"]) == [
        "singles"
    ]
    assert "made-up: sets are left out, since 29 are tabled" in capsys.readouterr().out
    assert spaces_of("made-up", [*SINGLES, *sets[:MIN_LAYOUTS]], ["sets"]) == ["sets"]


@pytest.mark.slow
def test_a_table_of_another_backbone_is_replayed(
    table: Path, maps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another number of nodes, its own maps, and a page that names the command."""
    options = ("--table", table, "--maps", maps, "--spaces", "singles", "--samplers", "random",
               "--seeds", "3", "--trials", "20", "--workers", "1", "--out", tmp_path)  # fmt: skip
    run(monkeypatch, *options)

    said = (tmp_path / "samplers.md").read_text()
    assert "## `made-up`, single connections" in said
    assert (
        "Made by `python -m benchmarks.samplers --seeds 3 --trials 20 --concurrency 4 --tasks "
        f"made-up --spaces singles --samplers random --table {table} --maps {maps} --out "
        f"{tmp_path}`"
    ) in said


def test_the_page_names_the_command_that_made_it(
    table: Path, maps: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With seeds, trials, tasks, spaces and samplers, whether they were given or not."""
    monkeypatch.setattr(samplers, "results", lambda *_: [RESULT])
    run(monkeypatch, "--table", table, "--maps", maps, "--samplers", "tpe", "random", "--seeds",
        "7", "--out", tmp_path)  # fmt: skip

    assert (
        "`python -m benchmarks.samplers --seeds 7 --trials 100 --concurrency 4 --tasks made-up "
        f"--spaces singles sets --samplers tpe random --table {table} --maps {maps} --out "
        f"{tmp_path}`"
    ) in (tmp_path / "samplers.md").read_text()


def test_a_name_that_is_repeated_counts_once() -> None:
    """So that nothing is replayed twice or stands twice on the page."""
    twice = ["--samplers", "tpe", "random", "tpe", "--tasks", "a", "a", "--spaces", "sets", "sets"]
    given = samplers._parser().parse_args(twice)

    assert (given.samplers, given.tasks, given.spaces) == (["tpe", "random"], ["a"], ["sets"])


def test_replays_go_on_where_they_stopped(
    table: Path, maps: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What hangs on the same is not made again; what other searches came to is kept."""
    made: list[str] = []

    def replayed(jobs: list[list[Job]], _: int) -> Iterator[Result]:
        for group in jobs:
            made.append(f"{group[0].sampler} {len(group)}")
            world = world_of(group[0].source, group[0].task, group[0].space)
            yield result_of(world, group, [Replay((0.5,), (0.5,), (0.5,)) for _ in group])

    monkeypatch.setattr(samplers, "_replayed", replayed)
    options = ("--table", table, "--maps", maps, "--spaces", "singles", "--out", tmp_path)
    run(monkeypatch, *options, "--samplers", "tpe", "random", "--seeds", "2")
    run(monkeypatch, *options, "--samplers", "tpe", "qmc", "--seeds", "2")
    run(monkeypatch, *options, "--samplers", "tpe", "--seeds", "3")

    assert made == ["tpe 2", "random 2", "qmc 2", "tpe 3"]
    kept = {(r.sampler, r.n_seeds) for r in read_results(tmp_path / "results.json")}
    assert kept == {("tpe", 2), ("tpe", 3), ("random", 2), ("qmc", 2)}


def test_only_searches_that_never_came_close_go_on() -> None:
    """All have their trials; then one goes on until it has tried a layout that is good enough."""
    length = Length(2, 4, 0.9)

    assert length.goes_on([0.9])
    assert not length.goes_on([0.9, 0.1])
    assert length.goes_on([0.8, 0.1])
    assert not length.goes_on([0.8, 0.1, 0.9])
    assert not length.goes_on([0.8, 0.1, 0.2, 0.3])


def test_results_that_are_none_are_left_alone(
    table: Path,
    maps: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    """A file that holds something else is said to, and not overwritten."""
    (tmp_path / "results.json").write_text("[1]")
    with pytest.raises(SystemExit) as left:
        run(monkeypatch, "--table", table, "--maps", maps, "--out", tmp_path)

    assert left.value.code == 2
    assert "which holds something else (mistakes: 1); move it away" in capsys.readouterr().err
    assert (tmp_path / "results.json").read_text() == "[1]"


@pytest.mark.slow
def test_processes_of_replays_have_one_thread_each() -> None:
    """Several on fewer cores make small matrices slow; this process stays as it was."""
    before = dict(os.environ)
    with one_thread_pool(1) as pool:
        assert pool.apply(torch.get_num_threads) == 1
        assert {each["num_threads"] for each in pool.apply(threadpool_info)} == {1}
        assert {name: pool.apply(os.getenv, (name,)) for name in ONE_THREAD} == ONE_THREAD

    assert dict(os.environ) == before


@pytest.mark.slow
def test_the_shipped_table_is_ready_to_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its tasks all have maps, and their rows the backbone that the maps are of."""
    monkeypatch.setattr(sys, "argv", ["samplers"])
    jobs = samplers.jobs_of(samplers._parser().parse_args([]))

    assert {group[0].task for group in jobs} == {row.task for row in read_rows()}
    assert MAPS.is_file()


@pytest.mark.parametrize("folder", SHIPPED)
def test_the_shipped_page_is_that_of_the_shipped_results(folder: Path) -> None:
    """Whoever replays anew writes both; every number of the page stands in results.json."""
    said = (folder / "samplers.md").read_text("utf-8")
    command = said.split("Made by `")[1].split("`")[0]
    given = samplers._parser().parse_args(shlex.split(command)[3:])
    # The command's own results stand first; those of other tables may follow.
    held = reversed(read_results(folder / RESULTS))
    known = {(each.task, each.space, each.sampler): each for each in held}
    asked = list(itertools.product(given.tasks, given.spaces, given.samplers))
    found = [known[each] for each in asked]

    assert said == page(found, looked_at(given.trials), samplers.longest_of(given), command)
    assert {each.n_seeds for each in found} == {given.seeds}
