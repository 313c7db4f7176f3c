"""The proxy maps of the benchmark's tasks, as a Parquet file beside the table."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.placements.table import EMBEDDED_BACKBONE, UNKNOWN_DATA, Owner
from placement_search.evaluation.workbench import Workbench
from placement_search.study.proxy_map import compute_proxy_map

MAPS = Path(__file__).parent / "maps.parquet"
Maps = dict[str, dict[str, list[list[float]]]]
"""By task, then by proxy: ``[source][target]``."""


@dataclass(frozen=True, slots=True)
class MapRow:
    """What one proxy scores on one task.

    Args:
        task: The task's name.
        proxy: The proxy's.
        scores: ``[source][target]``.
        backbone: Fingerprint of the backbone; see `Row`.
        data: Fingerprint of the task's examples; see `Row`.
    """

    task: str
    proxy: str
    scores: list[list[float]]
    backbone: str = EMBEDDED_BACKBONE
    data: str = UNKNOWN_DATA


def read_maps(path: Path = MAPS, backbone: str = EMBEDDED_BACKBONE) -> Maps:
    """The maps of one backbone in a file; none where there is no such file."""
    maps: Maps = {}
    for row in _read(path):
        if row.backbone == backbone:
            maps.setdefault(row.task, {})[row.proxy] = row.scores
    return maps


def add_maps(
    benches: Mapping[Owner, Workbench], path: Path, seed: int, *, anew: bool = False
) -> list[str]:
    """Compute the maps that a file lacks; those that it holds stay, so that replays repeat.

    Args:
        benches: Whose maps are wanted.
        path: The file.
        seed: Of the maps.
        anew: Whether they are computed although the file holds them.

    Returns:
        The tasks whose maps were computed.

    Raises:
        TableError: If the file holds a map of a task's other examples.
    """
    rows = _read(path)
    done = []
    for owner, bench in benches.items():
        place = owner.task, owner.backbone
        held = [row for row in rows if (row.task, row.backbone) == place]
        if held and not anew:
            owner.check({row.data for row in held}, "proxy maps", "--maps")
            continue
        scores = compute_proxy_map(bench, seed).scores
        rows = [row for row in rows if (row.task, row.backbone) != place]
        rows += [MapRow(owner.task, name, grid, owner.backbone, owner.data)
                 for name, grid in scores.items()]  # fmt: skip
        _write(rows, path)
        done.append(owner.task)
    return done


def _read(path: Path) -> list[MapRow]:
    return [MapRow(**row) for row in pq.read_table(path).to_pylist()] if path.is_file() else []


def _write(rows: list[MapRow], path: Path) -> None:
    # A stable sort: proxies keep the order in which they were computed.
    ordered = sorted(rows, key=lambda row: (row.task, row.backbone))
    columns = {
        name: [getattr(row, name) for row in ordered]
        for name in ("task", "proxy", "scores", "backbone", "data")
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path, compression="zstd")
