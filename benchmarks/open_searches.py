r"""Samplers that search sets freely, with real trainings, as no table can answer.

    python -m benchmarks.open_searches --tasks digits-location digits-count --out reports/samplers

A replay lets a search choose among the sets that are tabled. Here it may propose any layout of one
to six connections of the embedded backbone, and each is trained as the table's are (4 epochs, seed
0), so the scores of both can be compared. A layout that any search has trained before is not
trained again. Every training is a line of `reports/samplers/open/TASK/SAMPLER-SEED.jsonl` as soon
as it has ended; the same command goes on.
"""

import argparse
import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Self

import optuna

from benchmarks.journal import append, read
from benchmarks.lone_search import LoneSearch
from benchmarks.placements.build import SEED
from benchmarks.placements.errors import TableError, plain_errors
from benchmarks.placements.maps import MAPS
from benchmarks.placements.protocol import SHORT, SIZES, TASKS
from benchmarks.placements.table import TABLE, rows_of_one_backbone
from benchmarks.placements.world import open_space
from benchmarks.samplers import Source, one_thread_pool, tabled_task
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.in_process import InProcessEngine
from placement_search.engine.in_turn import in_turn
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study.samplers import NEED_SWITCHES, SAMPLERS
from placement_search.study.search import load_bench
from placement_search.study.seeds import derive_seed
from placement_search.tasks.settings import DataSettings

JOURNALS = Path("reports/samplers/open")
LOOKED_AT = (10, 20, 30)
"""Trials after which the best so far is told."""
INTRODUCTION = """
# Samplers that search sets freely

Made by `{command}`. Every proposal of one to six connections was trained, 4 epochs, one seed. *Best
so far* is the layout with the best validation score among the first trials: its validation and its
test score, mean over {n_seeds} searches and their standard deviation; `gradient-guided` proposes
the same whatever the seed. *Proposed* is the mean validation score of all proposals from the
eleventh on. The last line has {n_sets} random sets of the tabular benchmark: the mean of all, and
the one of them with the best validation score.
"""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training of a search.

    Args:
        layout: Notation.
        validation: Score.
        test: Score, which no sampler is told.
    """

    layout: str
    validation: float
    test: float


@dataclass(frozen=True, slots=True)
class Job:
    """One search."""

    task: str
    sampler: str
    seed: int
    n_trials: int

    @property
    def journal(self) -> Path:
        """Where its trials are kept."""
        return JOURNALS / self.task / f"{self.sampler}-{self.seed}.jsonl"

    @property
    def trials(self) -> list[Trial]:
        """Those that it has so far, no more than are asked for."""
        return [Trial(**row) for row in read(self.journal)][: self.n_trials]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What searches of one sampler found on a task.

    Args:
        searches: Their trials, search by search.
    """

    searches: tuple[tuple[Trial, ...], ...]

    @classmethod
    def of(cls, jobs: Sequence[Job]) -> Self:
        """From what was kept."""
        return cls(tuple(tuple(job.trials) for job in jobs))

    def best(self, n_trials: int) -> list[Trial]:
        """Of each search the trial with the best validation score among the first ones."""
        return [
            max(trials[:n_trials], key=lambda trial: trial.validation) for trials in self.searches
        ]

    def test(self, n_trials: int) -> float:
        """Mean test score of those."""
        return statistics.fmean(trial.test for trial in self.best(n_trials))

    @property
    def proposed(self) -> float | None:
        """Mean validation score of what was proposed after the first ten; None for nothing."""
        late = [t.validation for trials in self.searches for t in trials[LOOKED_AT[0] :]]
        return statistics.fmean(late) if late else None


@cache
def bench_of(task: str) -> Workbench:
    """Backbone and data; loaded once in a process."""
    return load_bench(ModelSettings(), DataSettings(data=task))


def run(job: Job) -> Job:
    """Search until the trials are there; goes on where it stopped."""
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    _, proxies = tabled_task(Source(TABLE, MAPS), job.task)
    search = LoneSearch(
        open_space(len(next(iter(proxies.values()))), SIZES[1]), proxies, job.sampler, job.seed
    )
    for trial in job.trials:
        search.tell(parse_layout(trial.layout, MODULE_TYPES), trial.validation)
    known = _trained(job.task)
    for _ in range(len(job.trials), job.n_trials):
        layout = search.propose()
        trial = known.get(layout.notation) or _train(job.task, layout)
        append(job.journal, asdict(trial))
        search.tell(layout, trial.validation)
    return job


def _trained(task: str) -> Mapping[str, Trial]:
    """What searches have trained, by layout."""
    rows = itertools.chain.from_iterable(
        read(path) for path in sorted((JOURNALS / task).glob("*.jsonl"))
    )
    return {row["layout"]: Trial(**row) for row in rows}


