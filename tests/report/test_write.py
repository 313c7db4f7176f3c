from pathlib import Path

import pytest

from placement_search.errors import OutputError
from placement_search.report import write
from placement_search.report.write import write_report
from placement_search.study.records import StudyRecord

NAMES = ["report.md", "trials.csv", "report.json", "report.html"]


@pytest.mark.slow
def test_a_report_is_four_files(written: Path) -> None:
    """The folder is made with those above it, and holds the report and nothing else."""
    assert sorted(path.name for path in written.iterdir()) == sorted(NAMES)
    assert all(path.stat().st_size for path in written.iterdir())


@pytest.mark.slow
def test_the_same_record_gives_the_same_bytes(
    record: StudyRecord, written: Path, tmp_path: Path
) -> None:
    """Pictures and data hold neither times nor random names; files of before are replaced."""
    (tmp_path / "report.md").write_text("old")
    paths = write_report(record, tmp_path)
    assert paths == [tmp_path / name for name in NAMES]
    for path in paths:
        assert path.read_bytes() == (written / path.name).read_bytes()


@pytest.mark.parametrize("inside", ["", "deeper"])
def test_a_file_is_no_folder(record: StudyRecord, tmp_path: Path, inside: str) -> None:
    """A file in the place of the folder, or above it, is named and left alone."""
    file = tmp_path / "report"
    file.write_text("mine")
    with pytest.raises(OutputError, match="needs a folder"):
        write_report(record, file / inside)
    assert file.read_text() == "mine"


def test_a_failed_write_leaves_the_old_file(
    record: StudyRecord, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk neither halves a report nor leaves scraps beside it."""
    (tmp_path / "report.md").write_text("old")

    def refuse(_self: Path, _target: Path) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(write, "FILES", {"report.md": lambda _findings: "new"})
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OSError, match="disk full"):
        write_report(record, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["report.md"]
    assert (tmp_path / "report.md").read_text() == "old"
