"""An engine that evaluates in this process, one layout at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import torch

from placement_search.evaluation.evaluate import Evaluated, Evaluation, evaluate
from placement_search.evaluation.fine_tune import Report
from placement_search.evaluation.full_fine_tune import full_fine_tune
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Workbench


class Pruned(Exception):  # noqa: N818 - a decision, not an error
    """Raised by a report to stop an evaluation that is not worth finishing."""


class Infeasible(Exception):  # noqa: N818 - an outcome with a reason, not an error
    """The layout can't be evaluated within the machine's memory; the message says why."""


class Engine(Protocol):
    """What a study needs to have layouts evaluated."""

    def run(self, request: Evaluation, report: Report) -> ScoreCard:
        """Evaluate one layout.

        Raises:
            Infeasible: If the machine can't do it.
            EvaluationError: If there is no usable score.
        """

    def run_fully(self, plan: TrainingPlan, seed: int, *, is_final: bool) -> ScoreCard:
        """Train the whole backbone instead of a layout; see `full_fine_tune`.

        Raises:
            Infeasible: If the machine can't do it.
            EvaluationError: If there is no usable score.
        """


class InProcessEngine:
    """Evaluates on one workbench in the calling process."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench

    def run(self, request: Evaluation, report: Report) -> ScoreCard:
        """See `Engine`."""
        return self.train(request, report).card

    def train(self, request: Evaluation, report: Report) -> Evaluated:
        """The same, with the trained model, for export.

        Raises:
            Infeasible: If memory runs out.
            EvaluationError: If there is no usable score.
        """
        with _memory_errors_told():
            return evaluate(self._bench, request, report)

    def run_fully(self, plan: TrainingPlan, seed: int, *, is_final: bool) -> ScoreCard:
        """See `Engine`."""
        with _memory_errors_told():
            return full_fine_tune(self._bench, plan, seed, is_final=is_final)


@contextmanager
def _memory_errors_told() -> Iterator[None]:
    """Say `Infeasible` where memory runs out."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise Infeasible(f"out of memory: {error}") from error
    except RuntimeError as error:
        # On the CPU torch has no class of its own for this.
        if "can't allocate memory" not in str(error):
            raise
        raise Infeasible(f"out of memory: {error}") from error
