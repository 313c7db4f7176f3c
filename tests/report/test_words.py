from dataclasses import replace
from typing import Any

import pytest

from placement_search.report.findings import Findings, gather_findings
from placement_search.report.proxy_words import proxy_sentences
from placement_search.report.summary import summary_lines
from placement_search.report.words import (
    choice_sentences,
    comparison_sentence,
    course_words,
    headline,
    key_figures,
    sampler_words,
    search_seeds,
)
from placement_search.study.comparisons import Against
from placement_search.study.records import FinalRecord, StudyRecord
from tests.tiny_records import DEFINITION


def with_test_scores(record: StudyRecord, layout_id: str, score: float) -> Findings:
    """Findings where a finalist's test scores lie about ``score``."""

    def scored(final: FinalRecord) -> FinalRecord:
        if final.layout_id != layout_id:
            return final
        card = replace(final.card, test_score=score + final.replicate / 1000)
        return replace(final, card=card)

    return gather_findings(replace(record, finals=tuple(scored(f) for f in record.finals)))


def sentences_of(findings: Findings) -> list[str]:
    assert findings.answer is not None
    answer = findings.answer
    return [comparison_sentence(c, answer) for c in answer.comparisons]


@pytest.mark.parametrize(
    ("n", "verdict", "few"),
    [
        (2, "Not told apart from x", ", too few to tell by"),
        (4, "Better than x", ""),
    ],
)
def test_seeds_that_differ_in_nothing_give_no_interval(
    record: StudyRecord, n: int, verdict: str, few: str
) -> None:
    """One of no width would look as sure as can be."""
    answer = gather_findings(record).answer
    assert answer is not None
    ours = dict.fromkeys(range(n), 0.9)
    against = Against(ours, 1, is_paired=False)
    comparison = against.layout("x", 5, dict.fromkeys(range(n), 0.8))

    assert comparison_sentence(comparison, replace(answer, test=against.test)) == (
        f"{verdict} (5 parameters): +0.1000, without an interval, since all seeds of each "
        f"gave the same{few}; 0.9000 against 0.8000."
    )


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, ""),
        ({"fidelity": "data"}, ", over parts of the training data: a ninth, a third, all"),
        ({"replicates": 5}, ", over the mean of 5 seeds per trial"),
    ],
)
def test_trials_of_several_trainings_are_told(change: dict[str, Any], said: str) -> None:
    """One training is what everybody expects, and needs no words."""
    assert course_words(replace(DEFINITION, **change)) == said


@pytest.mark.parametrize(
    ("versions", "said"),
    [
        ({}, ""),
        ({0: 2}, ""),
        ({0: 1, 99: 2}, ""),
        (
            {0: 1, 9: 2, 20: 3},
            " (from trial 9 and trial 20 on by another version of it, which may propose otherwise)",
        ),
    ],
)
def test_a_sampler_that_changed_within_a_study_is_told(
    record: StudyRecord, versions: dict[int, int], said: str
) -> None:
    """From the trials on for which another version proposed; there may have been none."""
    assert sampler_words(replace(record, sampler_versions=versions)) == said


def test_each_baseline_gets_an_honest_sentence(record: StudyRecord) -> None:
    """A gain whose interval crosses zero is none, however large its mean, nor is it equality."""
    said = sentences_of(gather_findings(record))
    assert [sentence.split(" (")[0] for sentence in said] == [
        "Better than head only",
        "Not told apart from every layer, parallel",
        "Better than last layers",
        "Better than the mean of 2 random layouts",
    ]
    assert "+0.2200, 95 % interval +0.1973 to +0.2427; 0.6400 against 0.4200" in said[0]


def test_a_lost_comparison_is_named_in_the_headline(record: StudyRecord) -> None:
    """Where the head alone is better, the answer says so first, and once what that means."""
    findings = with_test_scores(record, record.trials[0].layout_id, 0.9)
    assert "worse than 1 (head only)" in headline(findings)
    assert sentences_of(findings)[0].startswith("Worse than head only")
    assert " ".join(summary_lines(findings)).count("adapters did not pay") == 1


