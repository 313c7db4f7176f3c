"""The columns of a data set by name, with their types."""

from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from datasets import ClassLabel, Features, Image, LargeList, List

from placement_search.errors import TaskError, did_you_mean

Holds = Callable[[pa.DataType], bool]
"""Whether an Arrow type is of a kind."""


class ColumnTable:
    """Columns by name; as text, what a message says of them.

    Args:
        features: What the data set says about each of them.
    """

    def __init__(self, features: Features) -> None:
        self.features = features
        self._schema = features.arrow_schema

    def without(self, name: str) -> "ColumnTable":
        """All columns but one."""
        return ColumnTable(Features({n: f for n, f in self.features.items() if n != name}))

    def named(self, wanted: Sequence[str]) -> list[str]:
        """Columns of these names, upper case or lower, in the order of ``wanted``."""
        by_name = {name.lower(): name for name in self.features}
        return [by_name[name] for name in wanted if name in by_name]

    def where(self, holds: Holds) -> list[str]:
        """Columns of a kind."""
        return [name for name in self.features if self.is_kind(name, holds)]

    def is_kind(self, name: str, holds: Holds) -> bool:
        """Whether a column is of a kind."""
        return holds(self._schema.field(name).type)

    def check_name(self, option: str, name: str | None) -> None:
        """A name that a user gave is that of a column.

        Raises:
            TaskError: If not; the message names the nearest one and lists all.
        """
        if name is not None and name not in self.features:
            raise TaskError(
                f"{option} names a column, got {name!r}{did_you_mean(name, self.features)}; {self}"
            )

    def __str__(self) -> str:
        """All columns with their types."""
        listed = ", ".join(f"{name} ({type_name(f)})" for name, f in self.features.items())
        return f"the columns are {listed}"


def type_name(feature: object) -> str:
    """How a message calls a column's type."""
    if isinstance(feature, ClassLabel):
        return f"{len(feature.names)} classes"
    if isinstance(feature, Image):
        return "image"
    if isinstance(feature, List | LargeList):
        return f"list of {type_name(feature.feature)}"
    return str(getattr(feature, "dtype", feature))


def declared_classes(feature: object) -> tuple[str, ...] | None:
    """Names of the classes that a column, or the lists in it, declares; None if it does not."""
    inner = feature.feature if isinstance(feature, List | LargeList) else feature
    return tuple(inner.names) if isinstance(inner, ClassLabel) else None


def is_text(kind: pa.DataType) -> bool:
    """Whether a type is that of texts."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


CODE = r"^\s*([+-]?\d+(\.\d*)?|0[xX][0-9a-fA-F]+|(?i:true|false))\s*$"
"""A number or a truth value, as ids and flags are written."""


def holds_codes(cells: pa.ChunkedArray) -> bool:
    """Whether strings are numbers or truth values alone, such as ids like ``0001``."""
    known = cells.drop_null()
    return len(known) > 0 and bool(pc.all(pc.match_substring_regex(known, CODE)).as_py())


def is_image(kind: pa.DataType) -> bool:
    """Whether a type can be that of images: bytes, paths, or both as the hub stores them."""
    is_bytes = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    is_file = pa.types.is_struct(kind) and {"bytes", "path"} <= {field.name for field in kind}
    return bool(is_bytes or is_file or is_text(kind))


def is_label(kind: pa.DataType) -> bool:
    """Whether a type can be that of labels: numbers, booleans, strings, or lists of them."""
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
    return bool(is_number or is_text(kind) or pa.types.is_null(kind))
