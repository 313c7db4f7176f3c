"""Where a study lives: one SQLite file, one coordinator at a time."""

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import filelock
import optuna
import sqlalchemy.exc
from optuna.storages import BaseStorage, RDBStorage

from placement_search.errors import StudyError, nearest
from placement_search.output_files import nearest_existing

PREFIX = "sqlite:///"
BUSY_SECONDS = 60
"""How long a write waits for another reader's lock, e.g. a dashboard's."""
LOOK_SECONDS = 0.2
"""How long one waits for who only looks whether a search is running."""
UNUSABLE = (sqlalchemy.exc.SQLAlchemyError, sqlite3.Error, OSError, RuntimeError)
"""What a file raises that can't be opened as a storage."""


def database_path(address: str) -> Path:
    """The file of an SQLite address.

    Raises:
        StudyError: If the address names no SQLite file.
    """
    if not address.startswith(PREFIX) or len(address) == len(PREFIX):
        raise StudyError(
            f"--storage is an SQLite address, e.g. sqlite:///study.db; got {address!r}"
        )
    return Path(address.removeprefix(PREFIX))


def open_storage(address: str, *, must_exist: bool) -> RDBStorage:
    """Open an SQLite file as Optuna's storage; a new file is made unless it ``must_exist``.

    A file that must exist is looked at before it is opened, and nothing is written into it; it may
    be one that nobody can write.

    Raises:
        StudyError: If the file is missing, is a database of something else or none at all, or its
            folder can't or may not be made.
    """
    path = database_path(address)
    try:
        if must_exist:
            _check_holds_studies(path, address)
        else:
            _make_folder(address)
        kept = must_exist and not _may_be_written(path)
        connected = partial(_only_read, path) if kept else partial(_connected, path, not must_exist)
        # Optuna fills in what stands between braces.
        filled = address.replace("{", "{{").replace("}", "}}")
        return RDBStorage(filled, engine_kwargs={"creator": connected})
    except UNUSABLE as error:
        raise _unusable(path, error) from error


def check_place(address: str) -> None:
    """Check that a search may put its storage there; nothing is written.

    Folders inside the working directory are made as they are needed, as those of ``--out`` are.
    Elsewhere, where a slash too many in the address leads, only the last one is, and none at the
    root of the disk.

    Raises:
        StudyError: If the address names no SQLite file, one of something else, a folder, one that
            would have to be made, or a place that can't be written to.
    """
    path = database_path(address)
    try:
        folder = path.parent.resolve()
        folder.exists()
        is_folder = path.is_dir()
        written = path.resolve().parent  # of a link, that of its file, where SQLite keeps others
        there = nearest_existing(written)
    except UNUSABLE as error:
        raise _unusable(path, error) from error
    if is_folder:
        raise _is_folder(path)
    is_ours = folder.is_relative_to(Path.cwd().resolve())
    is_last = folder.parent.exists() and folder.parent != Path(folder.anchor)
    if not (folder.exists() or is_ours or is_last):
        raise StudyError(
            f"--storage {address!r} lies in {folder}, which does not exist outside the working "
            f"directory; make that folder, or give an address inside, e.g. {PREFIX}study.db"
        )
    if not os.access(there, os.W_OK):
        raise StudyError(f"--storage {address!r}: nothing can be written into {str(there)!r}")
    if path.exists() and not os.access(path, os.W_OK):
        raise StudyError(f"--storage {address!r}: this file can't be written to")
    has_tables, has_studies = _contents(path)
    if has_tables and not has_studies:
        raise _of_something_else(path)


def _make_folder(address: str) -> None:
    """Make the folder of a storage where that may be done, see `check_place`."""
    check_place(address)
    database_path(address).parent.mkdir(parents=True, exist_ok=True)


def backend_of(storage: BaseStorage) -> RDBStorage | None:
    """The database storage that a study's storage is, or keeps a cache of; None for others."""
    backend = getattr(storage, "_backend", storage)
    return backend if isinstance(backend, RDBStorage) else None


def _check_holds_studies(path: Path, address: str) -> None:
    """Look into a file without changing it.

    Raises:
        StudyError: If it is missing, a folder, no database, or one of something else.
    """
    if path.is_dir():
        raise _is_folder(path)
    if not path.is_file():
        raise StudyError(f"there is no storage {address!r}; a search makes one, or give --storage")
    _, has_studies = _contents(path)
    if not has_studies:
        raise _of_something_else(path)


def _contents(path: Path) -> tuple[bool, bool]:
    """Whether a file holds tables, and whether those of studies; it is not changed.

    Raises:
        StudyError: If it is no database.
    """
    try:
        if not path.is_file():
            return False, False
        with closing(_only_read(path)) as connection:
            tables = {name for (name,) in connection.execute("select name from sqlite_master")}
    except UNUSABLE as error:
        raise _unusable(path, error) from error
    return bool(tables), "studies" in tables