def test_a_comparison_without_a_verdict_is_no_equality(record: StudyRecord) -> None:
    """The headline says of what the answer is not told apart."""
    assert headline(gather_findings(record)).endswith(
        "On the test split, against 4 baselines, it is better than 3 and not told apart from 1 "
        "(every layer, parallel)."
    )


@pytest.mark.parametrize(
    ("cost", "said"),
    [
        (None, "is the one with the fewest parameters whose mean"),
        ("parameters", "is the one with the fewest parameters whose mean"),
        ("flops", "the fewest floating-point operations per example, then the fewest parameters, "),
        ("bytes", "the fewest bytes of adapters and head on disk, then the fewest parameters, "),
    ],
)
def test_the_rule_of_choice_is_the_one_that_was_followed(
    record: StudyRecord, cost: str | None, said: str
) -> None:
    """Where the score was set against a cost that comes first."""
    asked = replace(record, definition=replace(record.definition, cost=cost))

    assert said in " ".join(choice_sentences(gather_findings(asked)))


def test_a_single_seed_gives_no_answer(record: StudyRecord) -> None:
    """Without a second seed there is no interval, so the incumbent is shown."""
    kept = [final for final in record.finals if final.replicate == 1]
    findings = gather_findings(replace(record, finals=tuple(kept)))
    assert "no final answer yet" in headline(findings)


def test_incomplete_finals_are_said(record: StudyRecord) -> None:
    """An interruption leaves an answer that may change, from the layouts that have their seeds."""
    findings = gather_findings(replace(record, finals=record.finals[2:]))
    assert any("finals are not complete" in sentence for sentence in choice_sentences(findings))
    assert len(sentences_of(findings)) == 3
    complete = choice_sentences(gather_findings(record))
    assert not any("finals are not complete" in sentence for sentence in complete)


def test_a_baseline_may_be_the_answer(record: StudyRecord) -> None:
    """The headline does not call a baseline a find of the search."""
    best = record.trials[5].layout_id
    kept = tuple(final for final in record.finals if final.layout_id != best)
    assert headline(gather_findings(replace(record, finals=kept))).startswith(
        "The answer is a baseline, “random 2” (2 connections)"
    )


def test_without_finals_the_score_is_called_optimistic(unfinished: StudyRecord) -> None:
    """A score picked as the best of many is never passed off as an estimate."""
    findings = gather_findings(unfinished)
    assert "no final answer yet" in headline(findings)
    assert "optimistic" in " ".join(choice_sentences(findings))
    assert key_figures(findings)[0] == ("validation score, one seed", "0.6600")


def test_a_study_of_references_alone_recommends_nothing(unfinished: StudyRecord) -> None:
    """Layouts outside the space can't be the answer, however good."""
    findings = gather_findings(replace(unfinished, trials=unfinished.trials[:2]))
    assert findings.recommended is None
    assert headline(findings).startswith("No layout that the space and the budget admit")
    assert key_figures(findings) == []


def test_untrustworthy_proxies_are_called_so(record: StudyRecord) -> None:
    """Where no interval lies above zero, the words say to trust none."""
    assert any("trust none" in said for said in proxy_sentences(gather_findings(record)))


def test_few_trials_or_no_map_are_said(record: StudyRecord) -> None:
    """Missing correlations are explained instead of shown as numbers."""
    few = gather_findings(replace(record, trials=record.trials[:4], finals=()))
    assert proxy_sentences(few)[0].startswith("Too few admitted trials")
    without = gather_findings(replace(record, proxy_map=None))
    assert proxy_sentences(without) == ["The study has no proxy map yet."]


def test_seeds_behind_a_score_of_the_search_are_told(record: StudyRecord) -> None:
    """One, or as many as there were replicates."""
    several = replace(record, definition=replace(record.definition, replicates=5))

    assert search_seeds(gather_findings(record)) == "one seed"
    assert search_seeds(gather_findings(several)) == "5 seeds"
