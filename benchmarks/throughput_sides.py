"""The two sides of the throughput benchmark: a search's evaluations, and the peer's trials."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import torch
from torch import Tensor
from torch.utils.data import Sampler

from benchmarks.peer_loop.model import Attach, attach_hooks
from benchmarks.peer_loop.trial import PeerTask, run_trial
from placement_search.adapted.batches import Batches
from placement_search.engine.engine import Engine
from placement_search.engine.in_turn import in_turn
from placement_search.evaluation.evaluate import Evaluation, evaluate
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout

Logits = Callable[[dict[str, Tensor]], Tensor]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one training gave.

    Args:
        seconds: Wall-clock time of the trial; its share where several were trained together.
        cpu_seconds: Time of all threads alike; with one thread it is the same on a busy machine.
        loss: Mean over the training split after the last step.
        score: Validation score after the last epoch.
        parts: Seconds by part of the trial, where they are known.
    """

    seconds: float
    cpu_seconds: float
    loss: float
    score: float
    parts: Mapping[str, float] = field(default_factory=dict)


def run_ours(
    bench: Workbench,
    layouts: Sequence[Layout],
    plan: TrainingPlan,
    *,
    seed: int,
    engine: Engine | None = None,
) -> list[Outcome]:
    """Evaluate layouts one after the other, or all at once by an engine as a search does.

    An engine's processes keep the models, and their time is their own: losses and processor time
    are then not a number.
    """
    if engine is not None:
        return _run_by_engine(engine, [Evaluation(layout, seed, plan) for layout in layouts])
    outcomes = []
    for layout in layouts:
        started, cpu_started = time.perf_counter(), time.process_time()
        done = evaluate(bench, Evaluation(layout, seed, plan), lambda _epoch, _score: None)
        finish_queued_work(bench)
        seconds = time.perf_counter() - started
        cpu_seconds = time.process_time() - cpu_started
        loss = training_loss(bench, done.model)
        outcomes.append(Outcome(seconds, cpu_seconds, loss, done.card.score))
    return outcomes


def _run_by_engine(engine: Engine, requests: Sequence[Evaluation]) -> list[Outcome]:
    started = time.perf_counter()
    done = dict(in_turn(engine, requests))
    seconds = (time.perf_counter() - started) / len(requests)
    cards = [done[index] for index in range(len(requests))]
    failed = [card for card in cards if isinstance(card, Exception)]
    if failed:
        raise failed[0]
    scores = [card.score for card in cards if isinstance(card, ScoreCard)]
    return [Outcome(seconds, math.nan, math.nan, score) for score in scores]


def run_peer(
    bench: Workbench,
    task: PeerTask,
    layout: Layout,
    plan: TrainingPlan,
    attach: Attach,
    *,
    seed: int,
    order: Sampler[list[int]] | None = None,
) -> Outcome:
    """One trial of the peer; see `run_trial`."""
    cpu_started = time.process_time()
    done = run_trial(task, layout, plan, attach, seed=seed, order=order)
    cpu_seconds = time.process_time() - cpu_started

    def logits(inputs: dict[str, Tensor]) -> Tensor:
        found: Tensor = done.model(**inputs)["logits"]
        return found

    loss = training_loss(bench, logits)
    parts = asdict(done.seconds)
    return Outcome(done.seconds.total, cpu_seconds, loss, done.history[-1], parts)


@torch.no_grad()
def training_loss(bench: Workbench, logits: Logits) -> float:
    """Mean loss over the training split, from the inputs alone, the same way for both sides."""
    train, device = bench.task.train, bench.backbone.device
    total = 0.0
    for rows in torch.arange(len(train)).split(64):
        inputs = {name: tensor[rows].to(device) for name, tensor in train.inputs.items()}
        found = logits(inputs)
        total += float(bench.task.loss(found, train.labels[rows].to(device), reduction="sum"))
    return total / len(train)


class OurOrder(Sampler[list[int]]):
    """The batches of an evaluation with this seed, epoch after epoch.

    Args:
        bench: Whose training split.
        plan: Says how large batches are.
        seed: Of the evaluation.
    """

    def __init__(self, bench: Workbench, plan: TrainingPlan, seed: int) -> None:
        self._batches = Batches(bench.task.train.inputs)
        self._size = plan.batch_size
        self._n_examples = len(bench.task.train)
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Batches of one epoch."""
        return math.ceil(self._n_examples / self._size)

    def __iter__(self) -> Iterator[list[int]]:
        """Indices of the next epoch's batches."""
        for batch in self._batches.shuffled(self._size, self._generator):
            yield batch.indices.tolist()


def run_both_alike(
    bench: Workbench, task: PeerTask, layout: Layout, plan: TrainingPlan, *, seed: int
) -> tuple[Outcome, Outcome]:
    """Ours, and the peer with hooks on the very same batches; their losses have to agree."""
    [ours] = run_ours(bench, [layout], plan, seed=seed)
    order = OurOrder(bench, plan, seed)
    return ours, run_peer(bench, task, layout, plan, attach_hooks, seed=seed, order=order)


def finish_queued_work(bench: Workbench) -> None:
    """Wait for an accelerator, which returns before its work is done."""
    if bench.backbone.device.type != "cpu":
        torch.accelerator.synchronize()
