"""How the answer was chosen, in words that are true of the study at hand."""

from dataclasses import replace

import pytest

from placement_search.report.findings import Findings, gather_findings
from placement_search.report.formats import as_signed
from placement_search.report.tables import costs_table
from placement_search.report.words import (
    choice_sentences,
    comparison_sentence,
    headline,
    key_figures,
)
from placement_search.study.records import (
    CONFIRMATION,
    FINALIST,
    FULL_FINE_TUNING,
    FinalRecord,
    ReferenceRecord,
    StudyRecord,
    TrialEnd,
)
from tests.report.conftest import card, unscored, wired


def said(findings: Findings) -> str:
    return " ".join(choice_sentences(findings))


def only(record: StudyRecord, *numbers: int) -> StudyRecord:
    """The study with the retrainings of these trials alone."""
    kept = {record.trials[number].layout_id for number in numbers}
    return replace(record, finals=tuple(f for f in record.finals if f.layout_id in kept))


@pytest.mark.parametrize(
    ("end", "reason", "told"),
    [
        (TrialEnd.INFEASIBLE, "out of memory: 3 GB\nmore", "infeasible: out of memory: 3 GB"),
        (TrialEnd.FAILED, "Traceback\nRuntimeError: nan", "failed: RuntimeError: nan"),
        (TrialEnd.WAITING, "", "not reached yet"),
    ],
)
def test_a_baseline_without_a_score_is_named_with_its_reason(
    record: StudyRecord, end: TrialEnd, reason: str, told: str
) -> None:
    """Only complete ones were retrained."""
    ended = unscored(record.trials[1], end, reason)
    trials = (record.trials[0], ended, *record.trials[2:])
    findings = gather_findings(replace(only(record, 0, 2, 3, 4, 5), trials=trials))

    assert "all complete baselines were retrained" in said(findings)
    assert f"Not among them: every layer, parallel ({told})." in said(findings)
    assert "Not among them" not in said(gather_findings(record))


def test_a_baseline_that_was_never_queued_is_named(record: StudyRecord) -> None:
    """Its note says why; a note on one that took part is not about that."""
    notes = {"evenly spread": "left out: nothing fits", "last layers": "made without norm"}

    assert "Not among them: evenly spread (left out: nothing fits)." in said(
        gather_findings(replace(record, queue_notes=notes))
    )


def test_only_finalists_that_can_be_chosen_are_counted(record: StudyRecord) -> None:
    """One seed of several is no interval."""
    one = record.trials[3].layout_id
    kept = tuple(f for f in record.finals if f.layout_id != one or f.replicate == 1)

    assert "Among the 4 finalists that space and budget admit, the" in said(gather_findings(record))
    assert (
        "Among the 3 finalists that space and budget admit and that had at least 2 seeds, the"
        in said(gather_findings(replace(record, finals=kept)))
    )


def test_a_finalist_that_is_alone_won_against_nobody(record: StudyRecord) -> None:
    """Neither a rule nor other finalists are told of."""
    proposed = gather_findings(only(record, 0, 1, 5))
    baseline = gather_findings(only(record, 0, 1, 2))

    assert "It is the only finalist that space and budget admit." in said(proposed)
    assert "Among the" not in said(proposed)
    assert "(2 connections): it is the only finalist that space and" in headline(baseline)


def test_a_baseline_that_is_the_answer_comes_before_finalists_alone(record: StudyRecord) -> None:
    """Proposals that never were finalists may be better, or smaller."""
    findings = gather_findings(only(record, 0, 1, 2, 3, 4))

    assert "it comes before all other admitted finalists" in headline(findings)
    assert "all that the search proposed" not in headline(findings)


def test_finalists_along_a_front_are_told_to_be_that(record: StudyRecord) -> None:
    """Where the score was set against a cost they are not the best trials."""
    asked = replace(record, definition=replace(record.definition, cost="parameters"))

    assert "chosen: proposals spread along the search's Pareto front" in said(
        gather_findings(asked)
    )
    assert "the best trials and" in said(gather_findings(record))


