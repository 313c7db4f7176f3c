"""Layout files as starting points of another study."""

import json
from pathlib import Path
from typing import Any

import pytest

from placement_search.errors import ExportError
from placement_search.export.layout_file import read_layout_file
from placement_search.export.starts import read_starts
from placement_search.space.training import TrainingChoice

pytestmark = pytest.mark.slow


def changed(exported: Path, folder: Path, **changes: Any) -> Path:
    """A copy of an exported layout file with other entries."""
    data = json.loads((exported / "layout.json").read_text())
    path = folder / "changed.json"
    path.write_text(json.dumps(data | changes))
    return path


def test_a_file_says_what_was_found_where(exported: Path) -> None:
    """Layout, task, study, backbone and score; the folder is as good as the file in it."""
    file = read_layout_file(exported / "layout.json")
    starts = read_starts([exported / "layout.json"])
    start = starts["start: digits"]

    assert starts == read_starts([exported])
    assert start.layout == file.notation
    assert start.study == file.provenance.study
    assert start.backbone == file.backbone.fingerprint
    assert file.scores.validation is not None
    assert (start.score, start.n_seeds) == (file.scores.validation.mean, 2)


def test_without_finals_the_searchs_score_stands(exported: Path, tmp_path: Path) -> None:
    """It is one seed's, and is called so."""
    file = read_layout_file(exported / "layout.json")
    scores = file.scores.model_dump() | {"validation": None, "test": None, "finals": []}
    start = read_starts([changed(exported, tmp_path, scores=scores)])["start: digits"]

    assert file.scores.search is not None
    assert (start.score, start.n_seeds) == (file.scores.search.validation, 1)


def test_a_derived_layout_starts_with_what_was_measured(exported: Path, tmp_path: Path) -> None:
    """No search has ranked it, so its own evaluation stands."""
    file = read_layout_file(exported / "layout.json")
    scores = file.scores.model_dump() | {"validation": None, "search": None, "finals": []}
    start = read_starts([changed(exported, tmp_path, scores=scores)])["start: digits"]

    assert (start.score, start.n_seeds) == (file.scores.exported.validation, 1)


def test_a_file_says_how_it_was_trained(exported: Path, tmp_path: Path) -> None:
    """Its plan says all; in files of earlier versions there is what a space chose alone."""
    plan = read_layout_file(exported / "layout.json").plan
    chosen = {"learning_rate": 0.003, "weight_decay": None}
    assert plan is not None

    for changes, training in (
        ({}, TrainingChoice(float(plan["learning_rate"]), float(plan["weight_decay"]))),
        ({"plan": None, "training": chosen}, TrainingChoice(0.003)),
        ({"plan": None}, TrainingChoice()),
    ):
        start = read_starts([changed(exported, tmp_path, **changes)])["start: digits"]
        assert start.training == training


def test_wrong_files_are_named_all_at_once(exported: Path, tmp_path: Path) -> None:
    """Missing, of another version, changed by hand: each with its path and what is wrong."""
    other = changed(exported, tmp_path, schema_version=1)
    edited = tmp_path / "edited.json"
    edited.write_text(other.read_text().replace('"schema_version": 1', '"schema_version": 2'))
    edited.write_text(edited.read_text().replace('"layout_id": "', '"layout_id": "0'))
    with pytest.raises(ExportError) as raised:
        read_starts([tmp_path / "absent.json", other, edited, exported])
    message = str(raised.value)

    assert message.startswith("--start-from takes layout files:")
    assert f"{tmp_path}/absent.json can't be read" in message
    assert f"{other} has schema_version 1" in message
    assert f"{edited}: the connections mean" in message
