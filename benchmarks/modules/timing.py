"""How long a training step and a forward pass of each method take, side by side in one run."""

import statistics
import time
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from benchmarks.modules.comparison import SEED, Comparison, Method, methods
from benchmarks.modules.entries import HEAD, YARDSTICK
from benchmarks.modules.page import Timed
from placement_search.adapted.batches import Batch
from placement_search.evaluation.evaluate import Evaluation, fresh_model, from_frozen_states
from placement_search.evaluation.full_fine_tune import FullyTrained
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench

N_ROUNDS = 9
"""In which every method is timed once, after one that warms up."""
PASS_SIZE = 32
"""Examples of a forward pass."""


class Contestant:
    """One method with its times so far, in seconds, one for each round."""

    def __init__(self, bench: Workbench, method: Method, plan: TrainingPlan) -> None:
        self.method = method
        self.steps: list[float] = []
        self.passes: list[float] = []
        self._bench = bench
        self._model = (
            FullyTrained(bench)
            if method.layout is None
            else fresh_model(bench, Evaluation(method.layout, SEED, plan))
        )
        trained = [p for p in self._model.parameters() if p.requires_grad]
        self._optimizer = torch.optim.AdamW(trained, lr=plan.learning_rate, fused=True)

    def step(self, batch: Batch) -> None:
        """A training step, from the frozen states but for full fine-tuning."""
        train = self._bench.train
        self._model.train()
        started = time.perf_counter()
        self._optimizer.zero_grad()
        if self.method.layout is None:
            logits: Tensor = self._model(batch.of(train.inputs))
        else:
            (logits,) = from_frozen_states([self._model], train, [batch])
        self._bench.task.loss(logits, train.labels[batch.indices]).backward()
        self._optimizer.step()
        self.steps.append(time.perf_counter() - started)

    @torch.no_grad()
    def forward_pass(self, inputs: dict[str, Tensor]) -> None:
        """A pass through the whole backbone."""
        self._model.eval()
        started = time.perf_counter()
        self._model(inputs)
        self.passes.append(time.perf_counter() - started)


def timed(compared: Comparison) -> Iterator[Timed]:
    """Time all methods in turn, round by round, so that what else runs disturbs all alike."""
    bench, plan = compared.bench, compared.plan
    contestants = [Contestant(bench, method, plan) for method in methods(bench)]
    generator = torch.Generator().manual_seed(SEED)
    batches = bench.train.batches.shuffled(plan.batch_size, generator)
    inputs = bench.first(PASS_SIZE)
    for number in range(1 + N_ROUNDS):
        for contestant in contestants:
            contestant.step(batches[number % len(batches)])
            contestant.forward_pass(inputs)
    named = {(each.method.name, each.method.size): each for each in contestants}
    yardstick, bare = named[YARDSTICK, "own"], named[HEAD, "own"]
    for (name, size), each in named.items():
        yield Timed(
            task=compared.task,
            name=name,
            size=size,
            step=_ratio(each.steps, yardstick.steps),
            passed=_ratio(each.passes, bare.passes),
            step_seconds=statistics.median(each.steps[1:]),
            pass_seconds=statistics.median(each.passes[1:]),
        )


def _ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median over the rounds after the first."""
    return statistics.median(a / b for a, b in zip(ours[1:], theirs[1:], strict=True))
