"""The gain over random layouts of exactly a layout's size."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from placement_search.space.training import TrainingChoice
from placement_search.study.answer import find_answer
from placement_search.study.random_gain import RandomGain
from placement_search.study.records import FINALIST, REFERENCE, ReferenceRecord, StudyRecord
from tests.tiny_records import finals, score_card, study_record, trial

ANSWER = "3>9:bottleneck(rank=4)"
TEST_SCORES = (0.70, 0.71, 0.72)


def with_references(*scores: Sequence[float], rank: int = 4) -> StudyRecord:
    """A study whose answer stands beside references with these test scores, one layout each."""
    record = study_record([trial(0, ANSWER)], finals(ANSWER, (0.8, 0.81, 0.82), TEST_SCORES))
    references = [
        ReferenceRecord(
            f"random layout of the same size {node}",
            f"{node}>{node}:bottleneck(rank={rank})",
            record.trials[0].layout_id,
            replicate,
            score_card(ANSWER, score, score),
        )
        for node, each in enumerate(scores, start=1)
        for replicate, score in enumerate(each, start=1)
    ]
    return replace(record, references=tuple(references))


def gain_of(record: StudyRecord) -> RandomGain:
    answer = find_answer(record)
    assert answer is not None
    return answer.random


@pytest.mark.parametrize(
    ("level", "verdict"), [(0.5, "better"), (0.71, "not told apart"), (0.9, "worse")]
)
def test_the_gain_has_a_verdict(level: float, verdict: str) -> None:
    """Better, worse, or a difference that the interval does not show."""
    gain = gain_of(with_references(*[(level + shift, level) for shift in (0.0, 0.01, 0.02)]))

    assert gain.comparison is not None
    assert gain.comparison.verdict == verdict
    assert (gain.n_layouts, gain.n_seeds) == (3, 2)
    assert gain.reason == ""


def test_each_random_layout_counts_once() -> None:
    """Three values against three seeds, however many seeds a random layout has."""
    gain = gain_of(with_references((0.5, 0.6, 0.7), (0.5,), (0.4, 0.4)))

    assert gain.comparison is not None
    assert gain.comparison.gain.n == 3 + 3
    assert gain.comparison.test.mean == pytest.approx((0.6 + 0.5 + 0.4) / 3)
    assert gain.n_seeds == 1


def test_layouts_of_another_size_do_not_count() -> None:
    """Else a gain would be one of parameters."""
    gain = gain_of(with_references((0.5, 0.5), (0.6, 0.6), rank=8))

    assert gain.comparison is None
    assert gain.n_layouts == 0
    assert "holds 0 random layouts of its size" in gain.reason


def test_random_layouts_are_shown_with_their_own_parameters() -> None:
    """The same modules may cost less where they were drawn, as LoRA does at other sub-layers."""
    record = with_references((0.5, 0.5), (0.6, 0.6))
    cheaper = []
    for reference in record.references:
        card = reference.card
        n = 300 if reference.role.endswith("1") else 201
        costs = replace(card.costs, n_adapter_parameters=n)
        cheaper.append(replace(reference, card=replace(card, costs=costs)))
    gain = gain_of(replace(record, references=tuple(cheaper)))

    assert gain.comparison is not None
    assert gain.comparison.n_adapter_parameters == 250


def test_one_random_layout_is_not_enough() -> None:
    """It has no spread, and the reason says how many an interval needs."""
    gain = gain_of(with_references((0.5, 0.6)))

    assert gain.comparison is None
    assert "holds 1 random layout of its size" in gain.reason
    assert "needs 2" in gain.reason
    assert "interrupted or gave no score" in gain.reason


def test_trainings_without_a_score_are_counted() -> None:
    """Those of references of this layout alone, which no command makes."""
    record = with_references((0.5, 0.6))
    ours = record.trials[0].layout_id
    gaps = [f"{REFERENCE}random 2/{ours}/1", f"{REFERENCE}random 2/other/1", f"{FINALIST}{ours}/1"]
    gain = gain_of(replace(record, gaps=dict.fromkeys(gaps, "nan")))

    assert "needs 2: 1 of their trainings gave no score; the search stopped" in gain.reason


def test_a_space_without_a_second_one_is_the_reason() -> None:
    """Then no command makes it."""
    record = with_references((0.5, 0.6))
    gain = gain_of(replace(record, alike={record.trials[0].layout_id: 1}))

    assert gain.reason.endswith("an interval needs 2: draws found no more in the space")


def test_random_baselines_of_its_size_count_too() -> None:
    """Beside those drawn for it; a layout that is both counts once."""
    record = with_references((0.5, 0.6), (0.6, 0.7))
    baseline = trial(1, "5>2:bottleneck(rank=4)", role="random 1")
    same = trial(2, "1>1:bottleneck(rank=4)", role="random 2")
    held = [*record.finals, *finals(baseline.layout, (0.1, 0.1)), *finals(same.layout, (0.1, 0.1))]
    gain = gain_of(replace(record, trials=(*record.trials, baseline, same), finals=tuple(held)))

    assert gain.n_layouts == 3


def test_a_seed_of_a_layout_that_is_held_twice_counts_once() -> None:
    """As a baseline and as a reference: else its mean leans to the seeds that were copied."""
    record = with_references((0.5, 0.6), (0.6, 0.7))
    same = trial(1, "1>1:bottleneck(rank=4)", role="random 1")
    held = (*record.finals, *finals(same.layout, (0.5, 0.6, 0.9)))
    gain = gain_of(replace(record, trials=(*record.trials, same), finals=held))

    assert gain.comparison is not None
    assert (gain.n_seeds, gain.most_seeds) == (2, 3)
    assert gain.comparison.test.mean == pytest.approx(((0.5 + 0.6 + 0.9) / 3 + 0.65) / 2)


def test_layouts_trained_otherwise_do_not_count() -> None:
    """Neither baselines nor references: else a gain would be one of the learning rate."""
    other, record = TrainingChoice(0.5), with_references((0.5, 0.6), (0.6, 0.7))
    randoms = [
        trial(n, f"{n}>5:bottleneck(rank=4)", role=f"random {n}", training=other) for n in (1, 2)
    ]
    held = [f for t in randoms for f in finals(t.layout, (0.5, 0.6), training=other)]
    references = tuple(replace(each, training=other) for each in record.references)
    whole = replace(record, trials=(*record.trials, *randoms), finals=(*record.finals, *held))

    assert gain_of(whole).n_layouts == 2
    assert gain_of(replace(whole, references=references)).n_layouts == 0


def test_a_picked_random_layout_is_not_compared_with_those_it_was_picked_from() -> None:
    """Without their best, the rest would lie too low; layouts drawn apart from them would not."""
    randoms = [trial(n, f"{n}>5:bottleneck(rank=4)", role=f"random {n}") for n in (1, 2, 3)]
    retrained = [f for t in randoms for f in finals(t.layout, (0.5 + t.number / 10, 0.51, 0.52))]
    record = study_record([replace(t, number=t.number - 1) for t in randoms], retrained)
    apart = with_references((0.5, 0.6, 0.7), (0.6, 0.7, 0.8)).references
    other = gain_of(replace(record, references=apart))

    assert gain_of(record).comparison is None
    assert "drawn apart" in gain_of(record).reason
    assert other.n_layouts == 2
