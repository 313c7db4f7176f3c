r"""Samplers that search sets freely, with real trainings, as no table can answer.

    python -m benchmarks.open_searches --tasks digits-location digits-count

A replay lets a search choose among the sets that are tabled. Here it may propose any layout of one
to six connections of the embedded backbone, and each is trained as the table's are (4 epochs, seed
0), so the scores of both can be compared. What another search of the task has trained is taken over
where it is there in time. Every training is a line of `OUT/open/TASK/SAMPLER-SEED.jsonl` as soon as
it has ended, and the same command goes on. The first line says what the others hang on: where that
has changed, the file has to be moved away first.
"""

import argparse
import hashlib
import itertools
import json
import shlex
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import optuna

from benchmarks.journal import append, read
from benchmarks.lone_search import LoneSearch
from benchmarks.open_page import LOOKED_AT, Outcome, Trained, best_of, page
from benchmarks.placements.build import training_of
from benchmarks.placements.errors import TableError, check_counts, plain_errors
from benchmarks.placements.maps import MAPS
from benchmarks.placements.protocol import SHORT, SIZES, TASKS, Run
from benchmarks.placements.table import TABLE, rows_of_one_backbone
from benchmarks.placements.world import open_space
from benchmarks.samplers import Once, one_thread_pool
from benchmarks.tabled import Source, tabled_task
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.in_process import InProcessEngine
from placement_search.engine.in_turn import NO_SCORE, in_turn
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.output_files import make_folder, write_whole
from placement_search.study.samplers import NEED_SWITCHES, SAMPLERS, version_of
from placement_search.study.samplers.sampler import Proposal, Scores
from placement_search.study.search import load_bench
from placement_search.tasks.settings import DataSettings

OUT = Path("reports/samplers")
"""Folder of the page and of the journals."""
TRAINING = ("backbone", "data", "epochs")
"""What a journal's first line says of how a layout is trained, whoever proposed it."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One proposal of a search and what came of it.

    Args:
        layout: Notation.
        params: The numbers that meant it.
        scores: On validation and test split; None where the training gave none.
    """

    layout: str
    params: Mapping[str, float | int]
    scores: tuple[float, float] | None

    @property
    def proposal(self) -> Proposal:
        """As it was proposed."""
        return Proposal(parse_layout(self.layout, MODULE_TYPES), dict(self.params))


@dataclass(frozen=True, slots=True)
class Job:
    """One search.

    Args:
        task: An embedded one.
        sampler: Its name.
        seed: The search's.
        n_trials: How many.
        out: Folder of the journals.
    """

    task: str
    sampler: str
    seed: int
    n_trials: int
    out: Path = OUT

    @property
    def journal(self) -> Path:
        """Where its trials are kept."""
        return self.out / "open" / self.task / f"{self.sampler}-{self.seed}.jsonl"

    @property
    def trials(self) -> list[Trial]:
        """Those that it has so far, no more than are asked for."""
        return _trials_in(self.journal)[: self.n_trials]

    @property
    def trained(self) -> tuple[Trained | None, ...]:
        """What came of each of them; None for a training without a score."""
        return tuple(
            Trained(each.layout, *each.scores) if each.scores else None for each in self.trials
        )


@cache
def bench_of(task: str) -> Workbench:
    """Backbone and data; loaded once in a process."""
    return load_bench(ModelSettings(), DataSettings(data=task))


