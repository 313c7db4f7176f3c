"""The proxy map of a backbone on a task: every proxy's score of all n² connections."""

import time
from collections.abc import Sequence

import torch
from torch import Tensor

from placement_search.adapted.batches import take
from placement_search.adapted.probe import ProbedHead, random_head
from placement_search.evaluation.workbench import Workbench
from placement_search.proxies import FEATURE_PROXIES, GRADIENT_PROXIES
from placement_search.proxies.factors import FactorStream
from placement_search.proxies.features import feature_norms
from placement_search.proxies.gradients import GradientMap, PartedMap, plan_of, planned_map
from placement_search.study.map_record import Grid, ProxyMap, ProxySpread
from placement_search.study.proxy_spread import agreements
from placement_search.study.seeds import derive_seed

N_EXAMPLES = 256
"""Training examples that gradients are summed over, or all where there are fewer."""
N_BATCHES = 4
"""Disjoint parts of them that are compared, to say how much a proxy depends on the examples."""
N_RANDOM_HEADS = 2
"""Heads beside the probed one, each on one of these parts, to say how much it depends on the head.

Two of them and the parts take about as long as the rest of the map; docs/decisions/0015.
"""
N_FEATURE_EXAMPLES = 16
"""Examples of each part whose feature norms are taken."""
MEMORY_LIMIT = 2 * 1024**3
"""Bytes that the map may take besides the backbone's own forward and backward pass.

Where all states and their gradients do not fit, they are computed twice instead of kept; where
the gradients of all connections do not, fewer directions of each are.
"""


def compute_proxy_map(bench: Workbench, seed: int, n_examples: int = N_EXAMPLES) -> ProxyMap:
    """Score every connection by every proxy, from one or two forward and backward passes.

    A quarter of the examples goes through once more for each random head.

    Args:
        bench: Backbone and data; its probed head gives the loss.
        seed: Fixes which training examples are used, and the random heads.
        n_examples: How many of them, where there are as many.
    """
    started = time.perf_counter()
    train = bench.train
    chosen = chosen_examples(bench, seed, n_examples)
    stream = stream_of(bench, chosen, n_parts=N_BATCHES)
    parts = [chosen[part] for part in stream.parts()]
    made = planned_map(stream, plan_of(stream, MEMORY_LIMIT))
    features = [_feature_scores(bench, part[:N_FEATURE_EXAMPLES]) for part in parts]
    scores = gradient_scores(made.whole) | _means(features)
    randoms = [
        _scores_with(
            random_head_of(bench, derive_seed(seed, "random head", index)), bench, parts[0]
        )
        for index in range(N_RANDOM_HEADS)
    ]
    with torch.no_grad():
        pooled = train.states.features[bench.pooling][chosen]
        loss = bench.task.loss(bench.head.logits(pooled), train.labels[chosen])
    return ProxyMap(
        scores=scores,
        n_examples=len(chosen),
        loss=float(loss),
        seconds=time.perf_counter() - started,
        discarded=made.whole.largest_discarded_share,
        spread=_spread(made, features, randoms),
    )


def chosen_examples(bench: Workbench, seed: int, n_examples: int) -> Tensor:
    """Indices of random training examples, on their device, or of all where there are fewer."""
    labels = bench.train.labels
    generator = torch.Generator().manual_seed(derive_seed(seed, "map"))
    order = torch.randperm(len(labels), generator=generator)
    return order[:n_examples].to(labels.device)


def stream_of(
    bench: Workbench, chosen: Tensor, head: ProbedHead | None = None, n_parts: int = 1
) -> FactorStream:
    """The states and their gradients on the training examples ``chosen``.

    Args:
        bench: Backbone and data.
        chosen: Indices of training examples, on their device.
        head: What gives the loss; None for the probed one.
        n_parts: See `FactorStream`.
    """
    labels = bench.train.labels[chosen]
    used = head or bench.head

    def summed_loss(features: Tensor, indices: Tensor) -> Tensor:
        return bench.task.loss(used.logits(features), labels[indices], reduction="sum")

    inputs = {name: tensor[chosen] for name, tensor in bench.train.inputs.items()}
    return FactorStream(bench.backbone, summed_loss, bench.pooling, inputs, n_parts=n_parts)


def random_head_of(bench: Workbench, seed: int) -> ProbedHead:
    """A head that knows nothing of the task."""
    return random_head(bench.train.states.features[bench.pooling], bench.task.n_outputs, seed)


def gradient_scores(gradients: GradientMap) -> dict[str, Grid]:
    """Every gradient proxy's score of every connection of a map."""
    return {name: proxy(gradients).tolist() for name, proxy in GRADIENT_PROXIES.items()}


def _scores_with(head: ProbedHead, bench: Workbench, chosen: Tensor) -> dict[str, Grid]:
    stream = stream_of(bench, chosen, head)
    return gradient_scores(planned_map(stream, plan_of(stream, MEMORY_LIMIT)).whole)


def _feature_scores(bench: Workbench, chosen: Tensor) -> dict[str, Grid]:
    norms = feature_norms(bench.backbone, take(bench.train.inputs, chosen))
    return {name: proxy(norms).tolist() for name, proxy in FEATURE_PROXIES.items()}


def _spread(
    made: PartedMap, features: Sequence[dict[str, Grid]], randoms: Sequence[dict[str, Grid]]
) -> ProxySpread:
    parts = [gradient_scores(part) for part in made.parts]
    heads = [
        {name: [grid[source] for source in made.sampled] for name, grid in scores.items()}
        for scores in randoms
    ]
    return ProxySpread(
        n_batches=len(parts),
        n_heads=1 + len(randoms),
        between_batches=agreements(parts) | agreements(features),
        between_heads=agreements([parts[0], *heads]),
        random_head=_means(randoms),
    )


def _means(states: Sequence[dict[str, Grid]]) -> dict[str, Grid]:
    return {
        name: torch.tensor([state[name] for state in states], dtype=torch.float64).mean(0).tolist()
        for name in states[0]
    }
