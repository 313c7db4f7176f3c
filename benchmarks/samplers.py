r"""Every sampler replayed on the tabular benchmark: how many trials until a good layout is found.

    python -m benchmarks.samplers --seeds 100 --out reports/samplers

For each task and sampler: the median over seeds of the number of trials until one of them is within
1 % of the best layout of the table, with the interval between the quartiles; and what the layout
that scored best so far is worth after 10, 20 and 40 trials, against the best there is. Nothing is
trained. A table of other tasks: ``--table my-table.parquet --maps my-maps.parquet``. Spaces:
``singles`` of single connections, and ``sets`` of one to six, where enough are tabled.

Where many searches never come close within ``--trials``, ``--until`` lets those alone go on, up to
so many. Regret is that of the first ``--trials``.

With ``--out`` the same command goes on where it stopped: a result that stands in ``results.json``
is taken from there if its scores, proxies, seeds, trials and the sampler's version are the same.
"""

import argparse
import hashlib
import json
import multiprocessing
import shlex
import statistics
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from multiprocessing.pool import Pool
from pathlib import Path

import numpy as np
import optuna
import torch
from pydantic import TypeAdapter, ValidationError

from benchmarks.placements.errors import TableError, check_counts, plain_errors
from benchmarks.placements.maps import MAPS, read_maps
from benchmarks.placements.protocol import SHORT, SIZES
from benchmarks.placements.table import TABLE, Row, rows_of_one_backbone
from benchmarks.placements.world import World
from benchmarks.regrets import Result, curves, page, random_order, shown_trials
from benchmarks.replay import Length, Replay, median_trials, replay
from placement_search.errors import nearest
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.output_files import make_folder, write_whole
from placement_search.own_process import environment
from placement_search.study.samplers import SAMPLERS, version_of
from placement_search.study.samplers.sampler import Scores

CLOSE = 0.99
"""A layout is good enough when its score is this share of the best one's."""
LOOKED_AT = (10, 20, 40)
"""Trials after which regret is told."""
SPACES = {"singles": 1, "sets": SIZES[1]}
"""Most connections of a layout, by the name of the space; smaller layouts take part too."""
MIN_LAYOUTS = 30
"""Layouts that must be tabled for a space to be replayed: single ones, or sets of several."""
NOT_REPLAYED = {
    "brute-force": "it goes in random order without replacement, as random does",
    "switch": "it goes by switches that are trained before, and none are tabled",
}
"""Samplers that are left out, and why."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Of each process: several on fewer cores make small matrices a hundred times as slow."""
REPLAYS = 1
"""Version of how searches are replayed and judged."""
RESULTS = "results.json"
"""File of the results, within the folder of the page."""
_RESULTS = TypeAdapter(list[Result])


@dataclass(frozen=True, slots=True)
class Source:
    """Where scores are read from.

    Args:
        table: Parquet file of the table.
        maps: Parquet file of the proxy maps.
        backbone: Fingerprint of the backbone; None for the only one of the table.
    """

    table: Path
    maps: Path
    backbone: str | None = None

    def rows(self) -> dict[str, list[Row]]:
        """By task the trainings of a search's length, without those of the head alone."""
        found: dict[str, list[Row]] = {}
        for row in rows_of_one_backbone(self.table, self.backbone):
            if row.epochs == SHORT.epochs and row.layout != "none":
                found.setdefault(row.task, []).append(row)
        return found


@dataclass(frozen=True, slots=True)
class Job:
    """One search to replay."""

    source: Source
    task: str
    space: str
    sampler: str
    seed: int
    n_trials: int
    longest: int


def tabled_task(source: Source, task: str) -> tuple[list[Row], Mapping[str, Scores]]:
    """A task's trainings and its proxy map.

    Raises:
        TableError: If the task is not tabled, or has no proxy map.
    """
    tabled = source.rows()
    if task not in tabled:
        raise TableError(
            f"--tasks takes tasks of {source.table} with trainings of {SHORT.epochs} epochs; got "
            f"{task!r}{nearest(task, tabled)}"
        )
    rows = tabled[task]
    proxies = read_maps(source.maps, rows[0].backbone).get(task)
    if not proxies:
        raise TableError(
            f"a replay needs the task's proxy map, and {source.maps} has none of {task!r} on "
            f"backbone {rows[0].backbone}; name the table's own by --maps, or make it by "
            "python -m benchmarks.placements.build, which goes on with the table"
        )
    return rows, proxies


@cache
def world_of(source: Source, task: str, space: str) -> World:
    """A task's world; made once in a process."""
    rows, proxies = tabled_task(source, task)
    return World(task, rows, proxies, len(next(iter(proxies.values()))), SPACES[space])


