"""Writing files where the user wants them: whole or not at all, and never over something else."""

import os
import tempfile
from pathlib import Path

from placement_search.errors import OutputError

OTHER_FOLDER = "give another folder (--out), or move that one away"
"""What to do where something lies that must not be replaced."""


def is_folder_name(name: str) -> bool:
    """Whether a name, such as a study's, names a folder within another one."""
    return name not in {".", ".."} and Path(name).name == name and "\\" not in name


def nearest_existing(folder: Path) -> Path:
    """``folder``, or the nearest one above it that exists."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def check_folder(folder: Path | str) -> Path:
    """``folder``, if it is a folder or could become one; nothing is made.

    Raises:
        OutputError: If it is a file, or lies in one, or can't be written into.
    """
    try:
        place = nearest_existing(Path(folder))
        is_folder = place.is_dir()
    except (OSError, RuntimeError) as error:  # no name of a file, or a link to itself
        raise OutputError(f"{str(folder)!r} can't be a folder: {error}") from error
    if not is_folder:
        raise OutputError(f"output needs a folder, {str(folder)!r} is or lies in a file")
    if not os.access(place, os.W_OK):
        raise OutputError(f"nothing can be written into {str(place)!r}")
    return Path(folder)


def make_folder(folder: Path | str) -> Path:
    """``folder``, made with its parents where it is missing.

    Raises:
        OutputError: If it can't be made.
    """
    checked = check_folder(folder)
    try:
        checked.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{str(folder)!r} can't be made: {error.strerror}") from error
    return checked


def write_whole(path: Path, content: str | bytes) -> Path:
    """Write beside ``path`` and move into place, so that there is the old file or the new one.

    Text is written as UTF-8 with plain newlines.

    Raises:
        OutputError: If a folder lies there.
    """
    if path.is_dir():
        raise OutputError(f"{str(path)!r} is to be a file, and is a folder; move it away")
    handle, written = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content.encode() if isinstance(content, str) else content)
        Path(written).chmod(0o644)
        Path(written).replace(path)
    except BaseException:
        Path(written).unlink(missing_ok=True)
        raise
    return path
