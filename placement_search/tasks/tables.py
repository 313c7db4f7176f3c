"""Rows with columns read as a task: columns chosen, everything checked, splits cut."""

from collections.abc import Mapping, Sequence

from datasets import Dataset

from placement_search.tasks.checks import label_faults
from placement_search.tasks.column_table import declared_classes
from placement_search.tasks.columns import Columns, check_alike, choose_columns
from placement_search.tasks.contents import read_content
from placement_search.tasks.faults import refuse
from placement_search.tasks.label_column import LabelColumn, Labels
from placement_search.tasks.labels import is_hidden, read_labels
from placement_search.tasks.metrics import choose_metric
from placement_search.tasks.raw import RawSplit, RawTask
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.sources import Source, find_source
from placement_search.tasks.splitting import three_splits

Table = Mapping[str, Sequence[object]]
"""The values of each chosen column, as Python's own types."""


def read_tables(settings: DataSettings) -> RawTask:
    """The data set that is not embedded: of a file, a folder or the hub.

    Raises:
        TaskError: If it can't be found or read, or its rows break a rule; all of those at once.
    """
    source = find_source(settings)
    columns = choose_columns(source.splits["train"], settings)
    labelled, hidden_note = _without_hidden_test(source.splits, columns.label)
    check_alike(labelled, columns)
    tables = {split: _table(rows, columns) for split, rows in labelled.items()}
    labels = read_labels(_label_column(source, tables, columns.label), settings.target)
    given = _checked(source, tables, columns, labels)
    if hidden_note and "validation" in given:
        given["test"] = given.pop("validation")
    splits, cut_note = three_splits(given, settings.split_seed)
    return RawTask(
        name=source.name,
        target=labels.target,
        label_names=labels.names,
        metric=choose_metric(settings.metric, labels.target, labels.names, source.name),
        train=splits["train"],
        validation=splits["validation"],
        test=splits["test"],
        notes=(columns.note, *source.notes, *hidden_note, cut_note),
    )


def _without_hidden_test(
    splits: Mapping[str, Dataset], label: str
) -> tuple[dict[str, Dataset], tuple[str, ...]]:
    """The splits less a test split without labels, and a line about that."""
    kept = dict(splits)
    test = kept.get("test")
    if test is None or (label in test.features and not is_hidden(test.with_format(None)[label][:])):
        return kept, ()
    del kept["test"]
    cure = "the given validation split is the test" if "validation" in kept else "it is not used"
    return kept, (f"the given test split has no labels: {cure}",)


def _table(rows: Dataset, columns: Columns) -> Table:
    stored = rows.select_columns(columns.names).with_format("arrow")[:]
    return {name: stored.column(name).to_pylist() for name in columns.names}


def _label_column(source: Source, tables: Mapping[str, Table], label: str) -> LabelColumn:
    declared = declared_classes(source.splits["train"].features[label])
    return LabelColumn(label, declared, {split: each[label] for split, each in tables.items()})


def _checked(
    source: Source, tables: Mapping[str, Table], columns: Columns, labels: Labels
) -> dict[str, RawSplit]:
    """Texts or images with their labels, by split.

    Raises:
        TaskError: If any row breaks a rule; the message tells of all.
    """
    splits = {}
    faults = [*labels.faults, *label_faults(labels, columns.label)]
    for split, table in tables.items():
        content, found = read_content(table, columns, source.folder, split)
        faults += found
        splits[split] = RawSplit(content, labels.values[split])
    refuse(source.name, faults)
    return splits
