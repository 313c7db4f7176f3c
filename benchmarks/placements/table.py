"""The rows of the tabular benchmark, as a Parquet file and as journals of what is new."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Protocol

from benchmarks.journal import read
from benchmarks.placements.errors import TableError
from benchmarks.placements.parquet import missing_columns, read_parquet, write_parquet
from benchmarks.placements.protocol import Run
from placement_search.evaluation.score_card import ScoreCard

TABLE = Path(__file__).parent / "table.parquet"
JOURNALS = Path("runs/placements")
"""Folder of the shipped table's journals."""
EMBEDDED_BACKBONE = "dfde8412a6b68d55"
"""Fingerprint of the embedded backbone, which rows without one are of."""
UNKNOWN_DATA = ""
"""Data of rows from before they had a fingerprint: an embedded task with all its examples."""
Key = tuple[str, str, str, int, int]
"""Task, backbone, layout's id, replicate and epochs."""


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
        backbone: Its fingerprint, as layout files hold it.
        data: Fingerprint of the task's examples; see `UNKNOWN_DATA`.
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
    backbone: str = EMBEDDED_BACKBONE
    data: str = UNKNOWN_DATA

    @classmethod
    def of(cls, owner: "Owner", run: Run, card: ScoreCard) -> "Row":
        """The row of a training."""
        if card.test_score is None:
            raise ValueError("rows hold test scores")
        return cls(
            task=owner.task,
            layout=run.layout.notation,
            layout_id=run.layout.id,
            replicate=run.replicate,
            epochs=run.plan.epochs,
            validation=card.score,
            test=card.test_score,
            n_parameters=card.costs.n_adapter_parameters,
            flops_factor=round(card.costs.flops_factor, 4),
            seconds=round(card.train_seconds, 3),
            backbone=owner.backbone,
            data=owner.data,
        )

    @property
    def key(self) -> Key:
        """What it is known by within a table."""
        return self.task, self.backbone, self.layout_id, self.replicate, self.epochs


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose trainings some rows are.

    Args:
        task: The task's name.
        backbone: Fingerprint of the backbone.
        data: Fingerprint of the examples.
        is_whole: Whether those are all that the task has.
    """

    task: str
    backbone: str
    data: str
    is_whole: bool = True

    def key(self, run: Run) -> Key:
        """What the row of a run is known by."""
        return self.task, self.backbone, *run.key

    def held(self, rows: Sequence[Row]) -> set[Key]:
        """Keys of the rows that are its own.

        Raises:
            TableError: If some of this task and backbone were made from other examples.
        """
        own = [row for row in rows if (row.task, row.backbone) == (self.task, self.backbone)]
        self.check({row.data for row in own}, "trainings", "--table")
        return {row.key for row in own}

    def check(self, found: set[str], what: str, option: str) -> None:
        """Check that what is held of task and backbone was made from the same examples.

        Args:
            found: Fingerprints of the examples.
            what: Was made from them.
            option: Takes another file.

        Raises:
            TableError: If it was not.
        """
        others = found - {self.data} - ({UNKNOWN_DATA} if self.is_whole else set())
        if others:
            shown = " and ".join(sorted(each or "all examples" for each in others))
            raise TableError(
                f"one file holds {what} of one version of a task: those of {self.task!r} are of "
                f"{shown}, the data asked for are {self.data}; name another file by {option}, or "
                "ask for the same data and sizes"
            )


class Made(Protocol):
    """What was made from a task's examples on a backbone."""

    @property
    def task(self) -> str:
        """The task's name."""

    @property
    def backbone(self) -> str:
        """Fingerprint of the backbone."""

    @property
    def data(self) -> str:
        """Fingerprint of the examples."""


