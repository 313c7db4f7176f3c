"""The short fine-tune: a fixed number of epochs from cached frozen states."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from placement_search.adapted.batches import ordered_batches, shuffled_batches, take
from placement_search.adapted.model import AdaptedBackbone, needed_nodes
from placement_search.errors import EvaluationError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Split, Workbench

Report = Callable[[int, float], None]
"""Is told the epoch, from 1, and the validation score after it; may raise to stop the training."""

Logits = Callable[[Split, Tensor], Tensor]
"""Logits of some of a split's examples, by their indices: shape ``(batch, n_outputs)``."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What a fine-tune leaves besides the weights.

    Args:
        history: Validation score after each epoch.
        losses: Mean training loss of each epoch.
        n_steps: Optimizer steps taken.
    """

    history: tuple[float, ...]
    losses: tuple[float, ...]
    n_steps: int


def fine_tune(
    model: nn.Module,
    logits: Logits,
    bench: Workbench,
    plan: TrainingPlan,
    *,
    seed: int,
    report: Report,
) -> Trained:
    """Train a model's parameters in place and score it on the validation split after each epoch.

    The model is in training mode while it trains, and in evaluation mode when it is scored and
    afterwards. A frozen backbone is no part of the model and stays as it is.

    Args:
        model: Its parameters are trained; its head has been probed already.
        logits: What the model gives; see `from_frozen_states`.
        bench: Training and validation split, loss and metric.
        plan: Epochs, batch size and schedule.
        seed: Fixes the order of examples.
        report: Is told every score; what it raises passes through.

    Raises:
        EvaluationError: If a loss or a score is not finite.
    """
    train, n_examples = bench.train, len(bench.train.labels)
    n_steps = plan.epochs * math.ceil(n_examples / plan.batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay, foreach=True
    )
    schedule = _warm_up_and_cosine(optimizer, plan, n_steps)
    generator = torch.Generator().manual_seed(seed)
    history: list[float] = []
    losses: list[float] = []
    for epoch in range(1, plan.epochs + 1):
        model.train()
        total = torch.zeros((), device=train.labels.device)
        for indices in shuffled_batches(train.inputs, plan.batch_size, generator):
            loss = bench.task.loss(logits(train, indices), train.labels[indices])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(indices)
        losses.append(_finite(float(total) / n_examples, f"training loss in epoch {epoch}"))
        model.eval()
        score = score_on(logits, bench, bench.validation)
        history.append(score)
        report(epoch, score)
    return Trained(tuple(history), tuple(losses), n_steps)


@torch.no_grad()
def score_on(logits: Logits, bench: Workbench, split: Split, *, batch_size: int = 256) -> float:
    """The task's metric on all examples of a split.

    Raises:
        EvaluationError: If it is not finite, as of logits that are not.
    """
    found: Tensor | None = None
    for indices in ordered_batches(split.inputs, batch_size):
        part = logits(split, indices)
        if found is None:
            found = part.new_empty((len(split.labels), part.shape[1]))
        found[indices] = part
    if found is None:
        raise ValueError("a split without examples has no score")
    return _finite(bench.task.score(found, split.labels), "score of a trained layout")


def from_frozen_states(model: AdaptedBackbone) -> Logits:
    """The logits of an adapted backbone, from the split's frozen states."""
    nodes = needed_nodes(model.layout, model.backbone.graph)

    def logits(split: Split, indices: Tensor) -> Tensor:
        given: Tensor = model(take(split.inputs, indices), split.states.batch(indices, nodes))
        return given

    return logits


def _finite(value: float, what: str) -> float:
    if not math.isfinite(value):
        raise EvaluationError(f"the {what} is {value}")
    return value


def _warm_up_and_cosine(
    optimizer: torch.optim.Optimizer, plan: TrainingPlan, n_steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    n_warm = max(1, round(plan.warm_up * n_steps))

    def factor(step: int) -> float:
        if step < n_warm:
            return (step + 1) / n_warm
        return 0.5 * (1 + math.cos(math.pi * (step - n_warm) / max(1, n_steps - n_warm)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
