"""The rows of the tabular benchmark, as a Parquet file and as journals of what is new."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.journal import read
from benchmarks.placements.protocol import Run
from placement_search.evaluation.score_card import ScoreCard

TABLE = Path(__file__).parent / "table.parquet"


@dataclass(frozen=True, slots=True)
class Row:
    """One training.

    Args:
        task: Which data.
        layout: Notation.
        layout_id: Its id.
        replicate: Which seed, from 0.
        epochs: How long it was trained.
        validation: Score on the validation split at the end.
        test: Score on the test split.
        n_parameters: Trainable parameters of the adapters.
        flops_factor: Operations of one pass against the bare backbone's.
        seconds: Wall-clock time of training and validation, on a shared machine.
    """

    task: str
    layout: str
    layout_id: str
    replicate: int
    epochs: int
    validation: float
    test: float
    n_parameters: int
    flops_factor: float
    seconds: float

    @classmethod
    def of(cls, task: str, run: Run, card: ScoreCard) -> "Row":
        """The row of a training."""
        if card.test_score is None:
            raise ValueError("rows hold test scores")
        return cls(
            task=task,
            layout=run.layout.notation,
            layout_id=run.layout.id,
            replicate=run.replicate,
            epochs=run.plan.epochs,
            validation=card.score,
            test=card.test_score,
            n_parameters=card.costs.n_adapter_parameters,
            flops_factor=round(card.costs.flops_factor, 4),
            seconds=round(card.train_seconds, 3),
        )

    @property
    def key(self) -> tuple[str, int, int]:
        """What it is known by within a task; see `Run`."""
        return self.layout_id, self.replicate, self.epochs


def read_journal(journal: Path) -> list[Row]:
    """The rows of a journal."""
    return [_row(line) for line in read(journal)]


def read_rows(table: Path = TABLE) -> list[Row]:
    """The rows of a table; none where there is no such file."""
    return [_row(row) for row in pq.read_table(table).to_pylist()] if table.is_file() else []


def pack(journals: Path, table: Path = TABLE) -> str:
    """Join a table with all journals of a folder, and say what it then holds."""
    rows = {(row.task, *row.key): row for row in read_rows(table)}
    for journal in sorted(journals.glob("*.jsonl")):
        rows |= {(row.task, *row.key): row for row in read_journal(journal)}
    _write([rows[key] for key in sorted(rows)], table)
    counts: dict[tuple[str, int], int] = {}
    for row in rows.values():
        counts[row.task, row.epochs] = counts.get((row.task, row.epochs), 0) + 1
    held = "; ".join(f"{task} {n} of {epochs} epochs" for (task, epochs), n in counts.items())
    return f"{table}: {len(rows)} trainings ({held})"


def _write(rows: Sequence[Row], table: Path) -> None:
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in fields(Row)}
    pq.write_table(pa.table(columns), table, compression="zstd")


def _row(values: dict[str, object]) -> Row:
    return Row(**{field.name: values[field.name] for field in fields(Row)})  # type: ignore[arg-type]
