"""Evaluations in turn: what has no score leaves a gap, and what is a bug does not."""

import pytest

from placement_search.engine.in_turn import scored_in_turn
from placement_search.errors import EvaluationError
from placement_search.study.retraining import retraining
from tests.study.stub_engine import StubEngine
from tests.tiny_records import DEFINITION
from tests.tiny_spaces import bound

LAYOUT = bound().layout_of([(0, 0)])
REQUESTS = [retraining(DEFINITION, LAYOUT, replicate) for replicate in (1, 2, 3)]


def engine_whose_second(error: Exception) -> StubEngine:
    """Ends its second evaluation in an error."""

    def before(number: int) -> None:
        if number == 2:
            raise error

    return StubEngine(before=before)


def test_one_without_a_score_is_told_and_the_others_come() -> None:
    """By their indices, with their cards."""
    error = EvaluationError("the training loss in epoch 1 is nan")
    gaps: list[tuple[int, Exception]] = []
    found = dict(
        scored_in_turn(engine_whose_second(error), REQUESTS, lambda *gap: gaps.append(gap))
    )

    assert gaps == [(1, error)]
    assert {index: card.seed for index, card in found.items()} == {
        0: REQUESTS[0].seed,
        2: REQUESTS[2].seed,
    }


def test_a_bug_is_raised() -> None:
    """It says nothing of the layout, so it must not pass for one without a score."""
    engine = engine_whose_second(ZeroDivisionError("a bug"))
    gaps: list[int] = []

    with pytest.raises(ZeroDivisionError, match="a bug"):
        list(scored_in_turn(engine, REQUESTS, lambda index, _: gaps.append(index)))
    assert gaps == []
