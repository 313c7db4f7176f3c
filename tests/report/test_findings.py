import json
from dataclasses import replace

import pytest

from placement_search.errors import ReportError
from placement_search.report.data import as_json
from placement_search.report.findings import gather_findings, measure_connections, reason_line
from placement_search.report.tables import costs_table
from placement_search.space.training import TrainingChoice
from placement_search.study.records import ReferenceRecord, StudyRecord, TrialEnd
from tests.tiny_records import finals, study_record, trial


def test_the_answer_is_the_finals_choice(record: StudyRecord) -> None:
    """After the finals the recommended layout is the one that they chose."""
    findings = gather_findings(record)
    assert findings.recommended is not None
    assert findings.recommended.number == 5
    assert [c.kind.value for c in findings.layout.connections] == [
        "long_range",
        "sequential",
        "parallel",
        "recurrent",
    ]


def test_the_incumbent_stands_in_before_the_finals(unfinished: StudyRecord) -> None:
    """Without finals the best admitted trial is shown, and called the incumbent."""
    findings = gather_findings(unfinished)
    assert findings.recommended == unfinished.incumbent
    assert findings.layout_name == "incumbent"


def test_a_study_without_complete_trials_has_no_report(record: StudyRecord) -> None:
    """The error says how to go on."""
    waiting = tuple(replace(t, card=None, end=TrialEnd.WAITING) for t in record.trials)
    with pytest.raises(ReportError, match="continue it with: placement-search search"):
        gather_findings(replace(record, trials=waiting))


def test_every_trial_is_listed_once_complete_ones_first(record: StudyRecord) -> None:
    """Ranks count complete trials from 1 by falling score; the others follow by number."""
    trials = gather_findings(record).trials
    ranks = [ranked.rank for ranked in trials if ranked.rank]
    scores = [ranked.trial.score or 0.0 for ranked in trials if ranked.rank]
    others = [ranked.trial.number for ranked in trials if not ranked.rank]
    assert ranks == list(range(1, len(ranks) + 1))
    assert scores == sorted(scores, reverse=True)
    assert others == [7, 10, 11, 14, 21, 28, 29]
    assert len(trials) == len(record.trials)


def test_a_measured_connection_averages_admitted_complete_trials(record: StudyRecord) -> None:
    """References outside the space, such as an adapter in every layer, are left out."""
    last, first = record.trials[2], record.trials[3]
    again = replace(first, layout=last.layout)
    outside = record.trials[1]
    pruned = record.trials[7]
    measured = measure_connections([last, again, outside, pruned])
    assert [(m.source, m.target, m.n_trials) for m in measured] == [(22, 23, 2), (23, 24, 2)]
    assert measured[0].mean_score == pytest.approx(0.49)


@pytest.mark.parametrize(
    ("reason", "line"),
    [
        ("Traceback (most recent call last):\n  File x\nValueError: no\n", "ValueError: no"),
        ("out of memory: 3 GB\ndetails", "out of memory: 3 GB"),
        ("", "no reason given"),
        ("x" * 300, "x" * 159 + "…"),
    ],
)
def test_a_reason_is_told_in_one_line(reason: str, line: str) -> None:
    """A traceback's first line says nothing, so its last one is taken."""
    assert reason_line(reason) == line


def test_a_card_that_references_take_over_is_one_reading_of_the_test_split() -> None:
    """In a space that proposes training, too; trained otherwise the layout is read once more."""
    fast, slow = TrainingChoice(0.1), TrainingChoice(0.01)
    trials = [trial(0, "3>9:bottleneck(rank=4)", training=fast)]
    held = finals(trials[0].layout, (0.5, 0.6), training=fast)
    taken, other = (
        ReferenceRecord("random", trials[0].layout, "answer", 1, held[0].card, training)
        for training in (fast, slow)
    )
    record = study_record(trials, held)
    counts = [
        gather_findings(replace(record, references=each)).n_test_reads
        for each in ((), (taken,), (other,))
    ]

    assert counts == [2, 2, 3]


def test_what_references_take_over_costs_nothing_again() -> None:
    """Neither in the table nor in the facts, also where two layouts share a reference."""
    layout = "3>9:bottleneck(rank=4)"
    held = finals(layout, (0.5, 0.6))
    drawn = [
        ReferenceRecord("random 1", "8>1:bottleneck(rank=4)", like, 1, held[0].card)
        for like in ("answer", "start")
    ]
    taken = [ReferenceRecord("random", layout, "answer", n, held[0].card) for n in (1, 2)]
    record = replace(study_record([trial(0, layout)], held), references=(*drawn, *taken))
    found = gather_findings(record)
    costs = json.loads(as_json(found))["costs"]
    rows = {row[0]: row for row in costs_table(found).rows}

    assert costs["references_steps"] == held[0].card.n_steps
    assert rows["references, chosen from and compared with"][1] == "1"
