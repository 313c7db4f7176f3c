r"""Every sampler replayed on the tabular benchmark: how many trials until a good layout is found.

    python -m benchmarks.samplers --seeds 100 --out reports/samplers

For each task and sampler: the median over seeds of the number of trials until one of them is within
1 % of the best layout of the table, with the interval between the quartiles; and what the layout
that scored best so far is worth after 10, 20 and 40 trials, against the best there is. Nothing is
trained. A table of other tasks: ``--table my-table.parquet --maps my-maps.parquet``.
"""

import argparse
import json
import multiprocessing
import statistics
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
import optuna

from benchmarks.placements.maps import MAPS, read_maps
from benchmarks.placements.protocol import SHORT, SIZES
from benchmarks.placements.table import TABLE, read_rows
from benchmarks.placements.world import World
from benchmarks.regrets import Result, curves, page, shown_trials
from benchmarks.replay import Replay, median_trials, replay
from placement_search.study.samplers import SAMPLERS

CLOSE = 0.99
"""A layout is good enough when its score is this share of the best one's."""
LOOKED_AT = (10, 20, 40)
"""Trials after which regret is told."""
SPACES = {"singles": 1, "sets": SIZES[1]}
"""Most connections of a layout, by the name of the space."""
NOT_REPLAYED = frozenset({"brute-force"})
"""Random order without replacement, which random is too."""


@dataclass(frozen=True, slots=True)
class Job:
    """One search to replay."""

    table: Path
    maps: Path
    task: str
    space: str
    sampler: str
    seed: int
    n_trials: int


@cache
def world_of(table: Path, maps: Path, task: str, space: str) -> World:
    """A task's world; made once in a process."""
    rows = [row for row in read_rows(table) if row.task == task and row.epochs == SHORT.epochs]
    proxies = read_maps(maps).get(task, {})
    n_nodes = len(next(iter(proxies.values())))
    named = [row for row in rows if row.layout != "none"]
    return World(task, named, proxies, n_nodes, SPACES[space])


def run(job: Job) -> Replay:
    """Replay one search."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    world = world_of(job.table, job.maps, job.task, job.space)
    return replay(world, job.sampler, job.seed, job.n_trials)


def result_of(world: World, job: Job, replays: Sequence[Replay]) -> Result:
    """What many seeds of one sampler on one world came to."""
    best = world.worths[0]
    enough = CLOSE * best
    until = [each.trials_until(enough) for each in replays]
    # A quarter and three quarters of the searches are searches, since never can't be averaged.
    low, high = np.quantile(until, (0.25, 0.75), method="inverted_cdf")
    curves = [each.incumbents() for each in replays]
    length = min(map(len, curves))
    curve = tuple(best - statistics.fmean(c[n] for c in curves) for n in range(length))
    return Result(
        task=job.task,
        space=job.space,
        sampler=job.sampler,
        n_layouts=world.n_layouts,
        n_close=sum(worth >= enough for worth in world.worths),
        n_seeds=len(replays),
        trials=_finite(median_trials(replays, enough)),
        quartiles=(_finite(low), _finite(high)),
        regrets=tuple(curve[min(n, length) - 1] for n in LOOKED_AT),
        curve=curve,
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def results(jobs: Sequence[Sequence[Job]], workers: int) -> Iterator[Result]:
    """The results of groups of jobs, one group after another."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        for group in jobs:
            first = group[0]
            world = world_of(first.table, first.maps, first.task, first.space)
            yield result_of(world, first, pool.map(run, group, chunksize=1))


def line_of(result: Result) -> str:
    """A result as a line of the table."""
    shown = [shown_trials(value) for value in (result.trials, *result.quartiles)]
    regrets = " ".join(f"{regret:.4f}" for regret in result.regrets)
    return (
        f"{result.task:16} {result.space:8} {result.sampler:16} "
        f"{shown[0]:>6} ({shown[1]} to {shown[2]})  {regrets}"
    )


def main() -> None:
    """Replay, print, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--maps", type=Path, default=MAPS)
    parser.add_argument("--samplers", nargs="+", default=sorted(set(SAMPLERS) - NOT_REPLAYED))
    parser.add_argument("--spaces", nargs="+", default=list(SPACES), choices=list(SPACES))
    parser.add_argument("--tasks", nargs="+", help="all that the table holds, if not given")
    parser.add_argument("--seeds", type=int, default=100, help="searches of each kind")
    parser.add_argument("--trials", type=int, default=100, help="of each search")
    parser.add_argument("--workers", type=int, default=2, help="processes")
    parser.add_argument("--out", type=Path, help="folder for page, picture and results.json")
    given = parser.parse_args()
    tasks = given.tasks or sorted({row.task for row in read_rows(given.table)})
    jobs = [
        [
            Job(given.table, given.maps, task, space, sampler, seed, given.trials)
            for seed in range(given.seeds)
        ]
        for task in tasks
        for space in given.spaces
        for sampler in given.samplers
    ]
    print(f"median trials until within 1 % of the best ({given.seeds} seeds, quartiles), regret of "
          f"the incumbent after {LOOKED_AT} trials")  # fmt: skip
    found = []
    for result in results(jobs, given.workers):
        found.append(result)
        print(line_of(result), flush=True)
        if given.out:
            given.out.mkdir(parents=True, exist_ok=True)
            written = [asdict(each) for each in found]
            (given.out / "results.json").write_text(json.dumps(written) + "\n")
            (given.out / "samplers.md").write_text(page(found, LOOKED_AT, given.trials))
            (given.out / "regret.svg").write_text(curves(found))


if __name__ == "__main__":
    main()
