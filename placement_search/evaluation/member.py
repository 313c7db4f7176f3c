"""One training under way: a model, its place in the schedule, and its scores so far."""

import itertools
import math

import torch
from torch import nn

from placement_search.adapted.batches import Batch, Batches
from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import EvaluationError
from placement_search.evaluation.flat import FlatParameters
from placement_search.evaluation.plan import TrainingPlan
from placement_search.modules.contract import is_random


class Member:
    """A training that takes its steps alone or beside others.

    Args:
        model: Its parameters are trained in place; its head has been probed already.
        plan: How it is trained.
        batches: The ways to go through its training examples.
        seed: Fixes the order of examples.
        is_scored_once: Whether it is scored at its end alone, as nobody would stop it before.

    Attributes:
        history: Validation scores so far.
        latest: The last report's; None where it has none.
        losses: Mean training loss before each report so far, since the one before it.
        runs_twice: Whether a step has a second pass, to be near the first.
        error: Why there will be no usable score; None while all is well.
        n_steps: Optimizer steps taken.
        seconds: Time spent; its share where several trained together.
    """

    def __init__(
        self,
        model: nn.Module,
        plan: TrainingPlan,
        batches: Batches,
        seed: int,
        *,
        is_scored_once: bool = False,
    ) -> None:
        self.model = model
        self.plan = plan
        self.batches = batches
        self.generator = torch.Generator().manual_seed(seed)
        self.parameters = FlatParameters(model)
        self.runs_twice = plan.consistency > 0 and is_random(model)
        if isinstance(model, AdaptedBackbone):
            model.drop_lowest = plan.drop_lowest
        self.history: list[float] = []
        self.latest: float | None = None
        self.losses: list[float] = []
        self.error: EvaluationError | None = None
        self.n_steps = 0
        self.seconds = 0.0
        self._is_scored_once = is_scored_once
        self._n_all_steps = plan.epochs * plan.steps_per_epoch(batches.n_examples)

    @property
    def is_done(self) -> bool:
        """Whether all epochs are trained, or nothing is to be gained by more."""
        return self.error is not None or self.n_reports == self.plan.n_reports

    @property
    def n_reports(self) -> int:
        """Reports reached, with a score or without."""
        return len(self.losses)

    @property
    def is_scored_next(self) -> bool:
        """Whether the next report has a score."""
        return not self._is_scored_once or self.n_reports + 1 == self.plan.n_reports

    @property
    def learning_rate(self) -> float:
        """Of the next step: a linear warm-up, then a cosine down to zero."""
        n_warm = max(1, round(self.plan.warm_up * self._n_all_steps))
        if self.n_steps < n_warm:
            return self.plan.learning_rate * (self.n_steps + 1) / n_warm
        done = (self.n_steps - n_warm) / max(1, self._n_all_steps - n_warm)
        return self.plan.learning_rate * 0.5 * (1 + math.cos(math.pi * done))

    def epoch(self) -> list[list[Batch]]:
        """The batches of another epoch, in as many parts as it has reports."""
        batches = self.batches.shuffled(self.plan.batch_size, self.generator)
        n_parts = self.plan.reports_per_epoch
        bounds = [part * len(batches) // n_parts for part in range(n_parts + 1)]
        return [batches[start:end] for start, end in itertools.pairwise(bounds)]

    def has_pace_of(self, other: "Member") -> bool:
        """Whether the batches of both have the same shapes, one after another."""
        ours, theirs = self.plan, other.plan
        return self.batches is other.batches and (ours.batch_size, ours.reports_per_epoch) == (
            theirs.batch_size, theirs.reports_per_epoch,
        )  # fmt: skip

    def learned(self, loss: float, score: float | None) -> None:
        """Note a report.

        Args:
            loss: Mean training loss.
            score: Validation score, where there is to be one.
        """
        epoch = self.n_reports // self.plan.reports_per_epoch + 1
        values = {f"training loss in epoch {epoch}": loss}
        if score is not None:
            values["score of a trained layout"] = score
        self.latest = None
        wrong = next((what for what, value in values.items() if not math.isfinite(value)), None)
        if wrong is not None:
            self.error = EvaluationError(
                f"the {wrong} is {values[wrong]}; where trainings diverge, a smaller learning "
                "rate helps"
            )
            return
        self.losses.append(loss)
        self.latest = score
        if score is not None:
            self.history.append(score)
