"""Where adapters are not shown to pay, the report says so."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from placement_search.layout import Layout
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.words import choice_sentences, headline
from placement_search.study.records import FinalRecord, StudyRecord
from tests.report.conftest import BEST, finals_of, wired

RULE = "By the same rule the head alone would be the smallest"


def with_head(record: StudyRecord, head: Sequence[FinalRecord], sign: int = 1) -> Findings:
    """Findings of a study whose finals are these of the head alone, and the best layout's."""
    best = finals_of(wired(BEST), (0.64, 0.65, 0.66))
    definition = replace(record.definition, is_higher_better=sign > 0)
    return gather_findings(replace(record, definition=definition, finals=(*head, *best)))


@pytest.mark.parametrize(
    ("level", "ending"),
    [
        (0.4, "it is better than 1."),
        (
            0.65,
            (
                "it is not told apart from 1 (head only). That adapters help here is not shown: "
                "the answer is not told apart from the head alone."
            ),
        ),
        (
            0.9,
            (
                "it is worse than 1 (head only). The head alone, without any adapter, is better: "
                "with this backbone, these data and this training, adapters did not pay."
            ),
        ),
    ],
)
def test_the_headline_says_whether_adapters_pay(
    record: StudyRecord, level: float, ending: str
) -> None:
    """On the test split, as the interval tells; nothing is added where they do."""
    head = finals_of(Layout(), (level - 0.01, level, level + 0.01))

    assert headline(with_head(record, head)).endswith(ending)


def test_a_head_that_was_not_retrained_is_not_told_of(record: StudyRecord) -> None:
    """One seed is compared with nothing."""
    findings = with_head(record, finals_of(Layout(), (0.9,)))

    assert "there is no baseline among the finalists" in headline(findings)
    assert RULE not in " ".join(choice_sentences(findings))


@pytest.mark.parametrize(("head", "is_near"), [(0.643, False), (0.645, True), (0.9, True)])
def test_a_head_that_only_the_space_keeps_out_is_told_of(
    record: StudyRecord, head: float, is_near: bool
) -> None:
    """Within one standard error of the best, which is 0.01 / √3 below 0.65 here, or better."""
    said = choice_sentences(with_head(record, finals_of(Layout(), (head, head))))
    expected = (
        f"{RULE}, with a mean of {head:.4f} ± 0.0000; but an answer has at least one connection, "
        "since the space asks for it."
    )

    assert [sentence for sentence in said if sentence.startswith(RULE)] == [expected] * is_near


@pytest.mark.parametrize(("head", "is_near"), [(0.657, False), (0.655, True), (0.1, True)])
def test_of_an_error_the_smaller_one_is_near(
    record: StudyRecord, head: float, is_near: bool
) -> None:
    """Where less is better, the rule looks the other way."""
    said = choice_sentences(with_head(record, finals_of(Layout(), (head, head)), sign=-1))

    assert any(sentence.startswith(RULE) for sentence in said) == is_near
