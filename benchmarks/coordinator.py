"""What a study costs beside its evaluations: the coordinator's time and the storage's bytes.

    python -m benchmarks.coordinator [--trials 1000] [--sampler tpe|random] [--concurrency 4]

Evaluations are a formula, so all that is left is proposing, judging and writing: the extended space
on the 25 nodes of the embedded backbone, four epochs a trial, a real SQLite file. The engine's own
time is left out. Times are the processor's, which other processes disturb little, but for the
column "waited", which has the clock's. The share is that of a study whose trials take a second
each, one after another.
"""

import argparse
import sqlite3
import tempfile
import time
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import ParamSpec, TypeVar

import optuna

from placement_search.engine.engine import Event, Finished, Reported
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import Costs, ScoreCard
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.file import read_space
from placement_search.space.search_space import bind_space
from placement_search.study.baselines import make_baselines
from placement_search.study.coordinator import Coordinator, TrialSetup
from placement_search.study.ledger import Ledger
from placement_search.study.progress import Silence
from placement_search.study.pruners import PRUNERS
from placement_search.study.pruners.judge import Judge
from placement_search.study.samplers import SAMPLERS
from placement_search.study.samplers.proposer import Proposer
from placement_search.study.search_budget import SearchBudget
from placement_search.study.storage import open_storage, quiet_optuna

P = ParamSpec("P")
R = TypeVar("R")

N_NODES, WIDTH = 25, 64
BOUNDS = (100, 300, 1000, 2000, 3000, 5000, 7000, 10_000)
PARTS: dict[str, tuple[type, tuple[str, ...]]] = {
    "sampler": (Proposer, ("propose",)),
    "storage": (Ledger, ("queue", "take", "start", "report", "complete", "prune")),
    "pruner": (Judge, ("begin", "is_hopeless")),
}


class FormulaEngine:
    """Scores layouts at once by a formula; their scores rise over the epochs."""

    def __init__(self) -> None:
        self._left: deque[tuple[int, Evaluation, int]] = deque()

    def start(self, ticket: int, request: Evaluation) -> None:
        """See `Engine`."""
        self._left.append((ticket, request, 1))

    def events(self) -> Sequence[Event]:
        """See `Engine`; trials go on by turns."""
        ticket, request, epoch = self._left.popleft()
        final = zlib.crc32(request.layout.id.encode()) % 10_000 / 10_000
        history = tuple(final * n / request.plan.epochs for n in range(1, request.plan.epochs + 1))
        reported = Reported(ticket, epoch, history[epoch - 1], 0.25 * epoch, 13 * epoch)
        if epoch < request.plan.epochs:
            self._left.append((ticket, request, epoch + 1))
            return [reported]
        costs = Costs(5000, 650, 22_600, 20_000_000, 1.01)
        card = ScoreCard(final, history, None, request.seed, 52, 1.0, costs)
        return [reported, Finished(ticket, card)]

    def stop(self, ticket: int) -> None:
        """See `Engine`."""
        self._left = deque(entry for entry in self._left if entry[0] != ticket)

    def run_fully(self, plan: TrainingPlan, seed: int, *, is_final: bool) -> ScoreCard:
        """See `Engine`; not asked for here."""
        raise NotImplementedError

    def close(self) -> None:
        """See `Engine`."""


class Watch(Silence):
    """Adds up seconds by part, and notes how they stood at each bound."""

    def __init__(self, database: Path) -> None:
        self.seconds = dict.fromkeys([*PARTS, "engine"], 0.0)
        self.at_bound: dict[int, tuple[dict[str, float], int]] = {}
        self._database = database
        self._n_done = 0
        self._started = time.process_time()
        self._began = time.perf_counter()

    def timed(self, part: str, method: Callable[P, R]) -> Callable[P, R]:
        """The same method, with its time added to a part's."""

        def timed_method(*args: P.args, **kwargs: P.kwargs) -> R:
            started = time.process_time()
            try:
                return method(*args, **kwargs)
            finally:
                self.seconds[part] += time.process_time() - started

        return timed_method

    def advance(self, line: str) -> None:  # noqa: ARG002 - the protocol's
        """See `Progress`."""
        self._n_done += 1
        if self._n_done in BOUNDS:
            self.note(self._n_done)

    def note(self, n_done: int) -> None:
        """Keep how things stand."""
        total = time.process_time() - self._started - self.seconds["engine"]
        waited = time.perf_counter() - self._began
        noted = {**self.seconds, "total": total, "waited": waited}
        self.at_bound[n_done] = (noted, size(self._database))


def size(database: Path) -> int:
    """Bytes of the database once its log is written back."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
    return database.stat().st_size


def main() -> None:
    """Print a Markdown table, a line for each bound."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--sampler", choices=sorted(SAMPLERS), default="tpe")
    parser.add_argument("--pruner", choices=sorted(PRUNERS), default="median")
    parser.add_argument("--concurrency", type=int, default=4)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, quiet_optuna():
        watch = run(arguments, Path(folder) / "study.db")
    print("| trials | ms each | sampler | storage | pruner | rest | waited | of 1 s | bytes each |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    before, bytes_before = 0, 0
    seconds_before: dict[str, float] = {}
    for n_done, (seconds, n_bytes) in watch.at_bound.items():
        n = n_done - before
        each = {part: (seconds[part] - seconds_before.get(part, 0.0)) / n * 1e3 for part in seconds}
        parts = [each[part] for part in PARTS]
        columns = [each["total"], *parts, each["total"] - sum(parts), each["waited"]]
        print(
            f"| {before + 1} to {n_done} | {' | '.join(f'{ms:.2f}' for ms in columns)} "
            f"| {each['total'] / 10:.2f} % | {(n_bytes - bytes_before) / n:.0f} |"
        )
        before, seconds_before, bytes_before = n_done, seconds, n_bytes


def run(arguments: argparse.Namespace, database: Path) -> Watch:
    """A whole study, watched."""
    space = bind_space(
        read_space("extended"), MODULE_TYPES, n_nodes=N_NODES, places=Places(WIDTH), budget=Budget()
    )
    study = optuna.create_study(
        study_name="benchmark",
        storage=open_storage(f"sqlite:///{database}", must_exist=False),
        direction="maximize",
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    setup = TrialSetup(
        space, make_baselines(space, N_NODES, 4, 0), TrainingPlan(), 0,
        arguments.sampler, arguments.pruner, arguments.concurrency,
    )  # fmt: skip
    watch = Watch(database)
    for part, (owner, methods) in {**PARTS, "engine": (FormulaEngine, ("start", "events"))}.items():
        for method in methods:
            setattr(owner, method, watch.timed(part, getattr(owner, method)))
    Coordinator(study, setup, FormulaEngine(), watch).run(SearchBudget(arguments.trials))
    if arguments.trials not in BOUNDS:
        watch.note(arguments.trials)
    return watch


if __name__ == "__main__":
    main()
