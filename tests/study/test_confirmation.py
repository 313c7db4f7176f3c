"""The answer trained again: from seeds that chose nothing, and what it is then compared by."""

from dataclasses import replace

import optuna
import pytest

from placement_search.modules import parse_layout
from placement_search.study.answer import Answer, find_answer
from placement_search.study.command import Goal
from placement_search.study.confirmation import confirm_answer
from placement_search.study.progress import Silence
from placement_search.study.records import CONFIRMATION, FinalRecord, StudyRecord, read_finals
from placement_search.study.retraining import confirming, retraining
from tests.study.stub_engine import StubEngine
from tests.tiny_records import DEFINITION, finals, study_record, trial

OURS, THEIRS = "3>9:bottleneck(rank=4)", "1>2:bottleneck(rank=8)"


@pytest.fixture
def record() -> StudyRecord:
    """After its finals: a proposal that won them by a narrow margin, and a baseline."""
    trials = [trial(0, THEIRS, 0.6, role="last layers"), trial(1, OURS, 0.7)]
    retrained = finals(OURS, [0.72, 0.74, 0.76]) + finals(THEIRS, [0.70, 0.71, 0.75])
    asked = replace(DEFINITION, is_paired=True)
    goal = Goal(n_trials=2, n_finalists=1, n_seeds=3)
    return replace(study_record(trials, retrained), definition=asked, goal=goal)


def confirmed(study: optuna.Study, record: StudyRecord, engine: StubEngine) -> StudyRecord:
    """The record after its answer was trained again."""
    confirm_answer(study, record, engine, Silence())
    return replace(record, confirmations=read_finals(study.user_attrs, CONFIRMATION))


def answer_of(record: StudyRecord) -> Answer:
    """The answer, which there is."""
    found = find_answer(record)
    assert found is not None
    return found


def test_the_answer_alone_is_trained_again(study: optuna.Study, record: StudyRecord) -> None:
    """From as many seeds as its finals had, the test split read after each."""
    engine = StubEngine()
    confirmed(study, record, engine)

    assert [request.layout for request in engine.requests] == [parse_layout(OURS)] * 3
    assert all(request.is_final for request in engine.requests)


def test_no_final_has_one_of_its_seeds() -> None:
    """However many seeds the finals are given later."""
    layout, asked = parse_layout(OURS), replace(DEFINITION, is_paired=True)
    new = [confirming(asked, layout, replicate) for replicate in range(1, 50)]
    old = [retraining(asked, layout, replicate) for replicate in range(50)]

    assert not {r.seed for r in new} & {r.seed for r in old}
    assert not {r.seed for r in new} & {r.order_seed for r in old}
    assert len({r.seed for r in new}) == 49


def test_it_is_compared_by_what_came_after_the_choice(
    study: optuna.Study, record: StudyRecord
) -> None:
    """Its test score and its gains are those of the new trainings; pairs are told beside them."""
    before = answer_of(record)
    after_record = confirmed(study, record, StubEngine())
    after = answer_of(after_record)
    fresh = [c.card.test_score for c in after_record.confirmations]

    assert (before.n_confirming, after.n_confirming) == (0, 3)
    assert after.test.mean == pytest.approx(sum(filter(None, fresh)) / 3)
    (old,), (new,) = before.comparisons, after.comparisons
    assert new.gain.mean == pytest.approx(after.test.mean - old.test.mean)
    assert new.in_pairs == old.gain


def test_what_came_after_the_choice_does_not_change_it(
    study: optuna.Study, record: StudyRecord
) -> None:
    """However it went, else the luck would be chosen again."""
    after = confirmed(study, record, StubEngine())
    bad = tuple(
        FinalRecord(c.layout_id, c.replicate, replace(c.card, score=0.0, test_score=0.0))
        for c in after.confirmations
    )

    assert answer_of(replace(after, confirmations=bad)).chosen == answer_of(record).chosen


def test_what_the_study_holds_is_not_trained_again(
    study: optuna.Study, record: StudyRecord
) -> None:
    """An interruption loses what was running, no more."""

    def stop_at_third(number: int) -> None:
        if number == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        confirm_answer(study, record, StubEngine(before=stop_at_third), Silence())
    begun = replace(record, confirmations=read_finals(study.user_attrs, CONFIRMATION))
    engine = StubEngine()
    whole = confirmed(study, begun, engine)

    assert len(begun.confirmations) + len(engine.requests) == 3
    assert [c.replicate for c in whole.confirmations] == [1, 2, 3]


def test_one_training_after_the_choice_is_too_few_to_count(
    study: optuna.Study, record: StudyRecord
) -> None:
    """It has no spread; until there are two the finals' own scores stand."""
    whole = confirmed(study, record, StubEngine())
    begun = answer_of(replace(whole, confirmations=whole.confirmations[:1]))

    assert begun.n_confirming == 0
    assert begun.test == answer_of(record).test


def test_without_an_answer_nothing_is_trained(study: optuna.Study, record: StudyRecord) -> None:
    """As where no finals were held."""
    engine = StubEngine()
    confirm_answer(study, replace(record, finals=()), engine, Silence())

    assert engine.requests == []
