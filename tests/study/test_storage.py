"""Storages are looked at before they are opened, and never changed by reading."""

import hashlib
import os
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

import optuna
import pytest
import sqlalchemy.exc
from optuna.study import StudyDirection

from placement_search.errors import StudyError
from placement_search.study.storage import (
    check_place,
    has_coordinator,
    held_study,
    load_study,
    open_storage,
    sole_coordinator,
)


def test_a_foreign_database_is_left_as_it_is(tmp_path: Path) -> None:
    """Reading it as a study, or to search on it, is an error and changes no byte."""
    path = tmp_path / "music.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table songs (name text)")
        connection.commit()
    before = hashlib.sha256(path.read_bytes()).hexdigest()

    address = f"sqlite:///{path}"
    with pytest.raises(StudyError, match="no studies"):
        load_study(address, None)
    for use in (check_place, partial(open_storage, must_exist=False)):
        with pytest.raises(StudyError, match=r"of something else.*--storage"):
            use(address)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


def test_a_place_that_is_no_folder_is_an_error(tmp_path: Path) -> None:
    """Both for the lock and for the file itself."""
    (tmp_path / "file").write_text("mine")
    address = f"sqlite:///{tmp_path}/file/study.db"

    with pytest.raises(StudyError, match="can't be used as a storage"), sole_coordinator(address):
        pass
    with pytest.raises(StudyError, match="can't be used as a storage"):
        open_storage(address, must_exist=False)


def test_an_empty_file_holds_no_study_yet(tmp_path: Path) -> None:
    """It may become a storage."""
    (tmp_path / "new.db").touch()
    address = f"sqlite:///{tmp_path}/new.db"

    assert held_study(address, "mine") is None
    open_storage(address, must_exist=False).create_new_study([StudyDirection.MAXIMIZE], "mine")
    assert held_study(address, "mine") is not None


def test_braces_in_a_name_are_a_name(tmp_path: Path) -> None:
    """Optuna fills in what stands between them."""
    address = f"sqlite:///{tmp_path}/{{run}}.db"
    open_storage(address, must_exist=False)

    assert (tmp_path / "{run}.db").is_file()


def test_a_name_that_is_empty_names_no_study(tmp_path: Path) -> None:
    """As an unset variable of a shell gives it: neither the first of several nor the only one."""
    address = f"sqlite:///{tmp_path}/study.db"
    storage = open_storage(address, must_exist=False)

    for name in ("one", "two"):
        with pytest.raises(StudyError, match="has no study ''"):
            load_study(address, "")
        storage.create_new_study([StudyDirection.MAXIMIZE], name)


def test_folders_are_made_where_a_user_means_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them inside the working directory, the last one elsewhere."""
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    home.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(home)
    for address in ("sqlite:///runs/demo/study.db", f"sqlite:///{elsewhere}/new/study.db"):
        with sole_coordinator(address):
            pass

    assert (home / "runs/demo").is_dir()
    assert (elsewhere / "new").is_dir()


@pytest.mark.parametrize("place", ["{}/a/b/study.db", "{}/home/../a/b/study.db", "/runs/study.db"])
def test_a_slash_too_many_makes_no_folders(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither elsewhere nor at the root of the disk; nothing is written, and the cure is said."""
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "home")
    address = f"sqlite:///{place.format(tmp_path)}"

    with pytest.raises(StudyError, match="does not exist outside the working directory; make"):
        check_place(address)
    with pytest.raises(StudyError, match="make that folder"), sole_coordinator(address):
        pass
    with pytest.raises(StudyError, match="make that folder"):
        open_storage(address, must_exist=False)
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
    assert not Path("/runs").exists()


def test_the_lock_is_held_once_and_given_back(tmp_path: Path) -> None:
    """A second coordinator is refused while the first works, and welcome afterwards."""
    address = f"sqlite:///{tmp_path}/study.db"
    with (
        sole_coordinator(address),
        pytest.raises(StudyError, match="another search is running"),
        sole_coordinator(address),
    ):
        pass

    with sole_coordinator(address):
        pass


def test_whether_a_search_is_running_is_told_without_being_in_its_way(tmp_path: Path) -> None:
    """Also after one was killed, whose lock file stays."""
    address = f"sqlite:///{tmp_path}/study.db"
    assert not has_coordinator(address)
    assert list(tmp_path.iterdir()) == []

    with sole_coordinator(address):
        assert has_coordinator(address)

    (tmp_path / "study.db.lock").touch()
    assert not has_coordinator(address)


def test_a_file_has_one_lock_by_whatever_name(tmp_path: Path) -> None:
    """A link to a study's file is that file."""
    (tmp_path / "real.db").touch()
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    with (
        sole_coordinator(f"sqlite:///{tmp_path}/real.db"),
        pytest.raises(StudyError, match="another search is running"),
        sole_coordinator(f"sqlite:///{tmp_path}/link.db"),
    ):
        pass


def test_a_study_that_nobody_can_write_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the files that SQLite puts beside a database; a log that lies there is heeded."""
    address = f"sqlite:///{tmp_path}/study.db"
    made = open_storage(address, must_exist=False)
    optuna.create_study(study_name="mine", storage=made)
    made.engine.dispose()
    for extra in tmp_path.glob("study.db-*"):
        extra.unlink()
    before = sorted(path.name for path in tmp_path.iterdir())
    real = os.access
    monkeypatch.setattr("os.access", lambda place, how: how != os.W_OK and real(place, how))

    assert load_study(address, None).study_name == "mine"
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "study.db")
    assert load_study(f"sqlite:///{link}", None).study_name == "mine"
    link.unlink()
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("locked", [".", "study.db"])
def test_a_place_that_nobody_can_write_is_no_place_for_a_search(
    locked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a folder nor a file in it; which is said before anything is loaded."""
    (tmp_path / "study.db").touch()
    monkeypatch.setattr(
        "os.access", lambda place, how: how != os.W_OK or Path(place) != tmp_path / locked
    )

    with pytest.raises(StudyError, match=r"--storage .*(nothing can|can't) be written"):
        check_place(f"sqlite:///{tmp_path}/study.db")


@pytest.mark.parametrize(
    "error",
    [
        optuna.exceptions.StorageInternalError("a commit failed"),
        sqlalchemy.exc.OperationalError("INSERT", {}, OSError("disk is full")),
    ],
    ids=["of Optuna's", "of our own rows"],
)
def test_a_write_that_fails_is_one_message(tmp_path: Path, error: Exception) -> None:
    """With the database's own reason, and what becomes of the study."""
    with (
        pytest.raises(StudyError, match=r"could not be written: disk is full; what was evaluated"),
        sole_coordinator(f"sqlite:///{tmp_path}/study.db"),
    ):
        raise error from OSError("disk is full")
