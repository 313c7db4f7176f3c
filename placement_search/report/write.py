"""Writing a report: four files in one folder."""

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from placement_search.errors import ReportError
from placement_search.report.data import as_csv, as_json
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.markdown import as_markdown
from placement_search.report.page import as_html
from placement_search.study.records import StudyRecord

FILES: Mapping[str, Callable[[Findings], str]] = MappingProxyType(
    {
        "report.md": as_markdown,
        "trials.csv": as_csv,
        "report.json": as_json,
        "report.html": as_html,
    }
)
"""The files of a report and what gives their text."""


def write_report(record: StudyRecord, folder: Path) -> list[Path]:
    """Write a study's report; the same record gives the same bytes.

    Args:
        record: The study.
        folder: Made if missing; files of an earlier report are replaced, each at once.

    Returns:
        The paths of the files, `report.md` first.

    Raises:
        ReportError: If the study has no complete trial, or ``folder`` is a file.
    """
    findings = gather_findings(record)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ReportError(
            f"a report needs a folder, {str(folder)!r} is or lies in a file"
        ) from error
    texts = {name: as_text(findings) for name, as_text in FILES.items()}
    for name, text in texts.items():
        _replace(folder / name, text)
    return [folder / name for name in texts]


def _replace(path: Path, text: str) -> None:
    """Write beside ``path`` and move into place, so that no reader sees half a file."""
    handle, written = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(written).chmod(0o644)
        Path(written).replace(path)
    except BaseException:
        Path(written).unlink(missing_ok=True)
        raise
