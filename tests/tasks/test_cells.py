"""Cells of files without types: which are numbers or truths, and which stay texts."""

from pathlib import Path

import pytest
from datasets import Value

from placement_search.tasks.files import read_file
from placement_search.tasks.target import Target
from tests.tasks.tiny_data import read


def test_whole_numbers_beyond_all_types_stay_apart(tmp_path: Path) -> None:
    """As floating-point numbers they would be one class; other columns stay what they were."""
    labels = [str(10**30), str(10**30 + 1)] * 20
    lines = [f"text {row},{label},{row / 2}" for row, label in enumerate(labels)]
    (tmp_path / "rows.csv").write_text("\n".join(["text,label,half", *lines]))

    assert read(tmp_path / "rows.csv").label_names == tuple(labels[:2])
    assert read(tmp_path / "rows.csv", label="half").target is Target.REGRESSION


def write_cells(path: Path, cells: list[str], n: int = 40) -> Path:
    """Rows whose labels are these cells in turn, as a file has them."""
    mark = "\t" if path.suffix == ".tsv" else ","
    lines = [f"text {row}{mark}{cells[row % len(cells)]}" for row in range(n)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([f"text{mark}label", *lines]) + "\n")
    return path


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize(
    ("cells", "names"),
    [
        (["01", "1", "02", "2"], ("01", "1", "02", "2")),
        (["-0", "0"], ("-0", "0")),
        (["0x1", "1"], ("0x1", "1")),
        (["true", "1", "false", "0"], ("0", "1", "false", "true")),
        (["007", " 8"], ("007", "8")),
    ],
)
def test_cells_that_are_written_otherwise_are_other_classes(
    cells: list[str], names: tuple[str, ...], suffix: str, tmp_path: Path
) -> None:
    """Though they be the same number, or truth."""
    assert read(write_cells(tmp_path / f"rows.{suffix}", cells)).label_names == names


@pytest.mark.parametrize(
    ("cells", "kind", "expected"),
    [
        (["2", "10", "-1"], "int64", [2, 10, -1]),
        ([" 1", "1", "2 "], "int64", [1, 1, 2]),
        (["true", "False", "TRUE"], "bool", [True, False, True]),
        (["1.0", "02", "2"], "float64", [1.0, 2.0, 2.0]),
        (["+1", "1", "-1"], "float64", [1.0, 1.0, -1.0]),
        (["1", "", "2"], "int64", [1, None, 2]),
        (["01", "", "1"], "string", ["01", None, "1"]),
    ],
)
def test_columns_keep_their_types_where_cells_say_their_values(
    cells: list[str], kind: str, expected: list[object], tmp_path: Path
) -> None:
    """Upper and lower case and spaces aside; what is missing says nothing."""
    rows = read_file(write_cells(tmp_path / "rows.csv", cells, n=3))

    assert rows.features["label"] == Value(kind)
    assert rows["label"][:] == expected


def test_texts_that_are_numbers_can_be_predicted(tmp_path: Path) -> None:
    """Where a user asks for it."""
    raw = read(write_cells(tmp_path / "rows.csv", ["01", "2"]), target="regression")

    assert set(raw.train.targets.tolist()) == {1.0, 2.0}


def test_a_column_of_texts_is_one_in_all_files(tmp_path: Path) -> None:
    """Also in those, parts or splits, whose own rows are numbers as they are usually written."""
    write_cells(tmp_path / "train-1.csv", ["01", "2"])
    write_cells(tmp_path / "train-2.csv", ["10", "2"])
    write_cells(tmp_path / "test.csv", ["10", "2"])
    raw = read(tmp_path)

    assert raw.label_names == ("01", "2", "10")
    assert len(raw.train) + len(raw.validation) == 80
    assert len(raw.test) == 40


def test_withheld_labels_of_texts_are_withheld(tmp_path: Path) -> None:
    """A test split of -1 is none, whatever the classes are."""
    write_cells(tmp_path / "train.csv", ["01", "2"])
    write_cells(tmp_path / "test.csv", ["-1"])

    assert "the given test split has no labels: it is not used" in read(tmp_path).notes
