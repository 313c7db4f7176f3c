"""The Pareto front in a report: there where a study had a cost, and nowhere else."""

import json
from dataclasses import replace

import pytest

from placement_search.report.data import as_json
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.front import draw_front, front_sentence, front_table
from placement_search.report.markdown import as_markdown
from placement_search.report.page import as_html
from placement_search.report.summary import summary_lines
from placement_search.study.front import admitted_front
from placement_search.study.records import StudyRecord


@pytest.fixture
def findings(record: StudyRecord) -> Findings:
    """A study that set the score against parameters."""
    asked = replace(record.definition, cost="parameters")
    return gather_findings(replace(record, definition=asked))


def test_the_table_holds_the_front(findings: Findings) -> None:
    """Cheapest first, with the cost in words above its column."""
    table = front_table(findings)
    assert table is not None
    front = admitted_front(findings.record, "parameters")

    assert [row[0] for row in table.rows] == [str(trial.number) for trial in front]
    assert table.columns[-3].title == "trainable parameters of the adapters"


def test_the_table_tells_what_the_finals_said(findings: Findings) -> None:
    """Means over fresh seeds of what was retrained, and nothing of what was not."""
    table = front_table(findings)
    assert table is not None
    held = {str(f.trial.number) for f in findings.finalists}

    assert {row[0] for row in table.rows if row[-1] and row[-2]} == held & {
        row[0] for row in table.rows
    }
    assert any(row[-1] for row in table.rows)


def test_a_layout_that_was_measured_too_slow_is_not_on_the_front(findings: Findings) -> None:
    """In no form of the report, though the prediction let it pass."""
    record = findings.record
    best = record.trials[5]
    slow = [
        replace(f, card=replace(f.card, costs=replace(f.card.costs, latency_factor=1.9)))
        if f.layout_id == best.layout_id
        else f
        for f in record.finals
    ]
    limited = replace(record.definition, max_latency="1.5x")
    table = front_table(gather_findings(replace(record, definition=limited, finals=tuple(slow))))
    before = front_table(findings)
    assert table is not None
    assert before is not None

    assert "5" in {row[0] for row in before.rows}
    assert "5" not in {row[0] for row in table.rows}


def test_the_picture_tells_layouts_from_elsewhere_from_proposals(findings: Findings) -> None:
    """They have a colour of their own, as in the other pictures."""
    trials = list(findings.record.trials)
    trials[6] = replace(trials[6], role="start: digits")
    drawn = draw_front(gather_findings(replace(findings.record, trials=tuple(trials)))) or ""

    assert "from elsewhere" in drawn
    assert "from elsewhere" not in (draw_front(findings) or "")


def test_a_search_ends_with_how_far_the_front_reaches(findings: Findings) -> None:
    """And says nothing of a front where the score was all."""
    plain = gather_findings(
        replace(findings.record, definition=replace(findings.record.definition, cost=None))
    )

    assert front_sentence(findings).startswith("The Pareto front has ")
    assert front_sentence(findings) in summary_lines(findings)
    assert front_sentence(plain) == ""


@pytest.mark.slow
def test_every_form_of_the_report_shows_it(findings: Findings) -> None:
    """Page, Markdown and JSON."""
    assert 'id="front"' in as_html(findings)
    assert "## Pareto front" in as_markdown(findings)
    assert json.loads(as_json(findings))["front"]
    assert "<svg" in (draw_front(findings) or "")


@pytest.mark.slow
def test_a_study_of_the_score_alone_has_none(record: StudyRecord) -> None:
    """Nothing of it is said."""
    findings = gather_findings(record)

    assert front_table(findings) is None
    assert draw_front(findings) is None
    assert 'id="front"' not in as_html(findings)
    assert "## Pareto front" not in as_markdown(findings)
    assert json.loads(as_json(findings))["front"] is None
