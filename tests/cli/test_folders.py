"""What another study or an operation made is not replaced."""

import json
from pathlib import Path

import pytest

from placement_search.cli.folders import check_layout, check_report, folder_of, layout_folder
from placement_search.errors import OutputError

OURS = "mine", "sqlite:///study.db"


def holding(folder: Path, name: str, held: object) -> Path:
    (folder / name).write_text(json.dumps(held), encoding="utf-8")
    return folder


def layout_of(command: str, study: str = "mine") -> dict[str, object]:
    return {"provenance": {"study": study, "command": command}, "derived_from": None}


@pytest.mark.parametrize("name", ["../up", "a/b", "..", ".", "a\\b"])
def test_a_studys_name_does_not_lead_out_of_the_folder_of_runs(name: str) -> None:
    """It says so, and how else to say where."""
    with pytest.raises(OutputError, match=r"can.t name a folder of runs/; give one .--out."):
        folder_of(name)


@pytest.mark.parametrize(
    "held",
    [
        {"study": "theirs", "storage": "sqlite:///study.db"},
        {"study": "mine", "storage": "sqlite:///other.db"},
    ],
)
def test_the_report_of_another_study_is_not_replaced(tmp_path: Path, held: object) -> None:
    """Of another name, or of the same in another storage."""
    with pytest.raises(OutputError, match=r"holds the report of another study.*--out"):
        check_report(holding(tmp_path, "report.json", held), *OURS)


@pytest.mark.parametrize(
    "held",
    [
        layout_of("placement-search search --storage sqlite:///other.db --n-trials 4"),
        layout_of("placement-search search --n-trials 4"),
        layout_of("placement-search search --storage sqlite:///study.db", study="theirs"),
        layout_of("placement-search search --storage 'sqlite:///study.db"),
    ],
)
def test_the_layout_of_another_study_is_not_replaced(tmp_path: Path, held: object) -> None:
    """By the command that it keeps; one without a storage has the default one."""
    with pytest.raises(OutputError, match=r"holds the layout of another study.*--out"):
        check_layout(holding(tmp_path, "layout.json", held), *OURS)


def test_what_an_operation_made_is_not_replaced_by_a_study(tmp_path: Path) -> None:
    """Though the study is the one that it was made of, and however the file was edited."""
    theirs = layout_of("search --storage sqlite:///study.db")
    for derived, who in (({"operation": "drop"}, "'drop'"), (["a"], "'an operation'")):
        made = {**theirs, "derived_from": derived}
        with pytest.raises(OutputError, match=f"made of others by {who}"):
            check_layout(holding(tmp_path, "layout.json", made), *OURS)


def test_a_study_replaces_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever path its storage is called."""
    monkeypatch.chdir(tmp_path)
    address = f"sqlite:///{tmp_path / 'study.db'}"
    holding(tmp_path, "report.json", {"study": "mine", "storage": address})
    holding(tmp_path, "layout.json", layout_of(f"search --storage {address} --n-trials 9"))

    check_report(tmp_path, *OURS)
    check_layout(tmp_path, *OURS)


@pytest.mark.parametrize("held", [[1], {"study": ""}, {}, {"provenance": "x"}], ids=str)
def test_what_is_of_no_study_is_not_replaced(tmp_path: Path, held: object) -> None:
    """A file of ours that was damaged can't be told from somebody's own."""
    with pytest.raises(OutputError, match=r"holds report.json, and no report of a study.*--out"):
        check_report(holding(tmp_path, "report.json", held), *OURS)
    with pytest.raises(OutputError, match=r"a layout.json that no study exported.*--out"):
        check_layout(holding(tmp_path, "layout.json", held), *OURS)


def test_somebodys_files_of_a_reports_names_are_not_replaced(tmp_path: Path) -> None:
    """Such as notes of theirs; in a folder without any of them a report may lie."""
    check_report(tmp_path, *OURS)
    (tmp_path / "report.md").write_text("mine")
    (tmp_path / "trials.csv").write_text("mine")

    with pytest.raises(OutputError, match=r"holds report.md and trials.csv, and no report of a"):
        check_report(tmp_path, *OURS)


def test_a_trial_that_is_exported_by_number_lies_beside_the_answer() -> None:
    """It does not replace the layout that the report and `best` name."""
    assert layout_folder("mine", None) == Path("runs/mine/layout")
    assert layout_folder("mine", 0) == Path("runs/mine/trial-0")
