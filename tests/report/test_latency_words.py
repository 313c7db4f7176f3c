"""What reports say of finalists that are slower, by measurement, than the limit."""

import json
from dataclasses import replace

from placement_search.report.data import as_json
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.summary import summary_facts, summary_lines
from placement_search.report.tables import finalists_table
from placement_search.study.records import SEARCHED, StudyRecord
from tests.report.conftest import BEST, wired

NAME = wired(BEST).notation


def timed(record: StudyRecord, factors: tuple[float, ...], limit: str = "1.3x") -> Findings:
    """Findings with these measured latencies of the best layout, all others at 1.25."""
    finals = []
    for final in record.finals:
        costs = final.card.costs
        if final.layout_id == wired(BEST).id:
            costs = replace(costs, latency_factor=factors[final.replicate - 1])
        finals.append(replace(final, card=replace(final.card, costs=costs)))
    definition = replace(record.definition, max_latency=limit)
    return gather_findings(replace(record, definition=definition, finals=tuple(finals)))


def test_a_finalist_that_is_too_slow_is_told_with_its_measurements(record: StudyRecord) -> None:
    """In plain words, in the table, and for programs; it is not what is recommended."""
    findings = timed(record, (1.35, 1.4, 1.38))
    said = " ".join(summary_lines(findings))
    told = json.loads(as_json(findings))["finalists"]

    assert findings.layout.notation != NAME
    assert (
        f"Too slow by measurement, though not by prediction, and so never the answer: {NAME} at "
        "1.3800 times the backbone's (1.3500 to 1.4000 over 3 seeds); the limit is 1.3x"
    ) in said
    assert "Among the 3 finalists that space and budget admit" in said
    assert [row[2] for row in finalists_table(findings).rows].count("no, too slow") == 1
    assert summary_facts(findings)["too_slow"] == [
        {
            "layout": NAME,
            "trial": 5,
            "latency_factor": 1.38,
            "latency_factors": [1.35, 1.4, 1.38],
        }
    ]
    assert [f["name"] for f in told if f["is_too_slow"]] == [NAME]


def test_nothing_is_said_where_all_keep_the_limit(record: StudyRecord) -> None:
    """One measurement that is off is no reason."""
    findings = timed(record, (1.9, 1.2, 1.2))

    assert findings.layout.notation == NAME
    assert "Too slow" not in " ".join(summary_lines(findings))
    assert summary_facts(findings)["too_slow"] == []


def test_where_every_finalist_is_too_slow_the_incumbent_is_none_of_them(
    record: StudyRecord,
) -> None:
    """It says why there is no answer, which is not that finals are missing."""
    best, next_best = [t for t in record.ranking if t.role == SEARCHED][:2]
    further = [
        replace(final, layout_id=next_best.layout_id)
        for final in record.finals
        if final.layout_id == best.layout_id
    ]
    record = replace(record, finals=(*record.finals, *further))
    findings = timed(record, (1.35, 1.35, 1.35), limit="1.1x")
    said = " ".join(summary_lines(findings))

    assert findings.answer is None
    assert findings.recommended is not None
    assert findings.recommended.layout_id not in {f.trial.layout_id for f in findings.finalists}
    assert "There is no final answer since no finalist is fast enough" in said


def test_others_that_may_be_fast_enough_are_still_due(record: StudyRecord) -> None:
    """As in a study of an earlier version, which replaced nobody; the same command goes on."""
    findings = timed(record, (1.35, 1.35, 1.35), limit="1.1x")

    assert findings.has_incomplete_finals
    assert "finals were not held or are not complete" in " ".join(summary_lines(findings))


def test_where_nothing_is_left_the_cure_is_said(record: StudyRecord) -> None:
    """All that the search has was measured and is too slow."""
    finals = {final.layout_id for final in record.finals}
    short = replace(record, trials=tuple(t for t in record.trials if t.layout_id in finals))
    said = " ".join(summary_lines(timed(short, (1.35, 1.35, 1.35), limit="1.1x")))

    assert "Every complete layout that the budget admits is slower, measured, than it" in said
    assert "More trials, or another --max-latency" in said
