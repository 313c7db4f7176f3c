"""One file of rows, read into memory; nothing is cached on disk."""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.ipc
import pyarrow.parquet
from datasets import Dataset

from placement_search.errors import TaskError

UNKNOWN = (
    pa.ArrowException, ValueError, TypeError, KeyError, AttributeError, NotImplementedError,
)  # fmt: skip
"""What the datasets library raises on a table that it can't represent."""
LARGEST_BLOCK = 2**31 - 1
"""Bytes of a text file that are parsed at once."""
LARGEST_EXACT = 2**53
"""Up to it floating-point numbers tell whole numbers apart."""


def read_file(path: Path) -> Dataset:
    """The rows of a file, with what its metadata says about classes and images.

    Texts stay as they are: a text that reads ``NA`` or ``null`` is a text.

    Raises:
        TaskError: If it can't be read as what its name promises, or holds no rows.
    """
    try:
        table = READERS[path.suffix.lower()](path)
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise TaskError(f"{path} can't be read: {error}") from error
    repeated = sorted({name for name in table.column_names if table.column_names.count(name) > 1})
    if repeated:
        raise TaskError(f"columns need names of their own, {path} repeats {', '.join(repeated)}")
    if table.num_rows == 0:
        raise TaskError(f"{path} holds no rows")
    try:
        plain = _plain(table)
    except pa.ArrowException as error:
        raise TaskError(f"{path} holds categories that can't be read: {error}") from error
    return _rows(plain, path)


def _plain(table: pa.Table) -> pa.Table:
    """The same with dictionaries, as pandas writes categories, spelled out, and views as texts."""
    for index, field in enumerate(table.schema):
        is_listed = pa.types.is_dictionary(field.type)
        wanted = field.type.value_type if is_listed else field.type
        if pa.types.is_string_view(wanted):
            wanted = pa.string()
        elif pa.types.is_binary_view(wanted):
            wanted = pa.binary()
        if wanted != field.type:
            column = table.column(index)
            if is_listed:  # Arrow takes no categories of views
                column = pa.chunked_array(
                    [
                        pa.DictionaryArray.from_arrays(each.indices, each.dictionary.cast(wanted))
                        for each in column.chunks
                    ],
                    pa.dictionary(field.type.index_type, wanted),
                )
            table = table.set_column(index, field.name, column.cast(wanted))
    return table


def _rows(table: pa.Table, path: Path) -> Dataset:
    """The table as the datasets library has it, which does not know all types of columns."""
    try:
        return Dataset(table)
    except UNKNOWN as error:
        bare = table.replace_schema_metadata(None)
        odd = [f"{f.name} ({f.type})" for f in table.schema if not _is_known(bare, f.name)]
        if odd:
            raise TaskError(
                f"{path} holds columns of types that can't be read: {', '.join(odd)}; write it "
                "without them"
            ) from error
        raise TaskError(
            f"{path} says in its metadata what can't be read ({error}); write it without metadata"
        ) from error


def _is_known(table: pa.Table, name: str) -> bool:
    try:
        Dataset(table.select([name]))
    except UNKNOWN:
        return False
    return True


def _parquet(path: Path) -> pa.Table:
    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read()


def _csv(path: Path, delimiter: str = ",", *, is_quoted: bool = True) -> pa.Table:
    options = pyarrow.csv.ParseOptions(
        delimiter=delimiter,
        quote_char='"' if is_quoted else False,
        newlines_in_values=is_quoted,
    )
    # A row has to lie in one block, and types are those of the first one.
    block = min(path.stat().st_size + 1, LARGEST_BLOCK)
    whole = pyarrow.csv.ReadOptions(block_size=block)
    table = pyarrow.csv.read_csv(path, read_options=whole, parse_options=options)
    table = _exact(table, path, whole, options)
    for field in table.schema:
        if pa.types.is_binary(field.type):
            raise ValueError(f"column {field.name!r} is not in UTF-8")
    return table


