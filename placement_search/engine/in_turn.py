"""Evaluations that nobody stops, all handed in at once and given back as they finish."""

from collections.abc import Callable, Iterator, Sequence

from placement_search.engine.engine import Engine, Failed, Finished, Infeasible
from placement_search.errors import EvaluationError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.score_card import ScoreCard

Outcome = tuple[int, ScoreCard | Exception]

NO_SCORE = (Infeasible, EvaluationError)
"""Errors that leave a gap among scores; any other is a bug."""


def in_turn(engine: Engine, requests: Sequence[Evaluation]) -> Iterator[Outcome]:
    """Each request's index with its score card, or with the error that it ended in.

    Indices come in the order in which evaluations end, which may differ from run to run. Where the
    iteration is given up, what is still under way is stopped.

    Args:
        engine: Has nothing under way.
        requests: What to evaluate.
    """
    for ticket, request in enumerate(requests):
        engine.start(ticket, request)
    open_ = set(range(len(requests)))
    try:
        while open_:
            for event in engine.events():
                if isinstance(event, Finished | Failed):
                    open_.remove(event.ticket)
                    yield event.ticket, event.card if isinstance(event, Finished) else event.error
    finally:
        for ticket in open_:
            engine.stop(ticket)


def scored_in_turn(
    engine: Engine, requests: Sequence[Evaluation], tell_gap: Callable[[int, Exception], None]
) -> Iterator[tuple[int, ScoreCard]]:
    """Each request's index with its score card, as of `in_turn`; those without one are told of.

    Args:
        engine: Has nothing under way.
        requests: What to evaluate.
        tell_gap: Is called with the index and the error of one that gave no score.

    Raises:
        Exception: What an evaluation ended in that leaves no gap but is a bug.
    """
    for index, outcome in in_turn(engine, requests):
        if isinstance(outcome, NO_SCORE):
            tell_gap(index, outcome)
        elif isinstance(outcome, Exception):
            raise outcome
        else:
            yield index, outcome
