"""The proxy maps of the benchmark's tasks, as a Parquet file beside the table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.placements.parquet import missing_columns, read_parquet, write_parquet
from benchmarks.placements.table import EMBEDDED_BACKBONE, UNKNOWN_DATA, Owner, Row, check_same_data
from placement_search.evaluation.workbench import Workbench
from placement_search.study.map_record import RANDOM_HEAD
from placement_search.study.proxy_map import compute_proxy_map

MAPS = Path(__file__).parent / "maps.parquet"
Maps = dict[str, dict[str, list[list[float]]]]
"""By task, then by proxy: ``[source][target]``."""


@dataclass(frozen=True, slots=True)
class MapRow:
    """What one proxy scores on one task.

    Args:
        task: The task's name.
        proxy: The proxy's; with random heads its name ends in `RANDOM_HEAD`.
        scores: ``[source][target]``.
        backbone: Fingerprint of the backbone; see `Row`.
        data: Fingerprint of the task's examples; see `Row`.
    """

    task: str
    proxy: str
    scores: list[list[float]]
    backbone: str = EMBEDDED_BACKBONE
    data: str = UNKNOWN_DATA


def read_maps(
    path: Path = MAPS, backbone: str = EMBEDDED_BACKBONE, *, of_random_heads: bool = False
) -> Maps:
    """The maps of one backbone in a file; none where there is no such file.

    Args:
        path: The file.
        backbone: Its fingerprint.
        of_random_heads: Whether those with random heads are meant, and not those with the probed
            one, which are what samplers know.
    """
    return _chosen(_read(path), backbone, of_random_heads=of_random_heads)


def _chosen(rows: Sequence[MapRow], backbone: str, *, of_random_heads: bool) -> Maps:
    maps: Maps = {}
    for row in rows:
        if row.backbone == backbone and row.proxy.endswith(RANDOM_HEAD) == of_random_heads:
            maps.setdefault(row.task, {})[row.proxy.removesuffix(RANDOM_HEAD)] = row.scores
    return maps


def maps_of(rows: Sequence[Row], path: Path = MAPS, *, of_random_heads: bool = False) -> Maps:
    """The maps in a file that go with a table's rows: of their tasks and backbone.

    Args:
        rows: Of one backbone.
        path: The file.
        of_random_heads: See `read_maps`.

    Raises:
        TableError: If a task's map was made from other examples than its rows.
    """
    held = _read(path)
    check_same_data(rows, held, path)
    if not rows:
        return {}
    maps = _chosen(held, rows[0].backbone, of_random_heads=of_random_heads)
    return {task: maps[task] for task in dict.fromkeys(row.task for row in rows) if task in maps}


def add_maps(
    benches: Mapping[Owner, Workbench], path: Path, seed: int, *, anew: bool = False
) -> list[str]:
    """Compute the maps that a file lacks; those that it holds stay, so that replays repeat.

    A file from before there were maps with random heads receives these alone.

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
        if anew:
            rows = [row for row in rows if (row.task, row.backbone) != place]
        held = [row for row in rows if (row.task, row.backbone) == place]
        owner.check({row.data for row in held}, "proxy maps", "--maps")
        names = {row.proxy for row in held}
        if any(name.endswith(RANDOM_HEAD) for name in names):
            continue
        scores = compute_proxy_map(bench, seed).all_scores
        rows += [MapRow(owner.task, name, grid, owner.backbone, owner.data)
                 for name, grid in scores.items() if name not in names]  # fmt: skip
        _write(rows, path)
        done.append(owner.task)
    return done


def _read(path: Path) -> list[MapRow]:
    try:
        return [MapRow(**row) for row in read_parquet(path, "--maps")]
    except TypeError as error:
        raise missing_columns(path, "--maps", error) from error


def _write(rows: list[MapRow], path: Path) -> None:
    # A stable sort: proxies keep the order in which they were computed.
    ordered = sorted(rows, key=lambda row: (row.task, row.backbone))
    columns = {
        name: [getattr(row, name) for row in ordered]
        for name in ("task", "proxy", "scores", "backbone", "data")
    }
    write_parquet(columns, path)
