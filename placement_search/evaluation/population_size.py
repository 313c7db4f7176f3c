"""How many trainings share a pass: as many as pay, by a measured step, and as fit in memory."""

import os
import time
from pathlib import Path

import torch
from torch import Tensor

from placement_search.adapted.batches import Batch
from placement_search.evaluation.evaluate import from_frozen_states
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.modules.contract import is_random

WORTHWHILE = 1.05
"""Gain in steps per second that a doubled population must bring."""
SHARE_OF_MEMORY = 0.5
"""Of what is free, that the states kept for a backward pass may take."""
N_TIMED = 2


def best_population(
    bench: Workbench,
    layout: Layout,
    plan: TrainingPlan,
    most: int,
    *,
    free_bytes: int | None = None,
) -> int:
    """The size, a power of two up to ``most``, beyond which doubling it does not pay or fit.

    It decides how fast scores come and none of them: no member's numbers depend on its company.

    Args:
        bench: Backbone and data.
        layout: What to try with; one that starts low shows what the largest layouts need.
        plan: Batch size of the step.
        most: Evaluations that are ever under way together.
        free_bytes: Memory that is free; None for what the device says.
    """
    if most < 2:
        return 1
    free = free_memory(bench.backbone.device) if free_bytes is None else free_bytes
    try:
        return _largest(bench, layout, plan, most, SHARE_OF_MEMORY * free)
    except (RuntimeError, MemoryError):
        # Not even one fits, or two do not in spite of the count: layouts find out one by one.
        return 1


def _largest(bench: Workbench, layout: Layout, plan: TrainingPlan, most: int, room: float) -> int:
    size, seconds = 1, _seconds(bench, layout, plan, 1)
    kept = _kept_bytes(bench, layout, plan)
    while 2 * size <= most and 2 * size * kept <= room:
        doubled = _seconds(bench, layout, plan, 2 * size)
        if doubled * WORTHWHILE > 2 * seconds:
            break
        size, seconds = 2 * size, doubled
    return size


def _step(bench: Workbench, layout: Layout, plan: TrainingPlan, size: int) -> None:
    """Forward and backward of one step, whose gradients go nowhere."""
    models = [bench.adapted(layout, seed=seed) for seed in range(size)]
    if plan.consistency > 0 and is_random(models[0]):
        models *= 2
    generator = torch.Generator().manual_seed(0)
    batches = bench.train.batches.shuffled(plan.batch_size, generator)
    longest = max(batches, key=lambda batch: (batch.n_tokens or 0, len(batch)))
    own = [Batch(longest.indices, longest.n_tokens) for _ in models]
    logits = from_frozen_states(models, bench.train, own)
    labels = bench.train.labels[longest.indices]
    torch.stack([bench.task.loss(each, labels) for each in logits]).sum().backward()


def _seconds(bench: Workbench, layout: Layout, plan: TrainingPlan, size: int) -> float:
    """The fastest of a few steps, after one that warms up."""
    times = []
    for _ in range(1 + N_TIMED):
        started = time.perf_counter()
        _step(bench, layout, plan, size)
        if bench.backbone.device.type != "cpu":
            torch.accelerator.synchronize(bench.backbone.device)
        times.append(time.perf_counter() - started)
    return min(times[1:])


def _kept_bytes(bench: Workbench, layout: Layout, plan: TrainingPlan) -> int:
    """Memory of the states that one member's step keeps for its backward pass."""
    kept: dict[int, int] = {}
    frozen = {p.untyped_storage().data_ptr() for p in bench.backbone.graph.model.parameters()}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in frozen:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        _step(bench, layout, plan, 1)
    return sum(kept.values())


def free_memory(device: torch.device) -> int:
    """Bytes of the device's memory that are free; on a system that does not say, half of all."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    info = Path("/proc/meminfo")
    if info.exists():
        fields = dict(line.split(":", 1) for line in info.read_text(encoding="ascii").splitlines())
        return int(fields["MemAvailable"].split()[0]) * 1024
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):
        return 0