def _exact(
    table: pa.Table,
    path: Path,
    whole: pyarrow.csv.ReadOptions,
    options: pyarrow.csv.ParseOptions,
) -> pa.Table:
    """The same with columns as texts where Arrow's numbers or booleans are not what stands there.

    Such are whole numbers that no type holds, as long ids, and cells like ``01`` beside ``1``.
    """
    names = table.column_names
    doubtful = [
        name for name, column in zip(names, table.columns, strict=True) if _is_doubtful(column)
    ]
    if not doubtful or len(set(names)) < len(names):
        return table
    convert = pyarrow.csv.ConvertOptions(
        include_columns=doubtful,
        column_types=dict.fromkeys(doubtful, pa.string()),
        strings_can_be_null=True,
    )
    texts = pyarrow.csv.read_csv(
        path, read_options=whole, parse_options=options, convert_options=convert
    )
    for name in doubtful:
        if not _is_written(table.column(name), texts.column(name)):
            table = table.set_column(names.index(name), name, texts.column(name))
    return table


def _is_doubtful(column: pa.ChunkedArray) -> bool:
    """Whether different cells may have become one value."""
    kind = column.type
    return bool(pa.types.is_integer(kind) or pa.types.is_boolean(kind)) or _is_rounded(column)


def _is_written(column: pa.ChunkedArray, texts: pa.ChunkedArray) -> bool:
    """Whether all cells say their values as these are written: ``1`` and ``true``, in any case.

    Spaces around them do not count.
    """
    if pa.types.is_floating(column.type):
        return False
    bare = pc.utf8_lower(pc.utf8_trim(texts, " \t"))
    return bool(pc.all(pc.equal(column.cast(pa.string()), bare)).as_py())


def _is_rounded(column: pa.ChunkedArray) -> bool:
    """Whether a column holds whole numbers only, and some that may stand for their neighbours."""
    if not pa.types.is_float64(column.type):
        return False
    values = column.drop_null().to_numpy()
    values = values[np.isfinite(values)]
    return bool((values == np.trunc(values)).all() and (np.abs(values) > LARGEST_EXACT).any())


def _tsv(path: Path) -> pa.Table:
    """Quotes quote where every field that begins with one is quoted whole; else they are signs.

    Where lines have as many tabs without quoting, they are rows: a text that starts with a quote,
    as in the files of GLUE, does not swallow the lines after it.
    """
    content = path.read_bytes()
    if b'"' not in content:
        return _csv(path, "\t", is_quoted=False)
    found = []
    # The first one where both give as many rows.
    is_whole = _has_whole_quotes(content)
    for is_quoted in (is_whole, not is_whole):
        with suppress(pa.ArrowInvalid):
            found.append(_csv(path, "\t", is_quoted=is_quoted))
        if found and found[0].num_columns == 1:  # all lines have as many tabs: none
            return found[0]
    if not found:
        return _csv(path, "\t")
    return max(found, key=lambda table: table.num_rows)


TSV_FIELD = re.compile(rb'(?:"[^"]*(?:""[^"]*)*"|[^"\t\r\n][^\t\r\n]*|)(?:\t|\r?\n|\r|\Z)')
"""A field that is quoted whole, with quotes inside doubled, or does not begin with a quote."""


def _has_whole_quotes(content: bytes) -> bool:
    """Whether all fields that begin with a quote are quoted whole."""
    place = 0
    while place < len(content):
        field = TSV_FIELD.match(content, place)
        if field is None:
            return False
        place = field.end()
    return True


def _arrow(path: Path) -> pa.Table:
    """A stream, as the datasets library writes it, or a file of Arrow's own format."""
    with pa.OSFile(str(path)) as file:
        try:
            return pyarrow.ipc.open_stream(file).read_all()
        except pa.ArrowInvalid:
            return pyarrow.ipc.open_file(file).read_all()


def _json(path: Path) -> pa.Table:
    """A list of objects, or an object that holds one such list, or one object per line."""
    text = path.read_text(encoding="utf-8-sig")
    try:
        content = json.loads(text)
    except json.JSONDecodeError:
        return _json_lines(path)
    if isinstance(content, dict):
        lists = [value for value in content.values() if isinstance(value, list)]
        content = lists[0] if len(lists) == 1 else [content]
    return _table(content)


def _json_lines(path: Path) -> pa.Table:
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError as error:
            raise ValueError(f"line {number} is no JSON: {error}") from error
    return _table(rows)


def _table(rows: object) -> pa.Table:
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise ValueError("it must hold a list of objects, or one object per line")
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {}
    for name in names:
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except pa.ArrowException as error:
            raise ValueError(f"column {name!r} mixes types: {error}") from error
    return pa.table(columns)


READERS: Mapping[str, Callable[[Path], pa.Table]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _json_lines,
    ".json": _json,
    ".arrow": _arrow,
}
"""How to read each kind of file, by the end of its name."""
