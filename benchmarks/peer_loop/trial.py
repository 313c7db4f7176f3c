"""One trial: load, attach, train with `Trainer`, score the validation split after every epoch.

What samples the layouts costs nothing beside it, so there is no Optuna here. All that `Trainer`
would do beyond training and scoring is off: logs, checkpoints, bars, reports, gradient clipping,
the search of every loss for NaN.
"""

import math
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, Sampler
from transformers import PrinterCallback, Trainer, TrainingArguments
from transformers.utils.logging import disable_progress_bar, set_verbosity_error

from benchmarks.peer_loop.data import InMemory, as_it_is
from benchmarks.peer_loop.model import Attach, Classifier, HeadStart, Loss, load_frozen
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout

EVALUATION_BATCH = 256
"""Examples in one batch of an evaluation."""


@dataclass(frozen=True, slots=True, eq=False)
class PeerTask:
    """What all trials share, prepared once.

    Args:
        folder: Of the model's files.
        device: Where it runs.
        train: Training examples.
        validation: Validation examples, texts sorted by length.
        start: Pooling and first weights of the head.
        loss: Of logits and labels.
        score: Of all validation logits and labels.
    """

    folder: Path
    device: torch.device
    train: InMemory
    validation: InMemory
    start: HeadStart
    loss: Loss
    score: Callable[[Tensor, Tensor], float]


def peer_task(bench: Workbench, folder: Path) -> PeerTask:
    """The data, the head and the metric of a workbench, for trials that load from ``folder``.

    Bars and warnings of transformers, which every trial would print, are off from here on.
    """
    disable_progress_bar()
    set_verbosity_error()
    device, task = bench.backbone.device, bench.task
    train, validation = (
        InMemory({k: v.to(device) for k, v in split.inputs.items()}, split.labels.to(device))
        for split in (task.train, task.validation)
    )
    start = HeadStart(str(bench.pooling), bench.head.weight, bench.head.bias)
    return PeerTask(folder, device, train, validation.by_length(), start, task.loss, task.score)


@dataclass(frozen=True, slots=True)
class PeerSeconds:
    """Where a trial's time went.

    Args:
        loading: The model from its folder.
        attaching: Adapter, head, optimizer and `Trainer`.
        training: Steps of the optimizer.
        evaluating: Scores of the validation split.
    """

    loading: float
    attaching: float
    training: float
    evaluating: float

    @property
    def total(self) -> float:
        """All of it."""
        return self.loading + self.attaching + self.training + self.evaluating


@dataclass(frozen=True, slots=True, eq=False)
class PeerTrial:
    """A finished trial.

    Args:
        model: As trained.
        history: Validation score after each epoch.
        seconds: Where its time went.
    """

    model: Classifier
    history: tuple[float, ...]
    seconds: PeerSeconds


def run_trial(
    task: PeerTask,
    layout: Layout,
    plan: TrainingPlan,
    attach: Attach,
    *,
    seed: int,
    order: Sampler[list[int]] | None = None,
) -> PeerTrial:
    """Train a layout once, from a fresh model.

    Args:
        task: Data, head and metric.
        layout: What is attached, or what says where.
        plan: How it is trained.
        attach: How it is attached.
        seed: Fixes initial values and the order of examples.
        order: Gives every epoch's batches; None for a random order of `Trainer`'s own.
    """
    times = [time.perf_counter()]
    base = load_frozen(task.folder, task.device)
    times.append(time.perf_counter())
    model = Classifier(attach(base, layout, seed), task.start, task.loss).to(task.device)
    trainer = ScoringTrainer(model, task, plan, seed, order)
    times.append(time.perf_counter())
    trainer.train()
    times.append(time.perf_counter())
    loading, attaching, rest = np.diff(times).tolist()
    evaluating = trainer.evaluation_seconds
    seconds = PeerSeconds(loading, attaching, rest - evaluating, evaluating)
    return PeerTrial(model, tuple(trainer.scores), seconds)


class ScoringTrainer(Trainer):  # type: ignore[misc] # transformers is not typed
    """A `Trainer` that keeps its scores, and the time that they took.

    Args:
        model: Its unfrozen parameters are trained, all with weight decay.
        task: Data and metric.
        plan: How it is trained.
        seed: Fixes the order of examples.
        order: Gives every epoch's batches in place of the random order.
    """

    def __init__(
        self,
        model: Classifier,
        task: PeerTask,
        plan: TrainingPlan,
        seed: int,
        order: Sampler[list[int]] | None,
    ) -> None:
        self.scores: list[float] = []
        self.evaluation_seconds = 0.0
        self._order = order

        def keep_score(found: Any) -> dict[str, float]:  # noqa: ANN401 - transformers is not typed
            logits, labels = (
                torch.from_numpy(part) for part in (found.predictions, found.label_ids)
            )
            self.scores.append(task.score(logits, labels))
            return {}

        super().__init__(
            model,
            _arguments(plan, seed, task.device),
            data_collator=as_it_is,
            train_dataset=task.train,
            eval_dataset=task.validation,
            compute_metrics=keep_score,
            optimizers=_optimizers(model, plan, len(task.train)),
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[dict[str, Tensor]]:
        """Batches in the order that was asked for."""
        if self._order is None:
            loader: DataLoader[dict[str, Tensor]] = super().get_train_dataloader()
            return loader
        return DataLoader(self.train_dataset, batch_sampler=self._order, collate_fn=as_it_is)

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:  # noqa: ANN401
        """As `Trainer` does it, timed."""
        started = time.perf_counter()
        metrics: dict[str, float] = super().evaluate(*args, **kwargs)
        self.evaluation_seconds += time.perf_counter() - started
        return metrics


def _arguments(plan: TrainingPlan, seed: int, device: torch.device) -> TrainingArguments:
    return TrainingArguments(
        output_dir=str(Path(tempfile.gettempdir()) / "peer-loop"),
        num_train_epochs=plan.epochs,
        per_device_train_batch_size=plan.batch_size,
        per_device_eval_batch_size=EVALUATION_BATCH,
        eval_strategy="epoch",
        logging_strategy="no",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        log_level="error",
        logging_nan_inf_filter=False,
        max_grad_norm=0.0,
        dataloader_num_workers=0,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        label_names=["labels"],
        use_cpu=device.type == "cpu",
        seed=seed,
    )


def _optimizers(
    model: Classifier, plan: TrainingPlan, n_examples: int
) -> tuple[torch.optim.Optimizer, LambdaLR]:
    """AdamW for all that is not frozen, and a linear warm-up before a cosine."""
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(
        trained, lr=plan.learning_rate, weight_decay=plan.weight_decay, fused=True
    )
    n_steps = plan.epochs * math.ceil(n_examples / plan.batch_size)
    n_warm = max(1, round(plan.warm_up * n_steps))

    def factor(step: int) -> float:
        if step < n_warm:
            return (step + 1) / n_warm
        done = (step - n_warm) / max(1, n_steps - n_warm)
        return (1 + math.cos(math.pi * done)) / 2

    return optimizer, LambdaLR(optimizer, factor)