def spaces_of(task: str, rows: Sequence[Row], asked: Sequence[str]) -> list[str]:
    """The spaces of which enough is tabled; says which ones are left out."""
    sizes = Counter(
        len(parse_layout(notation, MODULE_TYPES).connections) > 1
        for notation in {row.layout for row in rows}
    )
    n_tabled = {"singles": sizes[False], "sets": sizes[True]}
    for space in asked:
        if n_tabled[space] < MIN_LAYOUTS:
            print(f"{task}: {space} are left out, since {n_tabled[space]} are tabled and "
                  f"{MIN_LAYOUTS} are needed")  # fmt: skip
    return [space for space in asked if n_tabled[space] >= MIN_LAYOUTS]


def run(job: Job) -> Replay:
    """Replay one search."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    world = world_of(job.source, job.task, job.space)
    length = Length(job.n_trials, job.longest, CLOSE * world.worths[0])
    return replay(world, job.sampler, job.seed, length)


def made_from(world: World, jobs: Sequence[Job]) -> str:
    """Digest of what the result of some searches of one sampler hangs on but the longest's length.

    A change of this benchmark's own code that changes results counts `REPLAYS` up.
    """
    first = jobs[0]
    parts = (
        *(first.task, first.space, world.fingerprint, first.sampler, version_of(first.sampler)),
        *(first.n_trials, [job.seed for job in jobs], CLOSE, LOOKED_AT, REPLAYS),
        *(version(package) for package in ("optuna", "numpy", "scikit-learn", "torch")),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def result_of(world: World, jobs: Sequence[Job], replays: Sequence[Replay]) -> Result:
    """What many seeds of one sampler on one world came to."""
    job = jobs[0]
    best = world.worths[0]
    enough = CLOSE * best
    until = [each.trials_until(enough) for each in replays]
    # A quarter and three quarters of the searches are searches, since never can't be averaged.
    low, high = np.quantile(until, (0.25, 0.75), method="inverted_cdf")
    curves = [each.incumbents()[: job.n_trials] for each in replays]
    length = min(map(len, curves))
    curve = tuple(best - statistics.fmean(c[n] for c in curves) for n in range(length))
    return Result(
        task=job.task,
        space=job.space,
        sampler=job.sampler,
        n_layouts=world.n_layouts,
        n_close=sum(worth >= enough for worth in world.worths),
        n_seeds=len(replays),
        longest=job.longest,
        trials=_finite(median_trials(replays, enough)),
        quartiles=(_finite(low), _finite(high)),
        regrets=tuple(curve[min(n, length) - 1] for n in LOOKED_AT),
        curve=curve,
        random_order=random_order(world.worths, job.n_trials),
        made_from=made_from(world, jobs),
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


@contextmanager
def one_thread_pool(workers: int) -> Iterator[Pool]:
    """Processes of one thread each.

    The libraries of linear algebra read their variables when they are loaded, so these are there
    before a process starts.
    """
    context = multiprocessing.get_context("spawn")
    with environment(ONE_THREAD), context.Pool(workers, torch.set_num_threads, (1,)) as pool:
        yield pool


def results(
    jobs: Sequence[Sequence[Job]], workers: int, held: Sequence[Result] = ()
) -> Iterator[Result]:
    """The results of groups of jobs, one group after another.

    Args:
        jobs: The searches, a group for each result.
        workers: Processes.
        held: Results from before; one that hangs on the same is not made again.
    """
    longest = jobs[0][0].longest
    known = {each.made_from: each for each in held if each.is_of(longest)}
    keys = [made_from(_world(group), group) for group in jobs]
    new = _replayed(
        [group for group, key in zip(jobs, keys, strict=True) if key not in known], workers
    )
    for key in keys:
        yield known[key] if key in known else next(new)


def _replayed(jobs: Sequence[Sequence[Job]], workers: int) -> Iterator[Result]:
    with one_thread_pool(workers) as pool:
        for group in jobs:
            yield result_of(_world(group), group, pool.map(run, group, chunksize=1))


def _world(jobs: Sequence[Job]) -> World:
    return world_of(jobs[0].source, jobs[0].task, jobs[0].space)


def read_results(path: Path) -> list[Result]:
    """Results that were written before; none where there is no such file.

    Raises:
        TableError: If the file holds something else.
    """
    if not path.is_file():
        return []
    try:
        return _RESULTS.validate_json(path.read_bytes())
    except ValidationError as error:
        raise TableError(
            f"results of replays go on in {path}, which holds something else "
            f"(mistakes: {error.error_count()}); move it away, or name another folder by --out"
        ) from error


def line_of(result: Result) -> str:
    """A result as a line of the table."""
    shown = [shown_trials(value) for value in (result.trials, *result.quartiles)]
    regrets = " ".join(f"{regret:.4f}" for regret in result.regrets)
    return (
        f"{result.task:16} {result.space:8} {result.sampler:16} "
        f"{shown[0]:>6} ({shown[1]} to {shown[2]})  {regrets}"
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--table", type=Path, default=TABLE)
    add("--maps", type=Path, default=MAPS)
    add("--backbone", help="fingerprint; needed where the table has several")
    add("--samplers", nargs="+", default=sorted(set(SAMPLERS) - set(NOT_REPLAYED)))
    add("--spaces", nargs="+", default=list(SPACES), choices=list(SPACES))
    add("--tasks", nargs="+", help="all that the table holds, if not given")
    add("--seeds", type=int, default=100, help="searches of each kind")
    add("--trials", type=int, default=100, help="of each search")
    add("--until", type=int, metavar="TRIALS", help="go on up to so many until one is close")
    add("--workers", type=int, default=2, help="processes")
    add("--out", type=Path, help="folder for page, picture and results.json")
    return parser


def command_of(given: argparse.Namespace, tasks: Sequence[str]) -> str:
    """The command that makes the same again, with every option that its results depend on."""
    options: Mapping[str, Sequence[object]] = {
        "seeds": [given.seeds],
        "trials": [given.trials],
        "until": [given.until] if given.until else [],
        "tasks": tasks,
        "spaces": given.spaces,
        "samplers": given.samplers,
        "table": [] if given.table == TABLE else [given.table],
        "maps": [] if given.maps == MAPS else [given.maps],
        "backbone": [given.backbone] if given.backbone else [],
        "out": [given.out] if given.out else [],
    }
    words = ["python", "-m", "benchmarks.samplers"]
    for name, values in options.items():
        words += [f"--{name}", *map(str, values)] if values else []
    return shlex.join(words)


def jobs_of(given: argparse.Namespace) -> list[list[Job]]:
    """The searches to replay, by task, space and sampler; all that is asked is checked before.

    Raises:
        TableError: If a sampler or task is unknown, a map is missing, or too little is tabled.
    """
    _check(given)
    source = Source(given.table, given.maps, given.backbone)
    lengths = given.trials, longest_of(given)
    jobs = []
    for task in given.tasks or sorted(source.rows()):
        rows, _ = tabled_task(source, task)
        jobs += [
            [Job(source, task, space, name, seed, *lengths) for seed in range(given.seeds)]
            for space in spaces_of(task, rows, given.spaces)
            for name in given.samplers
        ]
    if not jobs:
        raise TableError(
            f"a replay needs {MIN_LAYOUTS} tabled layouts of a space, which {given.table} has for "
            "no task that was asked for; go on building it (python -m benchmarks.placements.build)"
        )
    return jobs


def longest_of(given: argparse.Namespace) -> int:
    """Trials of a search that never comes close to the best."""
    return int(given.until or given.trials)


def _check(given: argparse.Namespace) -> None:
    for name in given.samplers:
        if name in NOT_REPLAYED:
            raise TableError(
                f"sampler {name!r} is not replayed: {NOT_REPLAYED[name]}; leave it out"
            )
        if name not in SAMPLERS:
            known = set(SAMPLERS) - set(NOT_REPLAYED)
            raise TableError(
                f"--samplers takes samplers of search; got {name!r}{nearest(name, known)}"
            )
    check_counts(given, "seeds", "trials", "workers")
    if given.until is not None and given.until < given.trials:
        raise TableError(
            f"--until must be at least --trials, which is {given.trials}, got {given.until}; "
            "leave it out, and no search goes on"
        )


def main() -> None:
    """Replay, print, and write what was asked for."""
    given = _parser().parse_args()
    with plain_errors():
        jobs = jobs_of(given)
        command = command_of(given, list(dict.fromkeys(group[0].task for group in jobs)))
        print(f"{command}\nmedian trials until within 1 % of the best, quartiles, regret of the "
              f"incumbent after {LOOKED_AT} trials")  # fmt: skip
        held = read_results(given.out / RESULTS) if given.out else []
        longest = longest_of(given)
        found = []
        for result in results(jobs, given.workers, held):
            found.append(result)
            print(line_of(result), flush=True)
            if given.out:
                _keep(found, held, given.out)
        if given.out:
            write_whole(given.out / "samplers.md", page(found, LOOKED_AT, longest, command))
            write_whole(given.out / "regret.svg", curves(found))


def _keep(found: Sequence[Result], held: Sequence[Result], folder: Path) -> None:
    """Write results down, with those from before of other tasks, spaces, samplers or lengths."""
    new = {each.what for each in found}
    kept = [*found, *(each for each in held if each.what not in new)]
    make_folder(folder)
    write_whole(folder / RESULTS, json.dumps([asdict(each) for each in kept]) + "\n")


if __name__ == "__main__":
    main()
