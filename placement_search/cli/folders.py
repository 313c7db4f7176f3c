"""Where commands put what they make of a study, and that nothing of another study lies there."""

import itertools
import json
import shlex
from pathlib import Path
from typing import Any

from placement_search.errors import OutputError, StudyError
from placement_search.export.layout_file import LAYOUT_NAME
from placement_search.output_files import OTHER_FOLDER, is_folder_name
from placement_search.study.settings import SearchSettings
from placement_search.study.storage import database_path

RUNS = Path("runs")


def folder_of(study: str) -> Path:
    """The folder of a study's output where the user names none.

    Raises:
        OutputError: If the study's name is none of a folder.
    """
    if not is_folder_name(study):
        raise OutputError(f"study name {study!r} can't name a folder of {RUNS}/; give one (--out)")
    return RUNS / study


def layout_folder(study: str, trial: int | None) -> Path:
    """The folder of a study's exported layout where the user names none.

    Args:
        study: Its name.
        trial: Number of the trial that is asked for, which does not replace the answer; None for
            the answer.

    Raises:
        OutputError: If the study's name is none of a folder.
    """
    return folder_of(study) / ("layout" if trial is None else f"trial-{trial}")


def check_report(folder: Path, study: str, storage: str) -> None:
    """Check that no other study's report would be replaced, nor files that are of none.

    Raises:
        OutputError: If one would.
    """
    from placement_search.report.formats import joined
    from placement_search.report.write import FILES, OWNER

    held = held_facts(folder / OWNER)
    lying = [name for name in FILES if (folder / name).exists()]
    if held.get("study"):
        _check_owner(
            folder,
            "report",
            (str(held["study"]), str(held.get("storage") or _UNTOLD)),
            (study, storage),
        )
    elif lying:
        raise OutputError(
            f"{str(folder)!r} holds {joined(lying)}, and no report of a study; {OTHER_FOLDER}"
        )


def check_layout(folder: Path, study: str, storage: str) -> None:
    """Check that no layout would be replaced but one that this study exported.

    Raises:
        OutputError: If one would.
    """
    held = held_facts(folder / LAYOUT_NAME)
    if derived := held.get("derived_from"):
        raise OutputError(
            f"{str(folder)!r} holds a layout that was made of others by "
            f"{_entry(derived).get('operation', 'an operation')!r}; {OTHER_FOLDER}"
        )
    if provenance := _entry(held.get("provenance")):
        theirs = str(provenance.get("study", "")), _storage_of(str(provenance.get("command", "")))
        _check_owner(folder, "layout", theirs, (study, storage))
    elif (folder / LAYOUT_NAME).exists():
        raise OutputError(
            f"{str(folder)!r} holds a {LAYOUT_NAME} that no study exported; {OTHER_FOLDER}"
        )


_UNTOLD = "a storage that it does not tell"


def _check_owner(folder: Path, what: str, theirs: tuple[str, str], ours: tuple[str, str]) -> None:
    same = theirs[0] == ours[0] and _place(theirs[1]) == _place(ours[1])
    if not same:
        raise OutputError(
            f"{str(folder)!r} holds the {what} of another study, {theirs[0]!r} in {theirs[1]}; "
            f"{OTHER_FOLDER}"
        )


def held_facts(path: Path) -> dict[str, Any]:
    """What a file holds; nothing where there is none, or it is no JSON object."""
    try:
        held = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return _entry(held)


def _entry(held: object) -> dict[str, Any]:
    """What stands there if it is an object; nothing otherwise."""
    return held if isinstance(held, dict) else {}


def _storage_of(command: str) -> str:
    """The storage that a command names; none can be told of one whose quotes do not close."""
    try:
        words = shlex.split(command)
    except ValueError:
        return _UNTOLD
    named = dict(itertools.pairwise(words))
    return named.get("--storage", SearchSettings().storage)


def _place(address: str) -> Path | str:
    try:
        return database_path(address).resolve()
    except StudyError:
        return address
