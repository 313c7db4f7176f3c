"""The studies on real data: what the README tells of them, and how their table reads a report."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from placement_search.report.markdown import PICTURES
from placement_search.report.tables import WITH_TABLE
from scripts.real_data import IMAGES, TEXTS, WITHOUT_PICTURES, command, keep_report, rows, table

REPORTS = Path("reports/real-data")


def report_of(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((REPORTS / name / "report.json").read_text("utf-8"))
    return loaded


def tables_of(document: Path) -> dict[str, dict[str, str]]:
    """By set the cells of its row, by the columns' names without what stands in brackets."""
    columns: list[str] = []
    found = {}
    for line in document.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| set |"):
            columns = cells
        elif re.match(r"\| `\w+` \|", line) and columns[:1] == ["set"]:
            named = dict(zip(columns, cells, strict=True))
            found[cells[0].strip("`")] = {
                re.split(r" \[|, mean|, same", name.strip("*"))[0].strip("*"): cell
                for name, cell in named.items()
            }
        elif not line.startswith("|"):
            columns = []
    return found


@pytest.mark.parametrize(("document", "names"), [("README.md", TEXTS), ("docs/results.md", IMAGES)])
def test_tables_of_documents_hold_what_the_reports_do(
    document: str, names: tuple[str, ...]
) -> None:
    """Every score, its interval and, where it is said, what it costs, of every set."""
    shown = tables_of(Path(document))

    assert list(shown) == list(names)
    for name in names:
        known = rows(report_of(name))
        for column, cell in shown[name].items():
            if column != "set":
                n_parameters, score, *_ = known[column]
                assert cell.replace("**", "") in {score, f"{score} [{n_parameters:,}]"}


def test_the_shipped_table_is_that_of_the_shipped_reports() -> None:
    """Whoever makes a report anew makes the table anew."""
    assert (REPORTS / "table.md").read_text("utf-8") == table((*TEXTS, *IMAGES), REPORTS)


def test_what_is_kept_of_a_report_points_at_nothing_that_is_not(tmp_path: Path) -> None:
    """The page is without pictures, and says so; all else stays."""
    made = tmp_path / "made"
    made.mkdir()
    (made / "report.md").write_text(f"# A study\n\n{PICTURES}\n\nAll 40 trials{WITH_TABLE}\n")
    (made / "report.json").write_text("{}")

    keep_report(made, tmp_path / "kept")

    page = (tmp_path / "kept" / "report.md").read_text()
    assert page == f"# A study\n\n{WITHOUT_PICTURES}\n\nAll 40 trials.\n"
    assert (tmp_path / "kept" / "report.json").read_text() == "{}"


@pytest.mark.parametrize("name", [*TEXTS, *IMAGES])
def test_the_shipped_pages_are_such_copies(name: str) -> None:
    """They name no file beside them that is not kept."""
    page = (REPORTS / name / "report.md").read_text("utf-8")

    assert WITHOUT_PICTURES in page
    assert "trials.csv" not in page.replace(WITHOUT_PICTURES, "")
    assert "report.html" not in page.replace(WITHOUT_PICTURES, "")


@pytest.mark.parametrize("name", TEXTS)
def test_texts_are_searched_under_one_thousandth_of_the_backbone(name: str) -> None:
    """With five seeds, 40 trials and the default sampler, and no path of a machine."""
    given = " ".join(command(name)[1:])

    assert "--max-params 0.1% --n-trials 40" in given
    assert "--seeds 5" in given
    assert f"--data data/{name} " in given
    assert "--model all-MiniLM-L6-v2 " in given
