"""The proxy map of a backbone on a task: every proxy's score of all n² connections."""

import time

import torch
from torch import Tensor

from placement_search.adapted.batches import take, text_lengths
from placement_search.evaluation.workbench import Workbench
from placement_search.proxies import PROXIES
from placement_search.proxies.gradients import GradientFactors, gradient_factors, gradient_map
from placement_search.study.records import ProxyMap
from placement_search.study.seeds import derive_seed

N_EXAMPLES = 256
"""Training examples that gradients are summed over, or all where there are fewer."""
MEMORY_LIMIT = 2 * 1024**3
"""Bytes that the states and their gradients may take; larger models get fewer examples."""


def compute_proxy_map(bench: Workbench, seed: int, n_examples: int = N_EXAMPLES) -> ProxyMap:
    """Score every connection by every proxy, from one forward and one backward pass.

    Args:
        bench: Backbone and data; its probed head gives the loss.
        seed: Fixes which training examples are used.
        n_examples: How many of them, where memory allows.
    """
    started = time.perf_counter()
    train = bench.train
    n_examples = min(n_examples, len(train.labels), _affordable(bench))
    generator = torch.Generator().manual_seed(derive_seed(seed, "map"))
    order = torch.randperm(len(train.labels), generator=generator)
    chosen = order[:n_examples].to(train.labels.device)
    labels = train.labels[chosen]

    def summed_loss(features: Tensor, indices: Tensor) -> Tensor:
        logits = bench.head.logits(features)
        return bench.task.loss(logits, labels[indices], reduction="sum")

    inputs = take(train.inputs, chosen)
    gradients = gradient_map(
        _on_doubles(gradient_factors(bench.backbone, summed_loss, bench.pooling, inputs))
    )
    with torch.no_grad():
        features = train.states.features[bench.pooling][chosen]
        loss = bench.task.loss(bench.head.logits(features), labels)
    return ProxyMap(
        scores={name: proxy(gradients).tolist() for name, proxy in PROXIES.items()},
        n_examples=n_examples,
        loss=float(loss),
        seconds=time.perf_counter() - started,
    )


def _affordable(bench: Workbench) -> int:
    """How many examples' states and gradients at all nodes fit in `MEMORY_LIMIT`, at least 1."""
    backbone = bench.backbone
    n_bytes = 2 * 4 * backbone.n_nodes * _longest(bench) * backbone.width
    return max(1, MEMORY_LIMIT // n_bytes)


def _longest(bench: Workbench) -> int:
    """Most tokens of a training example."""
    lengths = text_lengths(bench.train.inputs)
    if lengths is not None:
        return int(lengths.max())
    return bench.backbone.graph.run(bench.first(1)).shape[1]


def _on_doubles(factors: GradientFactors) -> GradientFactors:
    """The factors on a device that has double precision, which Apple's GPUs lack."""
    if factors.reads.device.type != "mps":
        return factors
    return GradientFactors(factors.reads.cpu(), factors.deltas.cpu())