def check_same_data(rows: Sequence[Row], held: Sequence[Made], path: Path) -> None:
    """Check that what a file holds of a table's tasks was made from the table's examples.

    Raises:
        TableError: If a task's was not.
    """
    trained = _data_of(rows)
    mapped = _data_of([each for each in held if (each.task, each.backbone) in trained])
    for (task, backbone), data in mapped.items():
        others = data - trained[task, backbone]
        if others:
            raise TableError(
                f"a table's proxy maps are of the data that it was trained on: {path} has those of "
                f"{task!r} of {_shown(others)}, the table's trainings are of "
                f"{_shown(trained[task, backbone])}; name the table's own maps by --maps"
            )


def _data_of(rows: Sequence[Made]) -> dict[tuple[str, str], set[str]]:
    """Fingerprints of the examples, by task and backbone."""
    found: dict[tuple[str, str], set[str]] = {}
    for row in rows:
        found.setdefault((row.task, row.backbone), set()).add(row.data)
    return found


def _shown(data: set[str]) -> str:
    return " and ".join(sorted(each or "all examples" for each in data))


def journals_of(table: Path) -> Path:
    """The folder of a table's journals: beside it, and by its name, but for the shipped one."""
    if table.resolve() == TABLE.resolve():
        return JOURNALS
    return table.with_name(f"{table.stem}-journals")


def read_journal(journal: Path) -> list[Row]:
    """The rows of a journal."""
    return [_row(line) for line in read(journal)]


def read_rows(table: Path = TABLE) -> list[Row]:
    """The rows of a table; none where there is no such file.

    Raises:
        TableError: If the file holds something else, or a part of a table.
    """
    try:
        return [_row(row) for row in read_parquet(table, "--table")]
    except TypeError as error:
        raise missing_columns(table, "--table", error) from error


def pack(journals: Path, table: Path = TABLE, tasks: Sequence[str] | None = None) -> str:
    """Join a table with journals, and say what it then holds.

    Args:
        journals: Their folder.
        table: Is written anew.
        tasks: Whose journals; None for all that the folder has.
    """
    rows = {row.key: row for row in read_rows(table)}
    names = sorted(path.stem for path in journals.glob("*.jsonl")) if tasks is None else tasks
    for name in names:
        rows |= {row.key: row for row in read_journal(journals / f"{name}.jsonl")}
    if not rows:
        return f"{table}: not written, nothing is trained yet"
    _write([rows[key] for key in sorted(rows)], table)
    counts = Counter((row.task, row.epochs) for row in rows.values())
    held = "; ".join(f"{task} {n} of {epochs} epochs" for (task, epochs), n in counts.items())
    return f"{table}: {len(rows)} trainings ({held})"


def rows_of_one_backbone(table: Path, backbone: str | None = None) -> list[Row]:
    """The rows of one backbone in a table.

    Args:
        table: Where they are.
        backbone: Its fingerprint; None for the only one that the table has.

    Raises:
        TableError: If there is no such table, it has several backbones, or not this one.
    """
    rows = read_rows(table)
    known = sorted({row.backbone for row in rows})
    if not known:
        raise TableError(
            f"--table takes a table with trainings, got {table}, which has none; "
            "python -m benchmarks.placements.build makes one"
        )
    if backbone is None and len(known) > 1:
        raise TableError(
            f"one backbone is looked at at a time, and {table} has several; "
            f"choose one by --backbone: {', '.join(known)}"
        )
    chosen = known[0] if backbone is None else backbone
    if chosen not in known:
        raise TableError(
            f"--backbone takes the fingerprint of a backbone that {table} has: "
            f"{', '.join(known)}; got {chosen!r}"
        )
    return [row for row in rows if row.backbone == chosen]


def _write(rows: Sequence[Row], table: Path) -> None:
    columns = {field.name: [getattr(row, field.name) for row in rows] for field in fields(Row)}
    write_parquet(columns, table)


def _row(values: dict[str, object]) -> Row:
    """A row; what it was written without is as it then was."""
    known = {field.name: values[field.name] for field in fields(Row) if field.name in values}
    return Row(**known)  # type: ignore[arg-type]
