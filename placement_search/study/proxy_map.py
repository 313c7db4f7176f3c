"""The proxy map of a backbone on a task: every proxy's score of all n² connections."""

import time

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import skip_init

from placement_search.adapted.probe import ProbedHead
from placement_search.adapted.states import take
from placement_search.evaluation.workbench import Workbench
from placement_search.proxies import PROXIES
from placement_search.proxies.gradients import gradient_factors, gradient_map
from placement_search.study.records import ProxyMap
from placement_search.study.seeds import derive_seed

N_EXAMPLES = 256
"""Training examples that gradients are summed over, or all where there are fewer."""


def compute_proxy_map(bench: Workbench, seed: int, n_examples: int = N_EXAMPLES) -> ProxyMap:
    """Score every connection by every proxy, from one forward and one backward pass.

    Args:
        bench: Backbone and data; its probed head gives the loss.
        seed: Fixes which training examples are used.
        n_examples: How many of them.
    """
    started = time.perf_counter()
    n_examples = min(n_examples, len(bench.train.labels))
    generator = torch.Generator().manual_seed(derive_seed(seed, "map"))
    chosen = torch.randperm(len(bench.train.labels), generator=generator)[:n_examples]
    head = _linear(bench.head)
    labels = bench.train.labels[chosen]
    factors = gradient_factors(bench.backbone, head, take(bench.train.inputs, chosen), labels)
    gradients = gradient_map(factors)
    with torch.no_grad():
        loss = functional.cross_entropy(head(bench.train.states.features[chosen]), labels)
    return ProxyMap(
        scores={name: proxy(gradients).tolist() for name, proxy in PROXIES.items()},
        n_examples=n_examples,
        loss=float(loss),
        seconds=time.perf_counter() - started,
    )


def _linear(probed: ProbedHead) -> nn.Linear:
    head: nn.Linear = skip_init(nn.Linear, probed.weight.shape[1], probed.weight.shape[0])
    probed.copy_into(head)
    head.requires_grad_(requires_grad=False)
    return head
