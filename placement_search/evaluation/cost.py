"""Counted and measured costs of an adapted backbone, as it would be deployed."""

import statistics
import time
from collections.abc import Callable

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.graph import Inputs
from placement_search.evaluation.score_card import Costs
from placement_search.layout import Layout
from placement_search.modules import distinct_state


def count_flops(model: AdaptedBackbone, example: Inputs) -> int:
    """Floating-point operations of matrix products and attention in one forward pass.

    A recurrent layout pays its second pass, since a deployed model has no cached states.

    Args:
        model: The adapted backbone.
        example: Inputs of one example, each of shape ``(1, …)``.
    """
    return flops_of(lambda: model(example))


def flops_of(run: Callable[[], object]) -> int:
    """Floating-point operations of matrix products and attention in whatever ``run`` does."""
    counter = FlopCounterMode(display=False)
    # The CPU's fused attention is not counted; the plain one has the same products.
    with counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
        run()
    return counter.get_total_flops()


def measure_latency_factor(model: AdaptedBackbone, inputs: Inputs, *, repeats: int = 9) -> float:
    """Median over pairs of the time of one pass over that of the bare backbone with its head.

    The two are timed in turn, so that what else the machine does hits both.

    Args:
        model: The adapted backbone.
        inputs: A batch, each of shape ``(batch, …)``.
        repeats: Pairs of timed passes, after one that warms up.
    """
    bare = AdaptedBackbone(model.backbone, Layout(), model.head.out_features, pooling=model.pooling)
    return measure_time_ratio(model, bare, inputs, repeats=repeats)


def measure_time_ratio(
    model: AdaptedBackbone, other: AdaptedBackbone, inputs: Inputs, *, repeats: int = 9
) -> float:
    """Median over pairs of the time of one pass of ``model`` over that of one of ``other``.

    Args:
        model: An adapted backbone.
        other: Another one, timed in turn with it.
        inputs: A batch, each of shape ``(batch, …)``.
        repeats: Pairs of timed passes, after one that warms up.
    """
    ratios = [_seconds(model, inputs) / _seconds(other, inputs) for _ in range(repeats + 1)]
    return statistics.median(ratios[1:])


@torch.no_grad()
def _seconds(model: AdaptedBackbone, inputs: Inputs) -> float:
    _finish_queued_work(model)
    started = time.perf_counter()
    model(inputs)
    _finish_queued_work(model)
    return time.perf_counter() - started


def _finish_queued_work(model: AdaptedBackbone) -> None:
    """Accelerators return before their work is done."""
    if model.backbone.device.type != "cpu":
        torch.accelerator.synchronize(model.backbone.device)


def count_costs(model: AdaptedBackbone, *, n_flops: int, n_bare_flops: int) -> Costs:
    """The counted costs of ``model``, with `count_flops` of itself and of the empty layout."""
    tensors = list(distinct_state(model).values())
    return Costs(
        n_adapter_parameters=sum(p.numel() for p in model.adapters.parameters()),
        n_head_parameters=sum(p.numel() for p in model.head.parameters()),
        n_bytes=sum(t.numel() * t.element_size() for t in tensors),
        n_flops=n_flops,
        flops_factor=n_flops / n_bare_flops,
    )
