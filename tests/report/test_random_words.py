"""The gain over random layouts is always told, in words that fit its interval."""

from dataclasses import replace

import pytest

from placement_search.report.findings import Findings, gather_findings
from placement_search.report.random_words import interval_sentence, random_facts, random_sentence
from placement_search.report.summary import summary_facts, summary_lines
from placement_search.study.records import ReferenceRecord, StudyRecord

PAIRS = (
    ("3>8", "4>5", "6>9", "20>1"),
    ("2>9", "3>3", "5>7", "21>0"),
    ("1>9", "2>2", "5>6", "19>0"),
)
"""Three random layouts."""


def against(record: StudyRecord, level: float, n_seeds: tuple[int, ...] = (3, 3, 3)) -> Findings:
    """Findings where random layouts of the answer's size lie about ``level`` on the test split."""
    best = record.trials[5]
    assert best.card is not None
    references = [
        ReferenceRecord(
            f"random layout of the same size {number}",
            "+".join(f"{pair}:bottleneck(rank=4)" for pair in each),
            best.layout_id,
            replicate,
            replace(best.card, test_score=level + number / 500),
        )
        for number, (each, n) in enumerate(zip(PAIRS, n_seeds, strict=False), start=1)
        for replicate in range(1, n + 1)
    ]
    return gather_findings(replace(record, references=tuple(references)))


@pytest.mark.parametrize(
    ("level", "start"),
    [
        (
            0.4,
            "Choosing the places paid, the answer is better than random layouts of its size:",
        ),
        (
            0.635,
            (
                "No gain over random layouts of the same size is shown, the same adapters placed "
                "at random may have done as well (the interval does not tell):"
            ),
        ),
        (0.8, "Choosing the places did harm, the answer is worse than random layouts of its size"),
    ],
)
def test_each_outcome_has_its_sentence(record: StudyRecord, level: float, start: str) -> None:
    """With the number, the interval, and how many random layouts and seeds it rests on."""
    said = random_sentence(against(record, level))

    assert said.startswith(start)
    assert "95 % interval" in said
    assert "3 random layouts of the same size with 3 seeds each" in said
    assert said.count(".") - said.count("0.") == 1


def test_a_gain_that_was_not_measured_has_a_reason(
    record: StudyRecord, unfinished: StudyRecord
) -> None:
    """Without finals, and where no random layout of the size was trained."""
    without, none = gather_findings(unfinished), gather_findings(record)

    assert random_sentence(without) == (
        "The gain over random layouts of the same size was not measured: finals were not held "
        "or are not complete."
    )
    assert "was not measured: the study holds 0 random layouts" in random_sentence(none)
    assert interval_sentence(without) == interval_sentence(none) == ""


def test_interrupted_references_are_told_with_their_true_seeds(record: StudyRecord) -> None:
    """Fewest to most, and that the gain may change; programs read it too."""
    asked = replace(record, definition=replace(record.definition, n_random=3))
    findings = against(asked, 0.4, (3, 3, 1))
    said = random_sentence(findings)

    assert "against the mean of 3 random layouts of the same size with 1 to 3 seeds each." in said
    assert "not complete, 3 seeds each were asked for, so the gain may change: the same" in said
    assert "with its mean over 1 to 3 seeds" in interval_sentence(findings)
    assert random_facts(findings)["is_complete"] is False
    assert random_facts(against(record, 0.4))["is_complete"] is True


def test_fewer_random_layouts_than_asked_for_are_told(record: StudyRecord) -> None:
    """An interruption may have come between two of them; complete references are not doubted."""
    more = replace(record, definition=replace(record.definition, n_random=4))
    said = random_sentence(against(more, 0.4))

    assert "4 random layouts were asked for: their training was interrupted or gave no" in said
    assert said.endswith("goes on with what was not tried, as far as the space has more.")
    assert "asked for" not in random_sentence(against(record, 0.4))


@pytest.mark.parametrize(("n_found", "is_over"), [(3, True), (4, False)])
def test_a_space_without_more_of_them_is_no_interruption(
    record: StudyRecord, n_found: int, is_over: bool
) -> None:
    """The same command would add nothing, unless it found one that has no score yet."""
    asked = replace(record.definition, n_random=9)
    few = replace(record, definition=asked, alike={record.trials[5].layout_id: n_found})
    said = random_sentence(against(few, 0.4))

    assert (
        said.endswith(
            " 9 random layouts were asked for: draws found no more of this size in the space."
        )
        == is_over
    )
    assert ("the same command" in said) != is_over


def test_the_interval_is_explained(record: StudyRecord) -> None:
    """Whose it is, what it covers, and what makes it narrower."""
    said = interval_sentence(against(record, 0.4))

    assert "Welch's at 95 %" in said
    assert "--n-random" in said


@pytest.mark.parametrize("level", [0.4, 0.635, 0.8])
def test_programs_read_the_same(record: StudyRecord, level: float) -> None:
    """Numbers, verdict, and the sentence itself."""
    findings = against(record, level)
    facts = random_facts(findings)

    assert facts["is_measured"] is True
    assert (facts["n_random_layouts"], facts["n_seeds"]) == (3, 3)
    assert facts["in_words"] == random_sentence(findings)
    assert summary_facts(findings)["gain_over_random"] == facts


def test_a_search_ends_with_it(record: StudyRecord, unfinished: StudyRecord) -> None:
    """Whether it was measured or not."""
    for findings in (against(record, 0.4), gather_findings(record), gather_findings(unfinished)):
        assert random_sentence(findings) in summary_lines(findings)


def test_it_was_not_measured_for_programs_either(unfinished: StudyRecord) -> None:
    """Unknown numbers are null, and no 0 that could be mistaken for a gain."""
    facts = random_facts(gather_findings(unfinished))

    assert facts["is_measured"] is False
    assert facts["gain"] is facts["gain_low"] is facts["gain_high"] is facts["verdict"] is None
