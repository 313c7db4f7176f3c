"""Rows of what commands show of a study."""

import json
from dataclasses import replace

import pytest

from placement_search.cli import studies
from placement_search.cli.options import Format
from placement_search.cli.studies import _trial_row
from placement_search.study import records
from placement_search.study.records import StudyRecord
from tests.tiny_records import finals, study_record, trial

EVERY_LAYER = "+".join(f"{node}>{node}:bottleneck(rank=8)" for node in range(1, 25))


def test_a_table_of_trials_shortens_long_layouts() -> None:
    """Adapters in every layer would fill the screen; programs get all of them."""
    everywhere = trial(0, EVERY_LAYER, role="every layer, sequential", is_eligible=False)

    assert str(_trial_row(everywhere, Format.TABLE)["layout"]).endswith("+… (24 connections)")
    assert _trial_row(everywhere, Format.JSON)["layout"] == EVERY_LAYER


SMALL, GOOD = "3>9:bottleneck(rank=1)", "3>9:bottleneck(rank=4)"


def of_two_objectives(*, is_final: bool = True) -> StudyRecord:
    """A study whose answer, the better one over fresh seeds, lies off the search's front."""
    held = [*finals(SMALL, (0.5, 0.51)), *finals(GOOD, (0.8, 0.81))] if is_final else []
    record = study_record([trial(0, SMALL, 0.6), trial(1, GOOD, 0.5)], held)
    return replace(record, definition=replace(record.definition, cost="parameters"))


def best_of(
    record: StudyRecord,
    form: Format,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    monkeypatch.setattr(records, "load_record", lambda *_: record)
    studies.best("sqlite:///study.db", None, form)
    return capsys.readouterr().out


def test_the_answer_stands_behind_a_front_that_lacks_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The front is that of single scores; with why its gain was not measured."""
    rows = json.loads(best_of(of_two_objectives(), Format.JSON, monkeypatch, capsys))

    assert [(r["trial"], r["is_on_front"], r["is_answer"]) for r in rows] == [
        (0, True, False),
        (1, False, True),
    ]
    assert rows[0]["gain_not_measured"] is None
    assert "0 random layouts of its size" in rows[1]["gain_not_measured"]


def test_an_answers_test_score_beside_a_front_is_that_after_the_choice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its finals chose it, so theirs is lucky; the others' are of their finals."""
    record = of_two_objectives()
    again = replace(record, confirmations=tuple(finals(GOOD, (0.7, 0.72))))
    before = json.loads(best_of(record, Format.JSON, monkeypatch, capsys))
    after = json.loads(best_of(again, Format.JSON, monkeypatch, capsys))
    (answer,) = (row for row in after if row["is_answer"])

    assert [row["test"] for row in before] == pytest.approx([0.505, 0.805])
    assert answer["test"] == pytest.approx(0.71)
    assert after[0]["test"] == before[0]["test"]


def test_without_finals_no_layout_of_a_front_is_the_answer(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The incumbent is not passed off as one."""
    record = of_two_objectives(is_final=False)
    (row,) = json.loads(best_of(record, Format.JSON, monkeypatch, capsys))

    assert row["is_answer"] is False
    assert row["gain_not_measured"] == "finals were not held or are not complete"


def test_people_read_the_gain_below_the_front(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it would make the table too wide."""
    said = best_of(of_two_objectives(), Format.TABLE, monkeypatch, capsys)

    assert "Pareto front of tiny" in said
    assert "gain_not_measured" in said.splitlines()[-1]
