"""Tabled tasks as replays take them: trainings, proxy maps, and the worlds made of both."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks.placements.errors import TableError
from benchmarks.placements.maps import maps_of
from benchmarks.placements.protocol import SHORT, SIZES
from benchmarks.placements.table import Row, rows_of_one_backbone
from benchmarks.placements.world import World
from placement_search.errors import nearest
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.study.samplers.sampler import Scores

SPACES = {"singles": 1, "sets": SIZES[1]}
"""Most connections of a layout, by the name of the space; smaller layouts take part too."""
MIN_LAYOUTS = 30
"""Layouts that must be tabled for a space to be replayed: single ones, or sets of several."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where scores are read from.

    Args:
        table: Parquet file of the table.
        maps: Parquet file of the proxy maps.
        backbone: Fingerprint of the backbone; None for the only one of the table.
    """

    table: Path
    maps: Path
    backbone: str | None = None

    def rows(self) -> dict[str, list[Row]]:
        """By task the trainings of a search's length, without those of the head alone."""
        found: dict[str, list[Row]] = {}
        for row in rows_of_one_backbone(self.table, self.backbone):
            if row.epochs == SHORT.epochs and row.layout != "none":
                found.setdefault(row.task, []).append(row)
        return found


def tabled_task(source: Source, task: str) -> tuple[list[Row], Mapping[str, Scores]]:
    """A task's trainings and its proxy map.

    Raises:
        TableError: If the task is not tabled, or has no proxy map, or that of other data.
    """
    tabled = source.rows()
    if task not in tabled:
        raise TableError(
            f"--tasks takes tasks of {source.table} with trainings of {SHORT.epochs} epochs; got "
            f"{task!r}{nearest(task, tabled)}"
        )
    rows = tabled[task]
    proxies = maps_of(rows, source.maps).get(task)
    if not proxies:
        raise TableError(
            f"a replay needs the task's proxy map, and {source.maps} has none of {task!r} on "
            f"backbone {rows[0].backbone}; name the table's own by --maps, or make it by "
            "python -m benchmarks.placements.build, which goes on with the table"
        )
    return rows, proxies


@cache
def world_of(source: Source, task: str, space: str) -> World:
    """A task's world; made once in a process."""
    rows, proxies = tabled_task(source, task)
    return World(task, rows, proxies, len(next(iter(proxies.values()))), SPACES[space])


def spaces_of(task: str, rows: Sequence[Row], asked: Sequence[str]) -> list[str]:
    """The spaces of which enough is tabled; says which ones are left out."""
    sizes = Counter(
        len(parse_layout(notation, MODULE_TYPES).connections) > 1
        for notation in {row.layout for row in rows}
    )
    n_tabled = {"singles": sizes[False], "sets": sizes[True]}
    for space in asked:
        if n_tabled[space] < MIN_LAYOUTS:
            print(f"{task}: {space} are left out, since {n_tabled[space]} are tabled and "
                  f"{MIN_LAYOUTS} are needed")  # fmt: skip
    return [space for space in asked if n_tabled[space] >= MIN_LAYOUTS]
