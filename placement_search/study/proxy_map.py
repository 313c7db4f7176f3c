"""The proxy map of a backbone on a task: every proxy's score of all n² connections."""

import time

import torch
from torch import Tensor

from placement_search.evaluation.workbench import Workbench
from placement_search.proxies import PROXIES
from placement_search.proxies.factors import FactorStream
from placement_search.proxies.gradients import plan_of, planned_map
from placement_search.study.records import ProxyMap
from placement_search.study.seeds import derive_seed

N_EXAMPLES = 256
"""Training examples that gradients are summed over, or all where there are fewer."""
MEMORY_LIMIT = 2 * 1024**3
"""Bytes that the map may take besides the backbone's own forward and backward pass.

Where all states and their gradients do not fit, they are computed twice instead of kept; where
the gradients of all connections do not, fewer directions of each are.
"""


def compute_proxy_map(bench: Workbench, seed: int, n_examples: int = N_EXAMPLES) -> ProxyMap:
    """Score every connection by every proxy, from one or two forward and backward passes.

    Args:
        bench: Backbone and data; its probed head gives the loss.
        seed: Fixes which training examples are used.
        n_examples: How many of them, where there are as many.
    """
    started = time.perf_counter()
    train = bench.train
    n_examples = min(n_examples, len(train.labels))
    generator = torch.Generator().manual_seed(derive_seed(seed, "map"))
    order = torch.randperm(len(train.labels), generator=generator)
    chosen = order[:n_examples].to(train.labels.device)
    stream = stream_of(bench, chosen)
    gradients = planned_map(stream, plan_of(stream, MEMORY_LIMIT))
    with torch.no_grad():
        features = train.states.features[bench.pooling][chosen]
        loss = bench.task.loss(bench.head.logits(features), train.labels[chosen])
    return ProxyMap(
        scores={name: proxy(gradients).tolist() for name, proxy in PROXIES.items()},
        n_examples=n_examples,
        loss=float(loss),
        seconds=time.perf_counter() - started,
        discarded=gradients.largest_discarded_share,
    )


def stream_of(bench: Workbench, chosen: Tensor) -> FactorStream:
    """The states and their gradients on the training examples ``chosen``."""
    labels = bench.train.labels[chosen]

    def summed_loss(features: Tensor, indices: Tensor) -> Tensor:
        logits = bench.head.logits(features)
        return bench.task.loss(logits, labels[indices], reduction="sum")

    inputs = {name: tensor[chosen] for name, tensor in bench.train.inputs.items()}
    return FactorStream(bench.backbone, summed_loss, bench.pooling, inputs)
