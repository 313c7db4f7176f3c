"""What `map --out` writes, and what it leaves alone."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from placement_search.backbones.settings import ModelSettings
from placement_search.cli.map_files import FINGERPRINTS, AskedMap, check_map, write_map
from placement_search.cli.output import Row
from placement_search.errors import OutputError
from placement_search.tasks.settings import DataSettings

ASKED = AskedMap(ModelSettings(), DataSettings("digits"), seed=0, examples=32)
ROWS: list[Row] = [{"source": 0, "target": 1, "fisher": 0.5}]
FACTS = {"backbone_fingerprint": "b0", "data_fingerprint": "d0", "loss": 1.0}
SPREAD: list[Row] = [{"proxy": "fisher", "between_batches": 0.9}]


def test_the_same_map_is_replaced_wherever_it_is_computed(tmp_path: Path) -> None:
    """By the same command, on another device too."""
    write_map(tmp_path, ASKED, ROWS, SPREAD, FACTS)
    again = replace(ASKED, model=replace(ASKED.model, device="cpu"))

    paths = write_map(
        tmp_path, again, [{**ROWS[0], "fisher": 0.25}], SPREAD, {**FACTS, "loss": 2.0}
    )

    assert [path.name for path in paths] == ["map.json", "map.csv", "map-spread.csv"]
    assert paths[1].read_text() == "source,target,fisher\n0,1,0.25\n"
    assert json.loads(paths[0].read_text())["loss"] == 2.0


@pytest.mark.parametrize(
    "other",
    [
        replace(ASKED, data=DataSettings("digits-count")),
        replace(ASKED, model=ModelSettings("elsewhere")),
        replace(ASKED, seed=1),
        replace(ASKED, examples=64),
    ],
)
def test_another_map_is_not_replaced(other: AskedMap, tmp_path: Path) -> None:
    """Of another task, backbone, seed or number of examples."""
    write_map(tmp_path, other, ROWS, SPREAD, FACTS)
    before = (tmp_path / "map.json").read_text()

    with pytest.raises(OutputError, match=r"holds map.csv, not of this map.*--out"):
        write_map(tmp_path, ASKED, ROWS, SPREAD, FACTS)
    assert (tmp_path / "map.json").read_text() == before


@pytest.mark.parametrize("fact", FINGERPRINTS)
def test_a_map_of_what_changed_since_is_not_replaced(fact: str, tmp_path: Path) -> None:
    """The same words may mean another model or other data, as relative paths do."""
    write_map(tmp_path, ASKED, ROWS, SPREAD, FACTS)

    with pytest.raises(OutputError, match=r"not of this map"):
        write_map(tmp_path, ASKED, ROWS, SPREAD, {**FACTS, fact: "other"})


@pytest.mark.parametrize("name", ["map.csv", "map-spread.csv", "map.json"])
def test_files_of_ones_own_are_not_replaced(name: str, tmp_path: Path) -> None:
    """They are no map, whatever they hold."""
    (tmp_path / name).write_text("[1]")

    with pytest.raises(OutputError, match=f"holds {name}"):
        check_map(tmp_path, ASKED)


def test_a_file_is_no_folder_for_a_map(tmp_path: Path) -> None:
    """Which is said before anything is computed."""
    (tmp_path / "notes").write_text("")

    with pytest.raises(OutputError, match="output needs a folder"):
        check_map(tmp_path / "notes", ASKED)