def run(job: Job) -> Job:
    """Search until the trials are there; goes on where it stopped.

    Raises:
        TableError: If the journal hangs on something else than this search does.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    _, proxies = tabled_task(Source(TABLE, MAPS), job.task)
    header = _begin(job, proxies)
    n_nodes = len(next(iter(proxies.values())))
    search = LoneSearch(open_space(n_nodes, SIZES[1]), proxies, job.sampler, job.seed)
    trials = job.trials
    for trial in trials:
        search.tell(trial.proposal, trial.scores and trial.scores[0])
    for _ in range(len(trials), job.n_trials):
        proposal = search.propose()
        known = _trained_for(job, header)
        layout = proposal.layout
        scores = known[layout.notation] if layout.notation in known else _train(job.task, layout)
        append(job.journal, asdict(Trial(layout.notation, proposal.params, scores)))
        search.tell(proposal, scores and scores[0])
    return job


def _begin(job: Job, proxies: Mapping[str, Scores]) -> Mapping[str, object]:
    """Write the first line, or compare it; gives it."""
    bench = bench_of(job.task)
    hangs_on = {
        "sampler": job.sampler,
        "sampler_version": version_of(job.sampler),
        "seed": job.seed,
        "backbone": bench.backbone.facts.fingerprint,
        "data": bench.task.fingerprint,
        "proxies": hashlib.sha256(json.dumps(proxies, sort_keys=True).encode()).hexdigest()[:16],
        "epochs": SHORT.epochs,
    }
    lines = read(job.journal)
    if not lines:
        append(job.journal, hangs_on)
    elif lines[0] != hangs_on:
        changed = [name for name, value in hangs_on.items() if lines[0].get(name) != value]
        raise TableError(
            f"a search goes on with what it began with; {job.journal} has another "
            f"{' and '.join(changed)}; move it away to search anew"
        )
    return hangs_on


def _trials_in(journal: Path) -> list[Trial]:
    rows = read(journal)[1:]
    return [Trial(row["layout"], row["params"], _pair(row["scores"])) for row in rows]


def _pair(scores: list[float] | None) -> tuple[float, float] | None:
    return None if scores is None else (scores[0], scores[1])


def _trained_for(job: Job, header: Mapping[str, object]) -> dict[str, tuple[float, float] | None]:
    """What searches of the task have trained so far, by layout.

    Only those count that trained as this one does: in a folder that was there before, others may
    have had another backbone, other data or another length.
    """
    known: dict[str, tuple[float, float] | None] = {}
    for path in sorted(job.journal.parent.glob("*.jsonl")):
        first, *_ = read(path) or [{}]
        if all(first.get(name) == header[name] for name in TRAINING):
            known |= {trial.layout: trial.scores for trial in _trials_in(path)}
    return known


def _train(task: str, layout: Layout) -> tuple[float, float] | None:
    with closing(InProcessEngine(bench_of(task), 1)) as engine:
        ((_, card),) = in_turn(engine, [training_of(Run(layout, 0, SHORT))])
    if isinstance(card, NO_SCORE):
        return None
    if isinstance(card, Exception):
        raise card
    if card.test_score is None:
        raise ValueError(f"a final reads the test split; that of {layout.notation} did not")
    return card.score, card.test_score


def _random_sets(task: str) -> list[Trained]:
    """The tabled sets of several connections, trained as long with the first seed."""
    return [
        Trained(row.layout, row.validation, row.test)
        for row in rows_of_one_backbone(TABLE, None)
        if (row.task, row.epochs, row.replicate) == (task, SHORT.epochs, 0) and "+" in row.layout
    ]


def jobs_of(given: argparse.Namespace) -> Iterator[Job]:
    """The searches that are asked for, first those of the first seed.

    Raises:
        TableError: If a task or sampler is not one that this can search.
    """
    for option, known in (("tasks", TASKS), ("samplers", sorted(set(SAMPLERS) - NEED_SWITCHES))):
        for name in getattr(given, option):
            if name not in known:
                raise TableError(f"--{option} takes {', '.join(known)}; got {name!r}")
    check_counts(given, "seeds", "trials", "workers")
    for seed, task, sampler in itertools.product(range(given.seeds), given.tasks, given.samplers):
        yield Job(task, sampler, seed, given.trials, given.out)


def line_of(job: Job) -> str:
    """The best that a search has found."""
    best = best_of(job.trained)
    said = f"validation {best.validation:.4f}, test {best.test:.4f}" if best else "no score"
    return f"{job.task:16} {job.sampler:16} seed {job.seed}: {said}"


def main() -> None:
    """Search, print, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--tasks", nargs="+", action=Once, default=list(TASKS))
    usual = ["guided", "gradient-guided", "tpe", "random"]
    add("--samplers", nargs="+", action=Once, default=usual)
    add("--seeds", type=int, default=3, help="searches of each sampler")
    add("--trials", type=int, default=LOOKED_AT[-1], help="of each search")
    add("--workers", type=int, default=2, help="processes")
    add("--out", type=Path, default=OUT, help="folder of the page, open.md, and the journals")
    given = parser.parse_args()
    with plain_errors():
        jobs = list(jobs_of(given))
        with one_thread_pool(given.workers) as pool:
            for job in pool.imap_unordered(run, jobs):
                print(line_of(job), flush=True)
    command = shlex.join([
        *("python", "-m", "benchmarks.open_searches", "--tasks", *given.tasks),
        *("--samplers", *given.samplers, "--seeds", str(given.seeds)),
        *("--trials", str(given.trials), "--out", str(given.out)),
    ])  # fmt: skip
    outcomes = {
        (task, sampler): Outcome(
            tuple(job.trained for job in jobs if (job.task, job.sampler) == (task, sampler))
        )
        for task, sampler in itertools.product(given.tasks, given.samplers)
    }
    with plain_errors():
        text = page(outcomes, {task: _random_sets(task) for task in given.tasks}, command)
        print(text)
        write_whole(make_folder(given.out) / "open.md", text)


if __name__ == "__main__":
    main()
