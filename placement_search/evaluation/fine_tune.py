"""The short fine-tune: a fixed number of epochs from cached frozen states."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from placement_search.adapted.model import AdaptedBackbone, needed_nodes
from placement_search.adapted.states import batches, take
from placement_search.errors import EvaluationError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Split

Report = Callable[[int, float], None]
"""Is told the epoch, from 1, and the validation score after it; may raise to stop the training."""


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
    model: AdaptedBackbone,
    train: Split,
    validation: Split,
    plan: TrainingPlan,
    *,
    seed: int,
    report: Report,
) -> Trained:
    """Train adapters and head in place and score them on the validation split after each epoch.

    Args:
        model: Freshly built, its head already probed.
        train: Split to train on.
        validation: Split to score on.
        plan: Epochs, batch size and schedule.
        seed: Fixes the order of examples.
        report: Is told every score; what it raises passes through.

    Raises:
        EvaluationError: If the loss is not finite.
    """
    steps_per_epoch = math.ceil(len(train.labels) / plan.batch_size)
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=plan.learning_rate, weight_decay=plan.weight_decay, foreach=True
    )
    schedule = _warm_up_and_cosine(optimizer, plan, plan.epochs * steps_per_epoch)
    generator = torch.Generator().manual_seed(seed)
    history: list[float] = []
    losses: list[float] = []
    for epoch in range(1, plan.epochs + 1):
        total = torch.zeros(())
        for indices in _shuffled(len(train.labels), plan.batch_size, generator):
            loss = functional.cross_entropy(_logits(model, train, indices), train.labels[indices])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.detach() * len(indices)
        losses.append(float(total) / len(train.labels))
        if not math.isfinite(losses[-1]):
            raise EvaluationError(f"the training loss is {losses[-1]} in epoch {epoch}")
        history.append(accuracy(model, validation))
        report(epoch, history[-1])
    return Trained(tuple(history), tuple(losses), plan.epochs * steps_per_epoch)


@torch.no_grad()
def accuracy(model: AdaptedBackbone, split: Split, *, batch_size: int = 256) -> float:
    """Share of examples whose largest logit is their class's, within [0, 1]."""
    n_right = 0
    for indices in batches(split.inputs, batch_size):
        predicted = _logits(model, split, indices).argmax(-1)
        n_right += int((predicted == split.labels[indices]).sum())
    return n_right / len(split.labels)


def _logits(model: AdaptedBackbone, split: Split, indices: Tensor) -> Tensor:
    nodes = needed_nodes(model.layout, model.backbone.n_nodes)
    logits: Tensor = model(take(split.inputs, indices), split.states.batch(indices, nodes))
    return logits


def _shuffled(n_examples: int, batch_size: int, generator: torch.Generator) -> Iterator[Tensor]:
    yield from torch.split(torch.randperm(n_examples, generator=generator), batch_size)


def _warm_up_and_cosine(
    optimizer: torch.optim.Optimizer, plan: TrainingPlan, n_steps: int
) -> torch.optim.lr_scheduler.LambdaLR:
    n_warm = max(1, round(plan.warm_up * n_steps))

    def factor(step: int) -> float:
        if step < n_warm:
            return (step + 1) / n_warm
        return 0.5 * (1 + math.cos(math.pi * (step - n_warm) / max(1, n_steps - n_warm)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
