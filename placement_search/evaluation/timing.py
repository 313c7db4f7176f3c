"""A short copy of a bench, on which trainings are timed."""

import time
from dataclasses import dataclass, replace

import torch

from placement_search.adapted.batches import take
from placement_search.evaluation.workbench import Workbench
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples

MIN_TIMED, TIMED_STEPS = 256, 4
"""Training examples of the short epoch at least, and its steps at least."""


@dataclass(frozen=True, slots=True)
class Timing:
    """A short copy of a bench, and how much of it that is.

    Args:
        bench: The copy.
        share: Of the examples, within (0, 1].
        cache_seconds: Estimated time of computing all frozen states, once for a study.
    """

    bench: Workbench
    share: float
    cache_seconds: float


def prepare_timing(bench: Workbench, batch_size: int) -> Timing:
    """Copy a share of a bench's examples and compute their frozen states, by the clock.

    Args:
        bench: Whose splits are shortened; nothing of its own is prepared.
        batch_size: Examples in a step.
    """
    n_train = len(bench.task.train)
    n_timed = min(n_train, max(MIN_TIMED, TIMED_STEPS * batch_size))
    share = n_timed / n_train
    n_validation = max(1, round(share * len(bench.task.validation)))
    short = replace(
        bench.task,
        train=_spread(bench.task.train, n_timed, bench.task.target),
        validation=_spread(bench.task.validation, n_validation, bench.task.target),
    )
    pooling = bench.backbone.poolings[0].value
    copy = Workbench(bench.backbone, short, pooling=pooling, memory_limit=bench.memory_limit)
    started = time.perf_counter()
    copy.train, copy.validation  # noqa: B018 - they are prepared when first read
    return Timing(copy, share, (time.perf_counter() - started) / share)


def _spread(examples: Examples, n: int, target: Target) -> Examples:
    """``n`` examples from all over a split, which may be sorted by label, of two classes at least.

    A head can't be fitted to one class alone, and most examples may be of one.
    """
    chosen = torch.linspace(0, len(examples) - 1, n).round().long()
    if target is Target.SINGLE_LABEL:
        first = examples.labels[chosen[0]]
        others = (examples.labels != first).nonzero().flatten()
        if (examples.labels[chosen] == first).all() and len(others):
            chosen[-1] = others[0]
    return Examples(take(examples.inputs, chosen), examples.labels[chosen])
