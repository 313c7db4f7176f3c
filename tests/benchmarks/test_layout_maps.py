from pathlib import Path
from typing import cast

import pandas as pd
import pytest

import benchmarks.placements.layout_maps as layout_file
from benchmarks.placements.errors import TableError
from benchmarks.placements.layout_maps import (
    add_layout_scores,
    grids_of,
    layout_maps_of,
    layout_scores_of,
)
from benchmarks.placements.protocol import random_sets, single_connections
from benchmarks.placements.table import Owner
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from tests.benchmarks.made_up import BACKBONE, N_NODES, SINGLES

OWNER = Owner("made-up", BACKBONE, "")
LAYOUTS = [Layout(), *single_connections(N_NODES), *random_sets(N_NODES)[:3]]
BENCHES = {OWNER: cast("Workbench", None)}


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the layouts that were scored; each scores the sum of its targets."""
    found: list[str] = []

    def score(_bench: object, layout: Layout, *_: object) -> dict[str, float]:
        found.append(layout.id)
        return {"depth": float(sum(c.target for c in layout.connections))}

    monkeypatch.setattr(layout_file, "layout_proxies", score)
    return found


def test_layouts_are_scored_once(tmp_path: Path, scored: list[str]) -> None:
    """What the file holds stays; a layout without connections has nothing to score."""
    maps = tmp_path / "maps.parquet"

    assert add_layout_scores(BENCHES, LAYOUTS[:5], maps, 0) == ["made-up"]
    assert add_layout_scores(BENCHES, LAYOUTS, maps, 0) == ["made-up"]
    assert add_layout_scores(BENCHES, LAYOUTS, maps, 0) == []
    assert scored == [layout.id for layout in LAYOUTS[1:]]
    assert add_layout_scores(BENCHES, LAYOUTS[:2], maps, 0, anew=True) == ["made-up"]
    assert len(layout_scores_of(SINGLES, maps)["made-up"]["depth"]) == len(LAYOUTS) - 1
    assert len(pd.read_parquet(layout_maps_of(maps))) == len(LAYOUTS) - 1


def test_scoring_stops_in_time_and_goes_on(tmp_path: Path, scored: list[str]) -> None:
    """What was scored is kept."""
    maps = tmp_path / "maps.parquet"

    add_layout_scores(BENCHES, LAYOUTS, maps, 0, deadline=0.0)
    assert len(scored) == 1
    add_layout_scores(BENCHES, LAYOUTS, maps, 0)
    assert scored == [layout.id for layout in LAYOUTS[1:]]


def test_a_layout_that_memory_does_not_suffice_for_stays_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The others are scored."""

    def score(_bench: object, layout: Layout, *_: object) -> dict[str, float]:
        if layout == LAYOUTS[1]:
            raise MemoryError
        return {"depth": 0.0}

    monkeypatch.setattr(layout_file, "layout_proxies", score)
    maps = tmp_path / "maps.parquet"
    add_layout_scores(BENCHES, LAYOUTS, maps, 0)

    assert len(layout_scores_of(SINGLES, maps)["made-up"]["depth"]) == len(LAYOUTS) - 2


def test_scores_of_single_connections_make_a_map(tmp_path: Path, scored: list[str]) -> None:
    """By source and target; a proxy that some of them lack makes none."""
    maps = tmp_path / "maps.parquet"
    add_layout_scores(BENCHES, LAYOUTS, maps, 0)
    scores = layout_scores_of(SINGLES, maps)["made-up"]

    assert grids_of(scores, N_NODES)["depth"][2] == [float(t) for t in range(N_NODES)]
    assert len(scores["depth"]) == len(scored)
    del scores["depth"][LAYOUTS[1].id]
    assert grids_of(scores, N_NODES) == {}


@pytest.mark.usefixtures("scored")
def test_scores_on_other_examples_are_refused(tmp_path: Path) -> None:
    """To be added to, and to be held against a table."""
    maps = tmp_path / "maps.parquet"
    add_layout_scores({Owner("made-up", BACKBONE, "others"): BENCHES[OWNER]}, LAYOUTS, maps, 0)

    with pytest.raises(TableError, match="name another file by --maps"):
        add_layout_scores(BENCHES, LAYOUTS, maps, 0)
    with pytest.raises(TableError, match=layout_maps_of(maps).name):
        layout_scores_of(SINGLES, maps)
