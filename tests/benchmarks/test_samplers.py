import itertools
import os
import re
import shlex
import statistics
import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from threadpoolctl import threadpool_info

from benchmarks import samplers
from benchmarks.journal import append
from benchmarks.placements.maps import MAPS
from benchmarks.placements.protocol import SHORT, random_sets, single_connections
from benchmarks.placements.table import Row, pack, read_rows
from benchmarks.placements.world import World
from benchmarks.regrets import Aim, Result, aim_of, curves, overview, page, random_order
from benchmarks.replay import Length, Replay, replay
from benchmarks.samplers import (
    MIN_LAYOUTS,
    NOT_REPLAYED,
    ONE_THREAD,
    Job,
    one_thread_pool,
    spaces_of,
)
from placement_search.layout import Layout
from placement_search.study.samplers import NEED_SWITCHES

N_NODES = 7
BACKBONE = "another"


def row_of(layout: Layout) -> Row:
    score = 0.5 + sum(c.target for c in layout.connections) / 100
    parts = (score, score, 8, 1.0, 2.0, BACKBONE)
    return Row("made-up", layout.notation, layout.id, 0, SHORT.epochs, *parts)


SINGLES = [row_of(layout) for layout in single_connections(N_NODES)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of another backbone's single connections."""
    for row in SINGLES:
        append(tmp_path / "made-up.jsonl", asdict(row))
    path = tmp_path / "mine.parquet"
    pack(tmp_path, path)
    return path


@pytest.fixture
def maps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Its proxy map."""
    grid = [[float(target) for target in range(N_NODES)] for _ in range(N_NODES)]
    monkeypatch.setattr(samplers, "read_maps", lambda *_: {"made-up": {"depth": grid}})
    return tmp_path / "mine-maps.parquet"


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
    if options[0] == "--maps":
        monkeypatch.undo()
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
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another number of nodes, its own maps, and a page that names the command."""
    from benchmarks.placements import maps as maps_file  # noqa: PLC0415
    from benchmarks.placements.maps import MapRow  # noqa: PLC0415

    grid = [[float(target) for target in range(N_NODES)] for _ in range(N_NODES)]
    path = tmp_path / "mine-maps.parquet"
    maps_file._write([MapRow("made-up", "depth", grid, BACKBONE)], path)
    options = ("--table", table, "--maps", path, "--spaces", "singles", "--samplers", "random",
               "--seeds", "3", "--trials", "20", "--workers", "1", "--out", tmp_path)  # fmt: skip
    run(monkeypatch, *options)

    said = (tmp_path / "samplers.md").read_text()
    assert "## `made-up`, single connections" in said
    assert (
        "Made by `python -m benchmarks.samplers --seeds 3 --trials 20 --tasks made-up --spaces "
        f"singles --samplers random --table {table} --maps {path} --out {tmp_path}`" in said
    )


def test_the_page_names_the_command_that_made_it(
    table: Path, maps: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With seeds, trials, tasks, spaces and samplers, whether they were given or not."""
    monkeypatch.setattr(samplers, "results", lambda *_: [RESULT])
    run(monkeypatch, "--table", table, "--maps", maps, "--samplers", "tpe", "random", "--seeds",
        "7", "--out", tmp_path)  # fmt: skip

    assert (
        "`python -m benchmarks.samplers --seeds 7 --trials 100 --tasks made-up --spaces singles "
        f"sets --samplers tpe random --table {table} --maps {maps} --out {tmp_path}`"
    ) in (tmp_path / "samplers.md").read_text()


def test_replays_go_on_where_they_stopped(
    table: Path, maps: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What hangs on the same is not made again; what other searches came to is kept."""
    made: list[str] = []

    def replayed(jobs: list[list[samplers.Job]], _: int) -> Iterator[Result]:
        for group in jobs:
            made.append(f"{group[0].sampler} {len(group)}")
            world = samplers.world_of(group[0].source, group[0].task, group[0].space)
            replays = [Replay((0.5,), (0.5,)) for _ in group]
            yield samplers.result_of(world, group, replays)

    monkeypatch.setattr(samplers, "_replayed", replayed)
    options = ("--table", table, "--maps", maps, "--spaces", "singles", "--out", tmp_path)
    run(monkeypatch, *options, "--samplers", "tpe", "random", "--seeds", "2")
    run(monkeypatch, *options, "--samplers", "tpe", "qmc", "--seeds", "2")
    run(monkeypatch, *options, "--samplers", "tpe", "--seeds", "3")

    assert made == ["tpe 2", "random 2", "qmc 2", "tpe 3"]
    kept = {(r.sampler, r.n_seeds) for r in samplers.read_results(tmp_path / "results.json")}
    assert kept == {("tpe", 2), ("tpe", 3), ("random", 2), ("qmc", 2)}


@pytest.mark.parametrize(
    ("quartiles", "longest", "same"),
    [
        ((1.0, None), 40, True),
        ((1.0, None), 200, False),
        ((1.0, 39.0), 200, True),
        ((1.0, 39.0), 20, False),
    ],
)
def test_longer_searches_are_made_anew_where_some_never_came_close(
    quartiles: tuple[float, float | None], longest: int, same: bool
) -> None:
    """Where three quarters did within 40, going on changes neither median nor quartiles."""
    assert replace(RESULT, quartiles=quartiles).is_of(longest) is same


def test_only_searches_that_never_came_close_go_on() -> None:
    """All have their trials; then one goes on until it has tried a layout that is good enough."""
    length = Length(2, 4, 0.9)

    assert length.goes_on([0.9])
    assert not length.goes_on([0.9, 0.1])
    assert length.goes_on([0.8, 0.1])
    assert not length.goes_on([0.8, 0.1, 0.9])
    assert not length.goes_on([0.8, 0.1, 0.2, 0.3])


@pytest.mark.slow
def test_a_search_that_goes_on_begins_as_it_would_have() -> None:
    """Its first trials are those of a shorter one, and so is its regret after them."""
    world = World("made-up", SINGLES, {"depth": [[0.0] * N_NODES] * N_NODES}, N_NODES, 1)
    job = Job(samplers.Source(MAPS, MAPS), "made-up", "singles", "random", 0, 5, 5)
    short, long = (replay(world, "random", 0, Length(5, n, 1.0)) for n in (5, 30))
    result = samplers.result_of(world, [replace(job, longest=30)], [long])

    assert len(short.worths) == 5
    assert len(long.worths) == 30
    assert long.worths[:5] == short.worths
    assert result.curve == samplers.result_of(world, [job], [short]).curve


def test_a_score_that_changed_makes_a_result_anew() -> None:
    """So does a proxy, and nothing else than what a search meets."""
    proxies = {"depth": [[0.0] * N_NODES] * N_NODES}
    world = World("made-up", SINGLES, proxies, N_NODES, 1)
    same = World("made-up", SINGLES[::-1], proxies, N_NODES, 1)
    better = [replace(SINGLES[0], validation=0.9), *SINGLES[1:]]

    assert same.fingerprint == world.fingerprint
    assert World("made-up", better, proxies, N_NODES, 1).fingerprint != world.fingerprint
    assert World("made-up", SINGLES, {}, N_NODES, 1).fingerprint != world.fingerprint


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


RESULT = Result(
    "a", "sets", "tpe", 99, 1, 5, 40, 3.0, (1.0, None), (0.1,) * 3, (0.2, 0.1), (0.3, 0.2)
)


def test_sets_are_said_to_hold_single_connections_too() -> None:
    """A space is described by what it holds."""
    assert "## `a`, one to six connections" in page([RESULT], (2,), 2, "made so")


@pytest.mark.parametrize(
    ("own", "random", "tpe", "met"),
    [
        (5.0, 15.0, 7.5, Aim.MET),
        (5.0, 14.5, 15.5, Aim.MISSED),
        (5.0, 40.0, 7.0, Aim.MISSED),
        (13.0, None, None, Aim.MET),
        (14.0, None, None, Aim.OPEN),
        (14.0, None, 20.0, Aim.MISSED),
        (None, None, None, Aim.OPEN),
        (None, None, 40.0, Aim.MISSED),
    ],
)
def test_the_default_is_to_need_a_third_of_randoms_trials_and_two_thirds_of_tpes(
    own: float | None, random: float | None, tpe: float | None, met: Aim
) -> None:
    """Who was not there yet after 40 trials needs 41 or more, which may leave it open."""
    assert aim_of({"guided": own, "random": random, "tpe": tpe}, 40) is met


def test_no_aim_is_judged_without_a_rival() -> None:
    """Nor without the default."""
    assert aim_of({"guided": 1.0, "tpe": 2.0}, 40) is None
    assert aim_of({"random": 9.0, "tpe": 2.0}, 40) is None


def test_the_page_begins_with_the_medians_of_all_tasks() -> None:
    """A table for each space, and on which of them the default is as good as it is meant to be."""
    found = [
        replace(RESULT, task=task, sampler=sampler, trials=trials)
        for task, trials_of in (("a", (3.0, None, 5.0)), ("b", (3.0, 9.0, 4.0)))
        for sampler, trials in zip(("guided", "random", "tpe"), trials_of, strict=True)
    ]

    assert overview(found, 40)[3:] == [
        "| one to six connections | `a` | `b` |",
        "| --- | ---: | ---: |",
        "| guided | 3 | 3 |",
        "| random | > 40 | 9 |",
        "| tpe | 5 | 4 |",
        "",
        (
            "`guided` is meant to need at most a third of random search's trials and two thirds "
            "of TPE's. It does on 1: `a` (one to six connections). It does not on 1: `b` (one to "
            "six connections)."
        ),
    ]


def test_random_order_regrets_what_all_orders_do_on_average() -> None:
    """Counted out over every order of a few layouts, two of them as good as each other."""
    worths = [0.9, 0.7, 0.7, 0.4, 0.1]
    orders = list(itertools.permutations(worths))
    counted = [0.9 - statistics.fmean(max(order[:k]) for order in orders) for k in range(1, 6)]

    assert random_order(worths, 9) == pytest.approx(counted)
    assert random_order(worths, 2) == pytest.approx(counted[:2])


@pytest.mark.slow
def test_the_picture_draws_random_order() -> None:
    """Beside the samplers, as a line of its own."""
    without = curves([replace(RESULT, random_order=())])

    assert curves([RESULT]).count("#9ca3af") > without.count("#9ca3af")


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


@pytest.mark.parametrize("folder", [Path("reports/samplers"), Path("reports/samplers/long")])
def test_the_shipped_page_is_that_of_the_shipped_results(folder: Path) -> None:
    """Whoever replays anew writes both; every number of the page stands in results.json."""
    said = (folder / "samplers.md").read_text("utf-8")
    command = said.split("Made by `")[1].split("`")[0]
    given = samplers._parser().parse_args(shlex.split(command)[3:])
    known = {
        (each.task, each.space, each.sampler): each
        for each in samplers.read_results(folder / samplers.RESULTS)
    }
    asked = list(itertools.product(given.tasks, given.spaces, given.samplers))
    found = [known[each] for each in asked]

    assert said == page(found, samplers.LOOKED_AT, samplers.longest_of(given), command)
    assert {each.n_seeds for each in found} == {given.seeds}
