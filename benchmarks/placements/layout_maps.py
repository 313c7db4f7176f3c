"""The proxies of whole layouts of the benchmark, as a Parquet file beside its proxy maps."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from benchmarks.placements.parquet import missing_columns, read_parquet, write_parquet
from benchmarks.placements.protocol import single_connections
from benchmarks.placements.table import Owner, Row, check_same_data
from placement_search.engine.engine import Infeasible
from placement_search.engine.in_process import memory_errors_told
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.study.layout_proxies import N_EXAMPLES, layout_proxies
from placement_search.study.map_record import Grid

N_BETWEEN_WRITES = 200
"""Layouts that are scored between two times that the file is written."""
LayoutScores = dict[str, dict[str, dict[str, float]]]
"""By task, then by proxy, then by a layout's id."""


@dataclass(frozen=True, slots=True)
class LayoutRow:
    """What one proxy scores one layout on one task.

    Args:
        task: The task's name.
        proxy: The proxy's.
        layout_id: Of the layout.
        score: Larger for a better one.
        backbone: Fingerprint of the backbone.
        data: Fingerprint of the task's examples.
    """

    task: str
    proxy: str
    layout_id: str
    score: float
    backbone: str
    data: str


def layout_maps_of(maps: Path) -> Path:
    """The file beside a file of proxy maps: `maps-of-layouts.parquet` for `maps.parquet`."""
    return maps.with_name(f"{maps.stem}-of-layouts.parquet")


def layout_scores_of(rows: Sequence[Row], maps: Path) -> LayoutScores:
    """What a table's layouts score by the proxies of layouts, as far as the file holds them.

    Args:
        rows: Of one backbone.
        maps: The file of proxy maps.

    Raises:
        TableError: If a task's scores were made from other examples than its rows.
    """
    path = layout_maps_of(maps)
    held = _read(path)
    check_same_data(rows, held, path)
    places = {(row.task, row.backbone) for row in rows}
    found: LayoutScores = {}
    for row in held:
        if (row.task, row.backbone) in places:
            proxies = found.setdefault(row.task, {})
            proxies.setdefault(row.proxy, {})[row.layout_id] = row.score
    return found


def grids_of(scores: Mapping[str, Mapping[str, float]], n_nodes: int) -> dict[str, Grid]:
    """By proxy, what the single connections score, ``[source][target]``; those with all of them."""
    singles = single_connections(n_nodes)
    grids: dict[str, Grid] = {}
    for proxy, known in scores.items():
        if all(layout.id in known for layout in singles):
            values = [known[layout.id] for layout in singles]
            grids[proxy] = [values[s * n_nodes : (s + 1) * n_nodes] for s in range(n_nodes)]
    return grids


def add_layout_scores(
    benches: Mapping[Owner, Workbench],
    layouts: Iterable[Layout],
    maps: Path,
    seed: int,
    *,
    anew: bool = False,
    deadline: float = float("inf"),
) -> list[str]:
    """Score the layouts that the file lacks; those that it holds stay.

    One that memory does not suffice for stays without: a table does not end for a proxy.

    Args:
        benches: On what they are scored.
        layouts: Which; each once.
        maps: The file of proxy maps.
        seed: Of the proxies.
        anew: Whether layouts are scored although the file holds them.
        deadline: When to stop, by the monotonic clock; the next call goes on.

    Returns:
        The tasks of which layouts were scored.

    Raises:
        TableError: If the file holds scores on a task's other examples.
    """
    path = layout_maps_of(maps)
    rows = _read(path)
    wanted = {layout.id: layout for layout in layouts if layout.connections}
    done = []
    for owner, bench in benches.items():
        place = owner.task, owner.backbone
        if anew:  # scores on other examples go
            rows = [r for r in rows if (r.task, r.backbone) != place or r.data == owner.data]
        own = [row for row in rows if (row.task, row.backbone) == place]
        owner.check({row.data for row in own}, "layouts' proxies", "--maps")
        held = set() if anew else {row.layout_id for row in own}
        due = [layout for id_, layout in wanted.items() if id_ not in held]
        for n_done, layout in enumerate(due, start=1):
            scored = _scored(owner, bench, layout, seed)
            if scored and anew:  # what is held stays until there is something in its place
                old = (*place, layout.id)
                rows = [row for row in rows if (row.task, row.backbone, row.layout_id) != old]
            rows += scored
            is_over = time.monotonic() > deadline
            if n_done % N_BETWEEN_WRITES == 0 or n_done == len(due) or is_over:
                _write(rows, path)
                print(f"proxies of layouts on {owner.task}: {n_done}/{len(due)}")
            if is_over:
                break
        if due:
            done.append(owner.task)
            if time.monotonic() > deadline:
                break
    return done


def _scored(owner: Owner, bench: Workbench, layout: Layout, seed: int) -> list[LayoutRow]:
    try:
        with memory_errors_told():
            scores = layout_proxies(bench, layout, seed, N_EXAMPLES)
    except Infeasible as error:
        print(f"no proxies of {layout.notation} on {owner.task}: {error}")
        return []
    return [
        LayoutRow(owner.task, proxy, layout.id, score, owner.backbone, owner.data)
        for proxy, score in scores.items()
    ]


def _read(path: Path) -> list[LayoutRow]:
    try:
        return [LayoutRow(**row) for row in read_parquet(path, "--maps")]
    except TypeError as error:
        raise missing_columns(path, "--maps", error) from error


def _write(rows: Sequence[LayoutRow], path: Path) -> None:
    ordered = sorted(rows, key=lambda row: (row.task, row.backbone, row.proxy, row.layout_id))
    names = [field.name for field in fields(LayoutRow)]
    write_parquet({name: [getattr(row, name) for row in ordered] for name in names}, path)
