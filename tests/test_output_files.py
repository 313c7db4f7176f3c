"""Files are written whole, and only into folders."""

from pathlib import Path

import pytest

from placement_search.errors import OutputError
from placement_search.output_files import check_folder, make_folder, write_whole


def test_a_file_is_replaced_in_one_step(tmp_path: Path) -> None:
    """The new content is there, readable for others, and nothing else lies around."""
    path = tmp_path / "file.txt"
    path.write_text("old")
    write_whole(path, "grün\n")

    assert path.read_bytes() == "grün\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """What can't be encoded is not written, not even partly."""
    path = tmp_path / "file.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\udcff")

    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_is_no_folder(tmp_path: Path, place: str) -> None:
    """Checking says so before anything is made."""
    (tmp_path / "file").write_text("mine")
    for function in (check_folder, make_folder):
        with pytest.raises(OutputError, match="is or lies in a file"):
            function(tmp_path / place)

    assert (tmp_path / "file").read_text() == "mine"


def test_checking_makes_nothing(tmp_path: Path) -> None:
    """Only `make_folder` makes the folder and its parents."""
    wanted = tmp_path / "a/b"

    assert check_folder(wanted) == wanted
    assert not (tmp_path / "a").exists()
    assert make_folder(str(wanted)).is_dir()