def _is_folder(path: Path) -> StudyError:
    return StudyError(
        f"--storage takes a file, {str(path)!r} is a folder; give one in it, e.g. "
        f"{PREFIX}{path / 'study.db'}"
    )


def _of_something_else(path: Path) -> StudyError:
    return StudyError(
        f"{path} is a database of something else: it has no studies; give another --storage"
    )


def _unusable(path: Path, error: Exception) -> StudyError:
    said = str(error).partition("(Background on this error")[0].strip()
    return StudyError(f"{path} can't be used as a storage: {said}")


def _may_be_written(path: Path) -> bool:
    """Whether SQLite can write a file, beside which it keeps others while it does."""
    return os.access(path, os.W_OK) and os.access(path.resolve().parent, os.W_OK)


def _only_read(path: Path) -> sqlite3.Connection:
    """A connection that writes nothing, also to a file that nobody can write.

    SQLite makes files beside a database even to read it, unless it is told that nothing changes.
    That is not so where a log with the last commits lies beside it: then they must be there.
    """
    path = path.resolve()
    log = path.with_name(f"{path.name}-wal")
    has_log = log.is_file() and log.stat().st_size
    how = "mode=ro" if has_log or _may_be_written(path) else "immutable=1"
    address = f"{path.absolute().as_uri()}?{how}"
    return sqlite3.connect(address, uri=True, timeout=BUSY_SECONDS, check_same_thread=False)


def _connected(path: Path, is_new: bool) -> sqlite3.Connection:  # noqa: FBT001 - of a partial
    """A connection; one that a search makes sets a write-ahead log, which stays with the file.

    With it readers never block the search, and SQLite waits for the disk at checkpoints and not at
    every commit. A killed process loses nothing; a power cut may lose the last commits, but never
    the file.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, check_same_thread=False)
    if is_new:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
    return connection


@contextmanager
def sole_coordinator(address: str) -> Iterator[None]:
    """Hold the storage's lock; the system gives it back when the process ends, however it ends.

    Raises:
        StudyError: If another search holds it, or nothing can be written there, also later on.
    """
    path = database_path(address)
    lock = filelock.FileLock(_lock_file(address))
    try:
        _make_folder(address)
        lock.acquire(timeout=LOOK_SECONDS)
    except filelock.Timeout as error:
        raise StudyError(
            f"another search is running on {address!r}, which takes one at a time; wait for it, "
            "stop it, or give another --storage"
        ) from error
    except OSError as error:
        raise StudyError(f"{path} can't be used as a storage: {error}") from error
    try:
        yield
    except (optuna.exceptions.StorageInternalError, sqlalchemy.exc.SQLAlchemyError) as error:
        raise StudyError(
            f"{path} could not be written: {error.__cause__ or error}; what was evaluated before "
            "is kept, and the same command goes on once the file can be written"
        ) from error
    finally:
        lock.release()


def has_coordinator(address: str) -> bool | None:
    """Whether a search is running on a storage; None where its lock may not be looked at."""
    path = _lock_file(address)
    if not path.exists():
        return False
    lock = filelock.FileLock(path)
    try:
        with lock.acquire(timeout=LOOK_SECONDS):
            return False
    except filelock.Timeout:
        return True
    except OSError:
        return None


def _lock_file(address: str) -> Path:
    """Beside the file itself, by whatever name that is called."""
    return Path(f"{database_path(address).resolve()}.lock")


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Hold back Optuna's own messages; our progress says the same with more context."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(level)


def held_study(address: str, name: str) -> optuna.Study | None:
    """The study of this name; None where the storage has none, or there is no storage yet."""
    path = database_path(address)
    if not path.exists() or not _contents(path)[0]:
        return None
    storage = open_storage(address, must_exist=True)
    is_there = name in _names_in(storage)
    return optuna.load_study(study_name=name, storage=storage) if is_there else None


def study_names(address: str) -> list[str]:
    """The studies of a storage, sorted.

    Raises:
        StudyError: If it is no storage.
    """
    with quiet_optuna():
        return _names_in(open_storage(address, must_exist=True))


def _names_in(storage: BaseStorage) -> list[str]:
    return sorted(study.study_name for study in storage.get_all_studies())


def load_study(address: str, name: str | None) -> optuna.Study:
    """The study of this name, or the only one of its storage where ``name`` is None.

    Raises:
        StudyError: If there is none, or several and no name.
    """
    with quiet_optuna():
        storage = open_storage(address, must_exist=True)
        names = _names_in(storage)
        if name is None and len(names) != 1:
            listed = ", ".join(names) or "none"
            raise StudyError(f"{address!r} holds these studies: {listed}; choose by --study-name")
        chosen = names[0] if name is None else name
        if chosen not in names:
            raise StudyError(f"{address!r} has no study {chosen!r}" + nearest(chosen, names))
        return optuna.load_study(study_name=chosen, storage=storage)
