r"""Every sampler replayed on the tabular benchmark: how many trials until a good layout is found.

    python -m benchmarks.samplers --seeds 100 --out reports/samplers

For each task and sampler: the median over seeds of the number of trials until one of them is within
1 % of the best layout of the table, with the interval between the quartiles; and what the layout
that scored best so far is worth after 10, 20 and 40 trials, against the best there is; both by mean
validation scores, and by mean test scores, which no search sees. Nothing is trained. A table of
other tasks: ``--table my-table.parquet --maps my-maps.parquet``. Spaces: ``singles`` of single
connections, and ``sets`` of one to six, where enough are tabled.

Where many searches never come close within ``--trials``, ``--until`` lets those alone go on, up to
so many. Regret is that of the first ``--trials``. A search has ``--concurrency`` trials under way
at once and knows no scores of the last ones, as one by the command line; 1 replays one at a time.

With ``--out`` the same command goes on where it stopped: a result that stands in ``results.json``
is taken from there if its scores, proxies, seeds, trials and the sampler's version are the same.
Those of other tables, backbones and searches stay in the file.
"""

import argparse
import multiprocessing
import shlex
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.pool import Pool
from pathlib import Path

import optuna
import torch

from benchmarks.outcomes import Job, enough_of, looked_at, made_from, result_of
from benchmarks.placements.errors import TableError, check_counts, plain_errors
from benchmarks.placements.maps import MAPS
from benchmarks.placements.table import TABLE
from benchmarks.placements.world import World
from benchmarks.regrets import curves, page, shown_regret, shown_trials
from benchmarks.replay import Length, Replay, replay
from benchmarks.results import RESULTS, Result, keep_results, read_results
from benchmarks.tabled import MIN_LAYOUTS, SPACES, Source, spaces_of, tabled_task, world_of
from placement_search.errors import nearest
from placement_search.output_files import write_whole
from placement_search.own_process import environment
from placement_search.study.samplers import SAMPLERS
from placement_search.study.settings import SearchSettings

NOT_REPLAYED = {
    "brute-force": "it goes in random order without replacement, as random does",
    "switch": "it goes by switches that are trained before, and none are tabled",
}
"""Samplers that are left out, and why."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Of each process: several on fewer cores make small matrices a hundred times as slow."""


def run(job: Job) -> Replay:
    """Replay one search."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore")
    world = world_of(job.source, job.task, job.space)
    length = Length(job.n_trials, job.longest, enough_of(world.worths[0]))
    return replay(world, job.sampler, job.seed, length, concurrency=job.concurrency)


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


def line_of(result: Result) -> str:
    """A result as a line of the table."""
    shown = [shown_trials(value) for value in (result.trials, *result.quartiles)]
    regrets = " ".join(map(shown_regret, result.regrets))
    return (
        f"{result.task:16} {result.space:8} {result.sampler:16} "
        f"{shown[0]:>6} ({shown[1]} to {shown[2]})  {regrets}  "
        f"by test {shown_trials(result.test_trials)}, {shown_regret(result.test_regrets[-1])}"
    )


class Once(argparse.Action):
    """Takes several names; one that is repeated counts once."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[str] | None,
        option_string: str | None = None,
    ) -> None:
        """Keep each where it stood first."""
        del parser, option_string
        setattr(namespace, self.dest, list(dict.fromkeys(values or ())))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--table", type=Path, default=TABLE)
    add("--maps", type=Path, default=MAPS)
    add("--backbone", help="fingerprint; needed where the table has several")
    add("--samplers", nargs="+", action=Once, default=sorted(set(SAMPLERS) - set(NOT_REPLAYED)))
    add("--spaces", nargs="+", action=Once, default=list(SPACES), choices=list(SPACES))
    add("--tasks", nargs="+", action=Once, help="all that the table holds, if not given")
    add("--seeds", type=int, default=100, help="searches of each kind")
    add("--trials", type=int, default=100, help="of each search")
    add("--until", type=int, metavar="TRIALS", help="go on up to so many until one is close")
    add(
        "--concurrency",
        type=int,
        default=SearchSettings().concurrency,
        metavar="TRIALS",
        help="as of search: samplers know less of the last ones (default %(default)s, as there)",
    )
    add("--workers", type=int, default=2, help="processes")
    add("--out", type=Path, help="folder for page, picture and results.json")
    return parser


def command_of(given: argparse.Namespace, tasks: Sequence[str]) -> str:
    """The command that makes the same again, with every option that its results depend on."""
    options: Mapping[str, Sequence[object]] = {
        "seeds": [given.seeds],
        "trials": [given.trials],
        "until": [given.until] if given.until else [],
        "concurrency": [given.concurrency],
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
    searched = given.trials, longest_of(given), given.concurrency
    jobs = []
    for task in given.tasks or sorted(source.rows()):
        rows, _ = tabled_task(source, task)
        jobs += [
            [Job(source, task, space, name, seed, *searched) for seed in range(given.seeds)]
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
    check_counts(given, "seeds", "trials", "workers", "concurrency")
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
        shown = looked_at(given.trials)
        print(f"{command}\nmedian trials until within 1 % of the best, quartiles, regret of the "
              f"incumbent after {shown} trials; by test median trials, regret after the last of "
              "them")  # fmt: skip
        held = read_results(given.out / RESULTS) if given.out else []
        longest = longest_of(given)
        found = []
        for result in results(jobs, given.workers, held):
            found.append(result)
            print(line_of(result), flush=True)
            if given.out:
                keep_results(found, held, given.out)
        if given.out:
            write_whole(given.out / "samplers.md", page(found, shown, longest, command))
            write_whole(given.out / "regret.svg", curves(found))


if __name__ == "__main__":
    main()
