"""Parquet files of the tabular benchmark: written whole or not at all, read or refused."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.placements.errors import TableError
from placement_search.output_files import make_folder, write_whole


def read_parquet(path: Path, option: str) -> list[dict[str, Any]]:
    """The rows of a file; none where there is no such file.

    Args:
        path: The file.
        option: Takes another one.

    Raises:
        TableError: If it is no Parquet file, or a part of one.
    """
    if not path.is_file():
        return []
    try:
        rows: list[dict[str, Any]] = pq.read_table(path).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise TableError(
            f"{option} takes a whole Parquet file, and {path} can't be read as one "
            f"({str(error).splitlines()[0]}); restore or remove it, or name another by {option}"
        ) from error
    return rows


def write_parquet(columns: Mapping[str, Sequence[object]], path: Path) -> None:
    """Write columns, with the folder that they go to; what was there stays until all is written.

    Raises:
        OutputError: If the folder can't be made.
    """
    make_folder(path.parent)
    stream = pa.BufferOutputStream()
    pq.write_table(pa.table(dict(columns)), stream, compression="zstd")
    write_whole(path, stream.getvalue().to_pybytes())


def missing_columns(path: Path, option: str, error: TypeError) -> TableError:
    """What to say of a file whose rows are of something else."""
    return TableError(
        f"{option} takes a file that benchmarks.placements.build has made, and the rows of {path} "
        f"are of another form ({error}); name another by {option}"
    )
