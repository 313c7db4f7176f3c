"""Which columns are read: those that the settings name, the others guessed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from datasets import Dataset

from placement_search.errors import TaskError
from placement_search.tasks.column_table import (
    ColumnTable,
    declared_classes,
    holds_codes,
    is_image,
    is_label,
    is_text,
    type_name,
)
from placement_search.tasks.guesses import guess_image, guess_label, guess_texts
from placement_search.tasks.settings import DataSettings

NOT_TYPED = "null"
"""The type of a column without any value."""


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that are read; either texts or an image.

    Args:
        label: Of the label.
        text: Of the text; None for images.
        text_pair: Of the second text, if texts are pairs.
        image: Of the image; None for texts.
        note: Tells the user which they are, and how that was found.
    """

    label: str
    text: str | None
    text_pair: str | None
    image: str | None
    note: str

    @property
    def names(self) -> list[str]:
        """All of them."""
        every = (self.label, self.text, self.text_pair, self.image)
        return [name for name in every if name is not None]


def choose_columns(rows: Dataset, settings: DataSettings) -> Columns:
    """The columns that the settings name, the others guessed.

    Raises:
        TaskError: If a named column is missing or of a wrong type, or a guess finds none or
            several, with all columns and their types in the message; or if one column is named
            for two things.
    """
    table = ColumnTable(rows.features)
    named = [settings.label, settings.text, settings.text_pair, settings.image]
    options = ["--label", "--text", "--text-pair", "--image"]
    for option, name in zip(options, named, strict=True):
        table.check_name(option, name)
    if settings.text_pair is not None and settings.text is None:
        raise TaskError("--text-pair names the second text; give --text for the first one, too")
    if settings.image is not None and settings.text is not None:
        raise TaskError("an example is a text or an image; give --text or --image, not both")
    label = settings.label or guess_label(table)
    cells = rows.data.table
    text, pair, image = _content(
        table.without(label), settings, lambda name: holds_codes(cells.column(name))
    )
    chosen = [label, text, pair, image]
    columns = Columns(label, text, pair, image, _note(chosen, named))
    _check_types(table, columns)
    _check_different(chosen, named, options)
    return columns


def check_alike(splits: Mapping[str, Dataset], columns: Columns) -> None:
    """Every split has rows and all columns, and labels that mean the same.

    Raises:
        TaskError: If not.
    """
    for split, rows in splits.items():
        lacking = [name for name in columns.names if name not in rows.features]
        if lacking:
            raise TaskError(
                f"every split needs the same columns, {split} lacks {', '.join(lacking)}; "
                f"{ColumnTable(rows.features)}"
            )
        if len(rows) == 0:
            raise TaskError(f"every split needs rows, {split} has none")
    features = {split: rows.features[columns.label] for split, rows in splits.items()}
    kinds = {split: type_name(feature) for split, feature in features.items()}
    classes = {declared_classes(f) for split, f in features.items() if kinds[split] != NOT_TYPED}
    if len({_family(kind) for kind in kinds.values()} - {NOT_TYPED}) > 1 or len(classes) > 1:
        shown = ", ".join(f"{kind} in {split}" for split, kind in kinds.items())
        raise TaskError(
            f"label column {columns.label!r} must be of one type, with the same classes in the "
            f"same order, in every split; got {shown}"
        )


def _family(kind: str) -> str:
    """A type's name; all numbers are one family, for ``1`` and ``1.0`` mean the same."""
    return "number" if kind.rstrip("0123456789") in {"int", "uint", "float"} else kind


def _content(
    table: ColumnTable, settings: DataSettings, is_code: Callable[[str], bool]
) -> tuple[str | None, str | None, str | None]:
    """Columns of text, second text and image."""
    if settings.text is not None:
        return settings.text, settings.text_pair, None
    image = settings.image or guess_image(table)
    if image is not None:
        return None, None, image
    return *guess_texts(table, is_code), None


def _check_different(
    chosen: Sequence[str | None], named: Sequence[str | None], options: Sequence[str]
) -> None:
    for name in dict.fromkeys(column for column in chosen if column is not None):
        uses = [
            option if asked else f"{option} (guessed)"
            for option, column, asked in zip(options, chosen, named, strict=True)
            if column == name
        ]
        if len(uses) > 1:
            raise TaskError(f"{' and '.join(uses)} need columns of their own, got {name!r} twice")


def _check_types(table: ColumnTable, columns: Columns) -> None:
    wanted = (
        ("--label", columns.label, is_label, "classes, numbers, strings, or lists of them"),
        ("--text", columns.text, is_text, "strings"),
        ("--text-pair", columns.text_pair, is_text, "strings"),
        ("--image", columns.image, is_image, "images, bytes, or paths of files"),
    )
    for option, name, holds, what in wanted:
        if name is not None and not table.is_kind(name, holds):
            raise TaskError(f"{option} needs a column of {what}, got {name!r}; {table}")


def _note(chosen: Sequence[str | None], named: Sequence[str | None]) -> str:
    roles = ("label", "text", "second text", "image")
    parts = [
        f"{role} {name!r}{'' if asked else ' (guessed)'}"
        for role, name, asked in zip(roles, chosen, named, strict=True)
        if name is not None
    ]
    return f"columns: {', '.join(parts)}"
