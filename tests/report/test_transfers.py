"""The report's section on layouts from elsewhere."""

from dataclasses import replace

import pytest

from placement_search.report.data import as_json
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.markdown import as_markdown
from placement_search.report.page import as_html
from placement_search.report.summary import summary_lines
from placement_search.report.transfers import TITLE, transfer_sentences, transfers_table
from placement_search.report.words import choice_sentences, headline
from placement_search.study.records import StudyRecord, TrialEnd
from placement_search.study.starts import StartLayout
from tests.report.conftest import finals_of, trial, unscored, wired

GIVEN = wired([(7, 2), (9, 9)])
START = StartLayout(GIVEN.notation, "digits", "fir|st", "0123", "macro F1", 0.91, 3)


def started(record: StudyRecord, scores: tuple[float, ...] = (0.6, 0.61, 0.62)) -> StudyRecord:
    """The study with a layout from elsewhere as trial 6, as large as its random baselines."""
    given = trial(6, GIVEN, 0.6, "start: digits", is_eligible=False)
    return replace(
        record,
        definition=replace(record.definition, start_from={"start: digits": START}),
        trials=(*record.trials[:6], given, *record.trials[7:]),
        finals=(*record.finals, *finals_of(GIVEN, scores)),
        queue_notes={"start: digits": "can't be the answer: the budget is smaller"},
    )


@pytest.fixture
def findings(record: StudyRecord) -> Findings:
    return gather_findings(started(record))


def test_a_row_tells_there_and_here(findings: Findings) -> None:
    """Scores of both, its place among the trials, its gain over random layouts of its size."""
    table = transfers_table(findings)
    ((origin, layout, size, there, here, test, rank, gain, interval, admitted),) = table.rows

    assert len(table.columns) == len(table.rows[0])
    assert (origin, layout) == ("digits (study fir|st)", GIVEN.notation)
    assert (size, there, here[:6], test[:6]) == ("1,416", "0.9100", "0.6100", "0.6000")
    assert rank == f"3 of {len(findings.record.ranking)}"
    assert gain == "+0.1167"
    assert " to " in interval
    assert admitted == "no"


@pytest.mark.parametrize(
    ("level", "outcome"),
    [
        (0.9, "Its places carried over, here they are better than random ones"),
        (
            0.5,
            "That its places carried over is not shown, here they are not told apart from random",
        ),
        (0.1, "Its places did not carry over"),
    ],
)
def test_its_worth_is_told_in_words(record: StudyRecord, level: float, outcome: str) -> None:
    """As the interval says; with the score there, its metric, and what to keep in mind."""
    scores = (level, level + 0.01, level + 0.02)
    (said,) = transfer_sentences(gather_findings(started(record, scores)))

    assert "scored 0.9100 where it was found (macro F1, the mean of 3 seeds)" in said
    assert "another backbone" in said
    assert outcome in said
    assert "against the mean of 2 random layouts of the same size" in said
    assert "It can't be the answer: the budget is smaller." in said


def test_without_finals_nothing_is_claimed(record: StudyRecord) -> None:
    """Its gain over random layouts needs retrainings."""
    findings = gather_findings(replace(started(record), finals=()))

    assert "was not measured" in transfer_sentences(findings)[0]
    assert transfers_table(findings).rows[0][7] == "–"


def test_one_retraining_is_told_as_such(record: StudyRecord) -> None:
    """It was retrained, yet too rarely for an interval."""
    (said,) = transfer_sentences(gather_findings(started(record, (0.6,))))

    assert "Here it was retrained with 1 seed, so its gain over random layouts was not" in said


@pytest.mark.parametrize(
    ("end", "outcome"),
    [
        (TrialEnd.INFEASIBLE, "it has no score, since it was infeasible: out of memory: 3 GB."),
        (TrialEnd.FAILED, "it has no score, since it failed: out of memory: 3 GB."),
        (TrialEnd.PRUNED, "it has no final score, since it was pruned."),
        (TrialEnd.WAITING, "it has no score yet."),
    ],
)
def test_one_without_a_score_is_told_why(record: StudyRecord, end: TrialEnd, outcome: str) -> None:
    """What ended for good is not said to be still to come."""
    given = started(record, ())
    ended = unscored(given.trials[6], end, "out of memory: 3 GB\nmore")
    trials = (*given.trials[:6], ended, *given.trials[7:])
    (said,) = transfer_sentences(gather_findings(replace(given, trials=trials)))

    assert f"Here {outcome}" in said


@pytest.mark.slow
def test_every_form_of_the_report_has_it(findings: Findings) -> None:
    """Page, Markdown, JSON and the summary of the search."""
    (said,) = transfer_sentences(findings)

    assert f">{TITLE}</h2>" in as_html(findings)
    assert f"## {TITLE}" in as_markdown(findings)
    assert '"role": "start: digits"' in as_json(findings)
    assert said in summary_lines(findings)


@pytest.mark.slow
def test_studies_without_any_do_not_mention_them(record: StudyRecord) -> None:
    """No empty section."""
    findings = gather_findings(record)

    assert TITLE not in as_html(findings) + as_markdown(findings)
    assert transfer_sentences(findings) == []


def test_the_headline_tells_them_from_baselines(findings: Findings) -> None:
    """They are compared with, too, and are no baselines."""
    assert "against 4 baselines and 1 layout from elsewhere" in headline(findings)
    assert "all complete baselines and layouts from elsewhere were" in choice_sentences(findings)[0]


def test_one_may_be_the_answer(record: StudyRecord) -> None:
    """Where space and budget admit it; it is no find of the search then."""
    given = started(record, (0.9, 0.91, 0.92))
    trials = tuple(replace(t, is_eligible=True) if t.is_start else t for t in given.trials)

    assert headline(gather_findings(replace(given, trials=trials))).startswith(
        "The answer is a layout from elsewhere, “start: digits” (2 connections)"
    )


def test_one_that_was_made_of_it_is_told_from_it(record: StudyRecord) -> None:
    """The study changed it, so it is not what was found elsewhere."""
    given = started(record, (0.9, 0.91, 0.92))
    trials = tuple(
        replace(t, is_eligible=True, role="adapted start: digits") if t.is_start else t
        for t in given.trials
    )
    chosen = headline(gather_findings(replace(given, trials=trials)))
    other = headline(gather_findings(replace(started(record), trials=trials)))

    assert chosen.startswith(
        "The answer is a layout adapted from elsewhere, “adapted start: digits”"
    )
    assert "1 layout from elsewhere (1 of them adapted)" in other
