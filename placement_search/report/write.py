"""Writing a report: four files in one folder."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

from placement_search.output_files import make_folder, write_whole
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
OWNER = "report.json"
"""The one that says which study's report it is."""


def write_report(record: StudyRecord, folder: Path | str) -> list[Path]:
    """Write a study's report; the same record gives the same bytes.

    Args:
        record: The study.
        folder: Made if missing; files of an earlier report are replaced, each at once.

    Returns:
        The paths of the files, `report.md` first.

    Raises:
        ReportError: If the study has no complete trial.
        OutputError: If ``folder`` is a file or can't be made.
    """
    findings = gather_findings(record)
    folder = make_folder(folder)
    texts = {name: as_text(findings) for name, as_text in FILES.items()}
    # First the one by which the folder is known to hold a report of this study.
    for name in sorted(texts, key=lambda name: name != OWNER):
        write_whole(folder / name, texts[name])
    return [folder / name for name in texts]
