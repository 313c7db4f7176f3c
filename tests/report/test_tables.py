from dataclasses import replace

import pytest

from placement_search.report import tables
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.proxy_table import proxies_table
from placement_search.report.tables import Table
from placement_search.space.training import TrainingChoice
from placement_search.study.records import ReferenceRecord, StudyRecord
from tests.tiny_records import finals, score_card, study_record, trial

ALL = [
    tables.connections_table,
    tables.finalists_table,
    tables.ranking_table,
    proxies_table,
    tables.ends_table,
    tables.failures_table,
    tables.costs_table,
    tables.facts_table,
    tables.versions_table,
]


def column(table: Table, title: str) -> list[str]:
    index = [c.title for c in table.columns].index(title)
    return [row[index] for row in table.rows]


@pytest.mark.parametrize("make", ALL)
def test_every_row_fills_every_column(record: StudyRecord, make: object) -> None:
    """No table has a ragged row, so that no cell stands under a wrong title."""
    assert callable(make)
    table = make(gather_findings(record))
    assert table.rows
    assert {len(row) for row in table.rows} == {len(table.columns)}


def test_a_sampler_that_changed_is_told_among_the_facts(record: StudyRecord) -> None:
    """Beside its name, where a reader looks for what made the study."""
    changed = replace(record, sampler_versions={0: 1, 9: 2})
    table = tables.facts_table(gather_findings(changed))

    assert (
        "tpe (from trial 9 on by another version of it, which may propose otherwise), median"
        in (column(table, "value"))
    )


@pytest.mark.parametrize("together", [{"tied": "blocks"}, {"symmetric": True}])
def test_connections_that_come_together_are_counted_so(
    record: StudyRecord, together: dict[str, object]
) -> None:
    """A layout has all connections of its groups, more than the space's numbers say."""
    asked = record.definition
    tied = replace(record, definition=replace(asked, space=asked.space | together))

    for study, what in ((record, "connections"), (tied, "groups of connections")):
        table = tables.facts_table(gather_findings(study))
        assert f"{what} per layout" in column(table, "what")


def test_connections_are_told_in_words(record: StudyRecord) -> None:
    """Both ends of a connection are named for readers who don't count nodes."""
    table = tables.connections_table(gather_findings(record))
    assert table.rows[0] == (
        "3>9",
        "long-range",
        "block 1, after attention",
        "block 4, after attention",
        "bottleneck(rank=4)",
    )


@pytest.mark.slow
def test_finalists_are_sorted_by_validation(record: StudyRecord) -> None:
    """The best mean validation score stands first, baselines under their names."""
    table = tables.finalists_table(gather_findings(record))
    roles = ["search", "every layer, parallel", "random 2", "last layers", "random 1", "head only"]
    assert column(table, "role") == roles
    assert column(table, "latency") == ["1.25×"] * 6


@pytest.mark.slow
def test_the_ranking_is_capped_and_says_so(large_findings: Findings) -> None:
    """A page of 10,000 rows would not open; the note names the file that has them."""
    assert len(tables.ranking_table(large_findings).rows) == tables.SHOWN_TRIALS
    assert "first 200 of 10,000" in tables.ranking_note(large_findings)


def test_all_ends_are_counted(record: StudyRecord) -> None:
    """Ends that no trial had count 0 and stay in the table, and the counts add up."""
    table = tables.ends_table(gather_findings(record))
    assert dict(zip(column(table, "end"), column(table, "trials"), strict=True)) == {
        "complete": "23",
        "pruned": "3",
        "failed": "1",
        "infeasible": "1",
        "running": "1",
        "waiting": "1",
    }


def test_reasons_are_one_line_each(record: StudyRecord) -> None:
    """Failed and infeasible trials are listed with what went wrong."""
    table = tables.failures_table(gather_findings(record))
    assert column(table, "reason") == ["RuntimeError: <b>loss</b> | is nan", "out of memory: 3 GB"]


def test_costs_add_up(record: StudyRecord) -> None:
    """Seconds and steps are sums over the runs that the row counts."""
    table = tables.costs_table(gather_findings(record))
    assert table.rows[0] == ("complete trials", "23", "34.5", "598")
    assert table.rows[1] == ("pruned trials", "3", "4.5", "–")
    assert table.rows[2] == ("failed and infeasible trials", "2", "3.0", "–")
    assert table.rows[3] == ("retrainings of finalists", "18", "27.0", "468")
    assert table.rows[4][0] == "proxy map, from 256 examples"


def test_failed_trials_cost_what_they_took_until_then(record: StudyRecord) -> None:
    """Their steps too where all were counted; a dash where an earlier version kept no clock."""
    trials = [replace(t, n_steps=7) if t.number in {10, 11} else t for t in record.trials]
    counted = tables.costs_table(gather_findings(replace(record, trials=tuple(trials))))
    trials[10] = replace(trials[10], seconds=None)
    unknown = tables.costs_table(gather_findings(replace(record, trials=tuple(trials))))

    assert counted.rows[2] == ("failed and infeasible trials", "2", "3.0", "14")
    assert unknown.rows[2] == ("failed and infeasible trials", "2", "–", "14")


def test_one_is_no_plural(record: StudyRecord) -> None:
    """A study of one epoch has one validation score."""
    plan = replace(record.definition.training, epochs=1)
    once = replace(record, definition=replace(record.definition, training=plan))

    (said,) = (
        value
        for value in column(tables.facts_table(gather_findings(once)), "value")
        if "batch size" in value
    )
    assert said.startswith("1 epoch, 1 validation score, batch size")


def reference(
    like: str, pair: str, replicate: int, role: str = "random layout of the same size 1"
) -> ReferenceRecord:
    notation = f"{pair}:bottleneck(rank=4)"
    return ReferenceRecord(role, notation, like, replicate, score_card(notation, 0.5, 0.5))


def test_references_that_were_drawn_for_another_layout_are_listed_too() -> None:
    """What the gain over random layouts rests on, each layout once; other sizes are left out."""
    notation = "3>9:bottleneck(rank=4)"
    record = study_record([trial(0, notation)], finals(notation, (0.5, 0.6)))
    ours = record.trials[0].layout_id
    references = (
        *(reference(ours, "1>2", replicate) for replicate in (1, 2)),
        *(reference("other", "1>2", replicate) for replicate in (1, 2, 3)),
        *(reference("other", "2>5", replicate) for replicate in (1, 2, 3)),
        reference("other", "2>5:bottleneck(rank=4)+5>2", 1),
    )
    findings = gather_findings(replace(record, references=references))
    assert findings.answer is not None
    table = tables.finalists_table(findings)

    assert findings.answer.random.n_layouts == 2
    assert column(table, "layout")[1:] == ["1>2:bottleneck(rank=4)", "2>5:bottleneck(rank=4)"]
    assert column(table, "seeds")[1:] == ["3", "3"]


def test_tables_say_how_layouts_were_trained() -> None:
    """Where the space proposes that, behind the notation."""
    notation, fast = "3>9:bottleneck(rank=4)", TrainingChoice(0.1)
    held = finals(notation, (0.5, 0.6), training=fast)
    findings = gather_findings(study_record([trial(0, notation, training=fast)], held))
    said = [f"{notation} @ learning_rate=0.1"]

    assert column(tables.finalists_table(findings), "layout") == said
    assert column(tables.ranking_table(findings), "layout") == said
