"""Rows of what commands show of a study."""

import json
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from placement_search.cli import studies
from placement_search.cli.options import Format
from placement_search.cli.output import print_facts, print_rows
from placement_search.cli.studies import _status_facts, _trial_row
from placement_search.study import records
from placement_search.study.records import StudyRecord
from placement_search.study.storage import open_storage
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


def test_status_tells_how_far_the_finals_are() -> None:
    """How many retrainings lack, and whether the answer may still change."""
    record = study_record([trial(0, SMALL, 0.6), trial(1, GOOD, 0.5)])
    n_seeds, n_finalists = record.goal.n_seeds, 2
    record = replace(record, goal=replace(record.goal, n_finalists=n_finalists))
    half = replace(record, finals=tuple(finals(SMALL, (0.5,) * n_seeds)))
    whole = replace(half, finals=(*half.finals, *finals(GOOD, (0.8,) * n_seeds)))

    told = [_status_facts(each, is_in_use=False) for each in (record, half, whole)]

    missing = [2 * n_seeds, n_seeds, 0]
    assert [facts["finals_missing"] for facts in told] == missing
    assert [facts["is_final"] for facts in told] == [False, False, True]


def test_status_lists_the_studies_of_a_storage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that no search of ours made is named too, without facts."""
    address = f"sqlite:///{tmp_path}/studies.db"
    storage = open_storage(address, must_exist=False)
    for name in ("tiny", "others"):
        optuna.create_study(study_name=name, storage=storage)
    real, ours = records.load_record, study_record([trial(0, SMALL, 0.6)])
    monkeypatch.setattr(records, "load_record", lambda a, n: ours if n == "tiny" else real(a, n))

    studies.status(address, None, Format.JSON)

    other, tiny = json.loads(capsys.readouterr().out)
    assert other.keys() == tiny.keys()
    assert {name for name, cell in other.items() if cell is not None} == {
        "study", "is_storage_in_use",
    }  # fmt: skip
    assert (tiny["study"], tiny["complete"], tiny["is_final"]) == ("tiny", 1, False)
    assert (tiny["incumbent"], tiny["incumbent_score"]) == (SMALL, 0.6)


def test_rows_of_csv_end_as_lines_do(capsys: pytest.CaptureFixture[str]) -> None:
    """So that tools for lines read them; no rows are no lines."""
    print_rows([{"a": 1, "b": "x"}], Format.CSV)
    print_rows([], Format.CSV)

    assert capsys.readouterr().out == "a,b\n1,x\n"


def test_small_scores_do_not_vanish_in_tables(capsys: pytest.CaptureFixture[str]) -> None:
    """As errors of small numbers are."""
    print_facts({"rmse": 3.124e-5, "seconds": 12_345.6}, Format.TABLE)

    assert capsys.readouterr().out.split() == ["rmse", "0.00003124", "seconds", "12,346"]
