r"""Builds the tabular benchmark, or goes on where it stopped.

    python -m benchmarks.placements.build --workers 2 --seconds 3600

Every training is a line of `runs/placements/TASK.jsonl` as soon as it has ended; when the time is
up, or with ``--pack``, all lines and what the table holds already become the table anew. Another
backbone or other data make a table of the same form:

    python -m benchmarks.placements.build --model PATH --data DATA --table my-table.parquet \
        --maps my-maps.parquet
"""

import argparse
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

from benchmarks.journal import append
from benchmarks.placements.maps import MAPS, add_maps
from benchmarks.placements.protocol import TASKS, Run, stages
from benchmarks.placements.table import (
    TABLE,
    Row,
    pack,
    read_journal,
    read_rows,
)
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.in_process import InProcessEngine
from placement_search.engine.in_turn import NO_SCORE, in_turn
from placement_search.engine.local_processes import LocalProcesses
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Workbench
from placement_search.study.search import load_bench
from placement_search.study.seeds import derive_seed
from placement_search.tasks.settings import DataSettings

JOURNALS = Path("runs/placements")
SEED = 0
"""Of the benchmark, as a study has one; trainings derive theirs as trials do."""


class Builder:
    """Makes the missing rows of some tasks.

    Args:
        model: The backbone.
        tasks: Data, by the name that rows call them.
        table: The table so far, if there is one.
        journals: Folder of the lines that are in no table yet.
        workers: Processes that train beside each other.
    """

    def __init__(
        self, model: str, tasks: Sequence[str], table: Path, journals: Path, workers: int
    ) -> None:
        self._model = ModelSettings(model=model)
        self._tasks = tasks
        self._journals = journals
        self._workers = workers
        held = read_rows(table)
        self._held = {
            task: {row.key for row in held if row.task == task}
            | {row.key for row in read_journal(self._journal(task))}
            for task in tasks
        }
        self._benches: dict[str, Workbench] = {}

    def _journal(self, task: str) -> Path:
        return self._journals / f"{Path(task).name}.jsonl"

    def _bench(self, task: str) -> Workbench:
        if task not in self._benches:
            self._benches[task] = load_bench(self._model, DataSettings(data=task))
        return self._benches[task]

    def map(self, path: Path) -> None:
        """Compute the proxy maps of all tasks."""
        add_maps({task: self._bench(task) for task in self._tasks}, path, SEED)

    def run(self, deadline: float) -> bool:
        """Train what is missing until ``deadline``; whether all of it is there."""
        n_nodes = self._bench(self._tasks[0]).backbone.n_nodes
        for number, runs in enumerate(stages(n_nodes)):
            for task in self._tasks:
                missing = [run for run in runs if run.key not in self._held[task]]
                if missing and not self._train(task, number, missing, deadline):
                    return False
        return True

    def _train(self, task: str, stage: int, runs: Sequence[Run], deadline: float) -> bool:
        bench = self._bench(task)
        requests = [
            Evaluation(
                run.layout,
                derive_seed(SEED, run.layout.id, run.replicate),
                run.plan,
                is_final=True,
            )
            for run in runs
        ]
        started, n_done = time.perf_counter(), 0
        with closing(self._engine(bench)) as engine:
            for index, outcome in in_turn(engine, requests):
                n_done += 1
                self._keep(task, runs[index], outcome)
                if n_done % 50 == 0 or n_done == len(runs):
                    rate = (time.perf_counter() - started) / n_done
                    print(f"stage {stage} of {task}: {n_done}/{len(runs)}, {rate:.2f} s each")
                if time.monotonic() > deadline:
                    return False
        return True

    def _engine(self, bench: Workbench) -> InProcessEngine | LocalProcesses:
        if self._workers == 1:
            return InProcessEngine(bench, 1)
        return LocalProcesses(bench, self._model, self._workers, 1)

    def _keep(self, task: str, run: Run, outcome: ScoreCard | Exception) -> None:
        if isinstance(outcome, Exception):
            if not isinstance(outcome, NO_SCORE):
                raise outcome
            print(f"{task}: {run.layout.notation} gave no score: {outcome}")
            return
        self._held[task].add(run.key)
        append(self._journal(task), asdict(Row.of(task, run, outcome)))


def main() -> None:
    """Build, pack and say what there is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default=ModelSettings().model, help="backbone")
    parser.add_argument("--data", nargs="+", default=list(TASKS), help="tasks, as search takes")
    parser.add_argument("--table", type=Path, default=TABLE, help="Parquet file of the table")
    parser.add_argument("--maps", type=Path, default=MAPS, help="Parquet file of the proxy maps")
    parser.add_argument("--journals", type=Path, default=JOURNALS, help="folder of new rows")
    parser.add_argument("--workers", type=int, default=2, help="processes beside each other")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after so long")
    parser.add_argument("--pack", action="store_true", help="train nothing, write the table")
    given = parser.parse_args()
    if not given.pack:
        builder = Builder(given.model, given.data, given.table, given.journals, given.workers)
        builder.map(given.maps)
        is_whole = builder.run(time.monotonic() + given.seconds)
        print("the table is whole" if is_whole else "stopped; the same command goes on")
    print(pack(given.journals, given.table))


if __name__ == "__main__":
    main()
