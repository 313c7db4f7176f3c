r"""Builds the tabular benchmark, or goes on where it stopped.

    python -m benchmarks.placements.build --workers 2 --seconds 3600

First the proxies that the benchmark's files lack are computed, then what is missing is trained.
Every training is a line of `runs/placements/TASK.jsonl` as soon as it has ended; when the time is
up, or with ``--pack``, the lines of the tasks asked for and what the table holds already become the
table anew. Another backbone or other data make a table of the same form, with its lines in a folder
beside it (`mine-journals` for `mine.parquet`); single connections alone take a part of the time:

    python -m benchmarks.placements.build --model PATH --data PATH/trec6 --train-size 400 \
        --singles --table mine.parquet --maps mine-maps.parquet
"""

import argparse
import itertools
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from benchmarks.journal import append
from benchmarks.placements.errors import TableError, check_counts, plain_errors
from benchmarks.placements.layout_maps import add_layout_scores, layout_maps_of
from benchmarks.placements.maps import MAPS, add_maps
from benchmarks.placements.protocol import TASKS, Run, stages
from benchmarks.placements.table import (
    TABLE,
    Owner,
    Row,
    journals_of,
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

SEED = 0
"""Of the benchmark, as a study has one; trainings derive theirs as trials do."""


class Builder:
    """Makes the missing rows of some tasks.

    Args:
        model: The backbone.
        data: Of each task.
        table: The table so far, if there is one.
        journals: Folder of the lines that are in no table yet.
        workers: Processes that train beside each other.

    Attributes:
        without_score: How many trainings gave none, and are missing.

    Raises:
        TableError: If two tasks have one name, or the table is of other examples.
        PlacementSearchError: If backbone or data are missing or do not fit together.
    """

    def __init__(
        self,
        model: ModelSettings,
        data: Sequence[DataSettings],
        table: Path,
        journals: Path,
        workers: int,
    ) -> None:
        names = names_of([each.data for each in data])
        self._model = model
        self._journals = journals
        self._workers = workers
        self.without_score = 0
        self._benches = {
            name: load_bench(model, each) for name, each in zip(names, data, strict=True)
        }
        self._owners = {
            name: _owner(name, self._benches[name], each)
            for name, each in zip(names, data, strict=True)
        }
        rows = read_rows(table)
        self._held = {
            name: owner.held([*rows, *read_journal(self._journal(name))])
            for name, owner in self._owners.items()
        }

    def map(
        self, path: Path, deadline: float, n_stages: int | None = None, *, anew: bool = False
    ) -> None:
        """Compute the proxies of connections and layouts that are lacking, or ``anew`` all.

        Args:
            path: The file of proxy maps; layouts' proxies have one beside it.
            deadline: When to stop scoring layouts, by the monotonic clock.
            n_stages: Stages whose layouts are scored; None for all.
            anew: Whether those that the files hold are computed too.
        """
        benches = {owner: self._benches[name] for name, owner in self._owners.items()}
        done = add_maps(benches, path, SEED, anew=anew)
        print(f"{path}: maps of {', '.join(done) or 'no task'} computed, the others are held")
        runs = itertools.chain(*islice(stages(self._n_nodes), n_stages))
        layouts = dict.fromkeys(run.layout for run in runs)
        done = add_layout_scores(benches, layouts, path, SEED, anew=anew, deadline=deadline)
        print(f"{layout_maps_of(path)}: scores of {', '.join(done) or 'no task'} computed")

    @property
    def _n_nodes(self) -> int:
        return next(iter(self._benches.values())).backbone.n_nodes

    def run(self, deadline: float, n_stages: int | None = None) -> bool:
        """Train what is missing of the first stages until ``deadline``; whether all was tried."""
        for number, runs in enumerate(islice(stages(self._n_nodes), n_stages)):
            for task in self._benches:
                missing = self.missing(task, runs)
                if missing and not self._train(task, number, missing, deadline):
                    return False
        return True

    def missing(self, task: str, runs: Sequence[Run]) -> list[Run]:
        """The runs that neither table nor journal holds of a task and this backbone."""
        key = self._owners[task].key
        return [run for run in runs if key(run) not in self._held[task]]

    def _journal(self, task: str) -> Path:
        return self._journals / f"{task}.jsonl"

    def _train(self, task: str, stage: int, runs: Sequence[Run], deadline: float) -> bool:
        bench = self._benches[task]
        requests = [training_of(run) for run in runs]
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
            self.without_score += 1
            print(f"{task}: {run.layout.notation} gave no score: {outcome}")
            return
        row = Row.of(self._owners[task], run, outcome)
        self._held[task].add(row.key)
        append(self._journal(task), asdict(row))


def training_of(run: Run) -> Evaluation:
    """How a run of the table is trained."""
    seed = derive_seed(SEED, run.layout.id, run.replicate)
    return Evaluation(run.layout, seed, run.plan, is_final=True)


def names_of(data: Sequence[str]) -> list[str]:
    """What rows call each task: the last part of where its data lie.

    Raises:
        TableError: If two would have one name.
    """
    names = [Path(each).name or Path(each).resolve().name for each in data]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(
            f"rows call a task by the name of its data's folder, and --data has {twice[0]!r} "
            "twice; build two tables, or rename a folder"
        )
    return names


def _owner(name: str, bench: Workbench, data: DataSettings) -> Owner:
    is_whole = data.train_size is None and data.validation_size is None
    return Owner(name, bench.backbone.facts.fingerprint, bench.task.fingerprint, is_whole)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--model", default=ModelSettings().model, help="backbone")
    add("--dtype", default=ModelSettings().dtype, help="of the backbone: float32 or bfloat16")
    add("--data", nargs="+", default=list(TASKS), help="tasks, as search takes")
    add("--train-size", type=int, help="most training examples of each task, e.g. 400")
    add("--validation-size", type=int, help="most validation examples of each task, e.g. 400")
    add("--stages", type=int, metavar="N", help="train the first N stages alone")
    add("--singles", dest="stages", action="store_const", const=1,
        help="train single connections alone, once and short: the first stage")  # fmt: skip
    add("--table", type=Path, default=TABLE, help="Parquet file of the table")
    add(
        "--maps",
        type=Path,
        default=MAPS,
        help="Parquet file of the proxy maps, beside layouts' proxies",
    )
    add("--maps-anew", action="store_true", help="compute proxies that the files hold once more")
    add("--journals", type=Path, help="folder of new rows, by default one for each table")
    add("--workers", type=int, default=2, help="processes beside each other")
    add("--seconds", type=float, default=float("inf"), help="stop after so long")
    add("--pack", action="store_true", help="train nothing, write the table")
    return parser


def build(given: argparse.Namespace) -> str:
    """Train what is missing, as far as asked, and pack; says what the table then holds."""
    if given.maps_anew and given.seconds < float("inf"):
        raise TableError("--maps-anew begins from the first layout, so it takes no --seconds")
    names = names_of(given.data)
    journals = given.journals or journals_of(given.table)
    if not given.pack:
        sizes = {"train_size": given.train_size, "validation_size": given.validation_size}
        data = [DataSettings(data=each, **sizes) for each in given.data]
        model = ModelSettings(model=given.model, dtype=given.dtype)
        builder = Builder(model, data, given.table, journals, given.workers)
        deadline = time.monotonic() + given.seconds
        builder.map(given.maps, deadline, given.stages, anew=given.maps_anew)
        is_whole = builder.run(deadline, given.stages)
        print(said_of(builder.without_score, was_all_tried=is_whole))
    return pack(journals, given.table, names)


def said_of(without_score: int, *, was_all_tried: bool) -> str:
    """How a build ended.

    Args:
        without_score: Trainings that gave none.
        was_all_tried: Whether it came to the end of what was asked.
    """
    if not without_score:
        return "all of it is trained" if was_all_tried else "stopped; the same command goes on"
    ended = "all of it was tried" if was_all_tried else "stopped; the same command goes on"
    return (
        f"{ended}, and {without_score} of the trainings gave no score and are missing; the same "
        "command tries them again"
    )


def main() -> None:
    """Build, pack and say what there is."""
    given = _parser().parse_args()
    with plain_errors():
        _check(given)
        print(build(given))


def _check(given: argparse.Namespace) -> None:
    """Check what would mix a user's rows or maps with the shipped ones, and small numbers.

    Raises:
        TableError: If it does.
    """
    is_shipped = [
        path.resolve() == shipped.resolve()
        for path, shipped in ((given.table, TABLE), (given.maps, MAPS))
    ]
    if any(is_shipped) and not all(is_shipped) and not given.pack:
        raise TableError(
            "a table and its maps go together, and one of them is the shipped one: "
            f"got --table {given.table} with --maps {given.maps}; name both or neither"
        )
    check_counts(given, "workers", "stages")


if __name__ == "__main__":
    main()
