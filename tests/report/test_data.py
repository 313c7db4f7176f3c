import csv
import json
from dataclasses import replace
from io import StringIO

import pytest

from placement_search.report.data import CSV_COLUMNS, as_csv, as_json
from placement_search.report.findings import gather_findings
from placement_search.space.training import TrainingChoice
from placement_search.study.records import StudyRecord
from tests.tiny_records import finals, study_record, trial


def test_the_csv_has_every_trial_once(record: StudyRecord) -> None:
    """One row per trial in the order of the ranking, columns in a fixed order."""
    rows = list(csv.DictReader(StringIO(as_csv(gather_findings(record)))))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert sorted(int(row["trial"]) for row in rows) == list(range(30))
    assert (rows[0]["rank"], rows[0]["trial"], rows[0]["score"]) == ("1", "5", "0.66")
    assert (rows[-1]["rank"], rows[-1]["end"], rows[-1]["score"]) == ("", "waiting", "")


def test_counts_stay_whole_numbers_in_the_csv(record: StudyRecord) -> None:
    """Missing values in a column don't turn its counts into 26.0."""
    rows = list(csv.DictReader(StringIO(as_csv(gather_findings(record)))))
    assert {row["n_steps"] for row in rows} == {"26", ""}


def test_the_json_holds_what_the_page_shows(record: StudyRecord) -> None:
    """Every section of the page can be rebuilt from the data."""
    gap = {"final/some layout/2": "the loss is not finite"}
    data = json.loads(as_json(gather_findings(replace(record, gaps=gap))))
    assert data["gaps"] == gap
    assert data["recommended"] == 5
    assert data["answer"]["chosen"]["test"]["mean"] == pytest.approx(0.64)
    verdicts = [c["verdict"] for c in data["answer"]["comparisons"]]
    assert verdicts == ["better", "not told apart", "better", "better"]
    assert data["definition"]["backbone"]["fingerprint"] == "fdbb689264"
    assert data["ends"]["pruned"] == 3
    assert (data["costs"]["failed_seconds"], data["costs"]["failed_steps"]) == (3.0, 0)
    assert len(data["trials"]) == 30
    assert len(data["finals"]) == 18
    assert len(data["proxy_map"]["scores"]["effective_rank"]) == 25
    assert {"command", "correlations", "costs", "goal", "measured_connections"} <= data.keys()


def test_the_json_has_no_nan(record: StudyRecord) -> None:
    """Intervals that can't be computed, and scores that are not finite, are null."""
    kept = tuple(f for f in record.finals if f.replicate == 1 or f.card.score < 0.44)
    assert record.proxy_map is not None
    scores = {"fisher": [[float("nan")] * 25] * 25}
    broken = replace(record, finals=kept, proxy_map=replace(record.proxy_map, scores=scores))

    def refuse(word: str) -> None:
        pytest.fail(f"{word} is no JSON")

    data = json.loads(as_json(gather_findings(broken)), parse_constant=refuse)
    assert data["proxy_map"]["scores"]["fisher"][0][0] is None


def test_keys_are_sorted(record: StudyRecord) -> None:
    """Two reports can be compared line by line."""
    data = json.loads(as_json(gather_findings(record)))
    assert list(data) == sorted(data)


def test_both_files_say_how_layouts_were_trained() -> None:
    """Where the space proposes that."""
    notation, fast = "3>9:bottleneck(rank=4)", TrainingChoice(0.1)
    held = finals(notation, (0.5, 0.6), training=fast)
    findings = gather_findings(study_record([trial(0, notation, training=fast)], held))
    (row,) = csv.DictReader(StringIO(as_csv(findings)))
    data = json.loads(as_json(findings))

    assert row["training"] == "learning_rate=0.1"
    assert data["trials"][0]["training"] == {"learning_rate": 0.1, "weight_decay": None}
    assert data["answer"]["chosen"]["training"] == data["trials"][0]["training"]
