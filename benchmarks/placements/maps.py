"""The proxy maps of the benchmark's tasks, as a Parquet file beside the table."""

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from placement_search.evaluation.workbench import Workbench
from placement_search.study.proxy_map import compute_proxy_map

MAPS = Path(__file__).parent / "maps.parquet"
Maps = dict[str, dict[str, list[list[float]]]]
"""By task, then by proxy: ``[source][target]``."""


def read_maps(path: Path = MAPS) -> Maps:
    """The maps of a file; none where there is no such file."""
    maps: Maps = {}
    if path.is_file():
        for row in pq.read_table(path).to_pylist():
            maps.setdefault(row["task"], {})[row["proxy"]] = row["scores"]
    return maps


def write_maps(maps: Maps, path: Path) -> None:
    """Write the maps of all tasks."""
    rows = [
        {"task": task, "proxy": proxy, "scores": scores}
        for task, by_proxy in sorted(maps.items())
        for proxy, scores in by_proxy.items()
    ]
    pq.write_table(pa.Table.from_pylist(rows), path, compression="zstd")


def add_maps(benches: Mapping[str, Workbench], path: Path, seed: int) -> None:
    """Compute the maps of some tasks; those of others that a file holds stay."""
    maps = read_maps(path)
    for task, bench in benches.items():
        maps[task] = compute_proxy_map(bench, seed).scores
    write_maps(maps, path)