def _train(task: str, layout: Layout) -> Trial:
    asked = Evaluation(layout, derive_seed(SEED, layout.id, 0), SHORT, is_final=True)
    with closing(InProcessEngine(bench_of(task), 1)) as engine:
        ((_, card),) = in_turn(engine, [asked])
    if isinstance(card, Exception):
        raise card
    return Trial(layout.notation, card.score, float(card.test_score or 0.0))


def page(outcomes: Mapping[tuple[str, str], Outcome], command: str) -> str:
    """All outcomes in Markdown, by task and sampler, the best first.

    Args:
        outcomes: By task and sampler.
        command: What made them.
    """
    tasks = dict.fromkeys(task for task, _ in outcomes)
    sets = {task: _random_sets(task) for task in tasks}
    n_seeds = {len(each.searches) for each in outcomes.values()}
    n_sets = {len(each) for each in sets.values()}
    listed = [" or ".join(map(str, sorted(each))) for each in (n_seeds, n_sets)]
    lines = [INTRODUCTION.format(command=command, n_seeds=listed[0], n_sets=listed[1]).strip()]
    for task in tasks:
        lines += [
            "",
            f"## `{task}`",
            "",
            "| sampler | proposed | "
            + " | ".join(f"best after {n}: validation | test" for n in LOOKED_AT)
            + " |",
            "| --- | ---: |" + " ---: | ---: |" * len(LOOKED_AT),
        ]
        own = [(each, sampler) for (of, sampler), each in outcomes.items() if of == task]
        own.sort(key=lambda pair: pair[0].test(LOOKED_AT[-1]), reverse=True)
        lines += [_line(name, each) for each, name in own]
        best = max(sets[task], key=lambda trial: trial.validation, default=None)
        if best is not None:
            mean = statistics.fmean(trial.validation for trial in sets[task])
            lines.append(
                f"| {len(sets[task])} random sets, tabled | {mean:.4f} |" + " | |" * 2
                + f" {best.validation:.4f} | {best.test:.4f} |"
            )  # fmt: skip
    return "\n".join([*lines, ""])


def _line(sampler: str, outcome: Outcome) -> str:
    proposed = "" if outcome.proposed is None else f"{outcome.proposed:.4f}"
    cells = [sampler, proposed]
    for n in LOOKED_AT:
        best = outcome.best(n)
        for values in ([t.validation for t in best], [t.test for t in best]):
            spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
            cells.append(f"{statistics.fmean(values):.4f}{spread}")
    return f"| {' | '.join(cells)} |"


def _random_sets(task: str) -> list[Trial]:
    """The tabled sets of several connections, trained as long with the first seed."""
    rows = rows_of_one_backbone(TABLE, None)
    return [
        Trial(row.layout, row.validation, row.test)
        for row in rows
        if row.task == task and row.epochs == SHORT.epochs and row.replicate == 0
        and "+" in row.layout
    ]  # fmt: skip


def jobs_of(given: argparse.Namespace) -> Iterator[Job]:
    """The searches that are asked for, first those of the first seed.

    Raises:
        TableError: If a task or sampler is not one that this can search.
    """
    for option, known in (("tasks", TASKS), ("samplers", sorted(set(SAMPLERS) - NEED_SWITCHES))):
        for name in getattr(given, option):
            if name not in known:
                raise TableError(f"--{option} takes {', '.join(known)}; got {name!r}")
    for option in ("seeds", "trials", "workers"):
        if getattr(given, option) < 1:
            raise TableError(f"--{option} must be at least 1, got {getattr(given, option)}")
    for seed, task, sampler in itertools.product(range(given.seeds), given.tasks, given.samplers):
        yield Job(task, sampler, seed, given.trials)


def main() -> None:
    """Search, print, and write what was asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--tasks", nargs="+", default=list(TASKS))
    add("--samplers", nargs="+", default=["guided", "gradient-guided", "tpe", "random"])
    add("--seeds", type=int, default=3, help="searches of each sampler")
    add("--trials", type=int, default=LOOKED_AT[-1], help="of each search")
    add("--workers", type=int, default=2, help="processes")
    add("--out", type=Path, help="folder for the page, open.md")
    given = parser.parse_args()
    with plain_errors():
        jobs = list(jobs_of(given))
        with one_thread_pool(given.workers) as pool:
            for job in pool.imap_unordered(run, jobs):
                best = Outcome((tuple(job.trials),)).best(job.n_trials)[0]
                print(f"{job.task:16} {job.sampler:16} seed {job.seed}: validation "
                      f"{best.validation:.4f}, test {best.test:.4f}", flush=True)  # fmt: skip
    pairs = itertools.product(given.tasks, given.samplers)
    outcomes = {
        pair: Outcome.of([job for job in jobs if (job.task, job.sampler) == pair]) for pair in pairs
    }
    command = (
        f"python -m benchmarks.open_searches --tasks {' '.join(given.tasks)} --samplers "
        f"{' '.join(given.samplers)} --seeds {given.seeds} --trials {given.trials}"
        + (f" --out {given.out}" if given.out else "")
    )
    text = page(outcomes, command)
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "open.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
