"""What a study needs of an engine: evaluations go in by ticket, what happens to them comes out.

Evaluations run side by side as the engine likes. None of them depends on its company, so the order
and the time of events may differ from run to run, and what they say may not.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard


class Infeasible(Exception):  # noqa: N818 - an outcome with a reason, not an error
    """The layout can't be evaluated within the machine's memory; the message says why."""


@dataclass(frozen=True, slots=True)
class Reported:
    """An evaluation has been scored and goes on, unless it is stopped.

    Args:
        ticket: Which evaluation.
        report: From 1; an evaluation's reports come in order, that of its end too.
        score: The validation score.
        seconds: Time that the evaluation has taken so far; its share where several ran together.
        n_steps: Optimizer steps that it has taken so far.
    """

    ticket: int
    report: int
    score: float
    seconds: float
    n_steps: int


@dataclass(frozen=True, slots=True)
class Finished:
    """An evaluation is done.

    Args:
        ticket: Which evaluation.
        card: What it gave.
    """

    ticket: int
    card: ScoreCard


@dataclass(frozen=True, slots=True, eq=False)
class Failed:
    """An evaluation has ended without a score card.

    Args:
        ticket: Which evaluation.
        error: `Infeasible`, an `EvaluationError` where there is no usable score, or what a bug
            raised, with its traceback.
    """

    ticket: int
    error: Exception


Event = Reported | Finished | Failed


class Engine(Protocol):
    """Has layouts evaluated, several side by side where that pays."""

    def start(self, ticket: int, request: Evaluation) -> None:
        """Take an evaluation on; it begins when there is room for it.

        Args:
            ticket: A number that no evaluation under way has.
            request: What to evaluate.
        """

    def events(self) -> Sequence[Event]:
        """What has happened since the last call; waits until there is something.

        Raises:
            ValueError: If nothing is under way.
        """

    def stop(self, ticket: int) -> None:
        """Forget an evaluation; no later call of `events` names it.

        One whose end was among the last events is forgotten already.
        """

    def run_fully(self, plan: TrainingPlan, seed: int, *, is_final: bool) -> ScoreCard:
        """Train the whole backbone instead of a layout, while nothing is under way.

        Raises:
            Infeasible: If the machine can't do it.
            EvaluationError: If there is no usable score.
        """

    def close(self) -> None:
        """Give back what the engine holds; evaluations under way are dropped."""