def test_full_fine_tuning_is_no_baseline(record: StudyRecord) -> None:
    """It is a ceiling, and named beside them."""
    references = tuple(
        ReferenceRecord(FULL_FINE_TUNING, "", "", n, card(wired([(1, 2)]), 0.9, 0.9))
        for n in (1, 2, 3)
    )
    findings = gather_findings(replace(record, references=references))

    assert "against 4 baselines and full fine-tuning, it is" in headline(findings)


def again(record: StudyRecord) -> Findings:
    """The study once its answer was trained again, five points better than its finals."""
    before = gather_findings(record).answer
    assert before is not None
    chosen = before.chosen
    confirmations = tuple(
        FinalRecord(
            chosen.trial.layout_id,
            replicate,
            replace(card, test_score=(card.test_score or 0) + 0.05),
        )
        for replicate, card in zip(chosen.replicates, chosen.cards, strict=True)
    )
    return gather_findings(replace(record, confirmations=confirmations))


def test_what_came_after_the_choice_is_said_to_count(record: StudyRecord) -> None:
    """Before it is there, that the answer is flattered."""
    before, after = gather_findings(record), again(record)

    assert "somewhat flattered; the same command trains it again" in said(before)
    assert "trained again with" not in said(before)
    assert "The answer alone was then trained again with" in said(after)
    assert "flattered" not in said(after)


def test_trainings_after_the_choice_that_are_missing_are_told(record: StudyRecord) -> None:
    """What is told is of those that are there; the rest may be trained, or gave no score."""
    after = again(record).record
    wanted = len(after.confirmations) + 2
    short = replace(after, goal=replace(after.goal, n_seeds=wanted))
    key = f"{CONFIRMATION}{after.confirmations[0].layout_id}"
    tried = {f"{key}/{wanted - 1}": "nan", f"{key}/{wanted}": "nan"}
    said_of = f"Of {wanted} such trainings 2 are missing, so this may change"

    assert said_of in said(gather_findings(short))
    assert "such trainings" not in said(again(record))
    assert "such trainings" not in said(gather_findings(replace(short, gaps=tried)))


def test_a_final_without_a_score_is_told_with_its_reason(record: StudyRecord) -> None:
    """And not as one that the same command would complete."""
    seen = record.finals[0]
    gone = replace(record, finals=record.finals[1:])
    name = record.trial_of(seen.layout_id).name
    gaps = {f"{FINALIST}{seen.layout_id}/{seen.replicate}": "the loss is nan in epoch 2"}

    assert "The same command completes them" in said(gather_findings(gone))
    told = said(gather_findings(replace(gone, gaps=gaps)))
    assert "The finals are not complete" not in told
    assert f"Seed {seen.replicate} of {name} gave no score in the finals" in told
    assert "by its others: the loss is nan in epoch 2." in told


def test_figures_and_comparisons_are_of_what_came_after_the_choice(record: StudyRecord) -> None:
    """With the test score of those trainings, and the gains by the finals beside."""
    paired = replace(record, definition=replace(record.definition, is_paired=True))
    before, after = gather_findings(paired).answer, again(paired).answer
    assert before is not None
    assert after is not None
    old, new = before.comparisons[0], after.comparisons[0]

    assert (
        f"{before.test.mean + 0.05:.4f} ± "
        in dict(key_figures(again(paired)))[
            f"test score, mean and 95 % interval over {after.test.n} seeds after the choice"
        ]
    )
    assert new.gain.mean == pytest.approx(old.gain.mean + 0.05)
    gain = f"by the finals, in pairs, {as_signed(old.gain.mean)} ("
    assert gain in comparison_sentence(new, after)
    assert gain not in comparison_sentence(old, before)


def test_trainings_after_the_choice_are_counted(record: StudyRecord) -> None:
    """Among the readings of the test split, and among the costs."""
    before, after = gather_findings(record), again(record)
    n_new = len(after.record.confirmations)
    (row,) = [row for row in costs_table(after).rows if "after the choice" in row[0]]

    assert after.n_test_reads == before.n_test_reads + n_new
    assert row[1] == str(n_new)
