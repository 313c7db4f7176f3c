"""The proxy map against the same scores connection by connection, side by side in one run.

    python -m benchmarks.proxy_map [--data digits-location] [--sample 25]

Connection by connection means what a user without the formula would write: attach one
zero-initialised linear map, run forward and backward, read its gradient, take singular values.
The sample is spread evenly over all n² connections; its time is scaled up to all of them.
"""

import argparse
import time

import torch
from torch import Tensor
from torch.nn import functional

from placement_search.adapted.batches import take
from placement_search.adapted.states import pooled
from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.workbench import Workbench
from placement_search.proxies.gradients import gradient_factors, gradient_map
from placement_search.study.search import load_bench
from placement_search.tasks.settings import DataSettings

N_EXAMPLES = 256


class OneMap:
    """A visitor that adds one zero-initialised linear map from a source to a target."""

    def __init__(self, source: int, target: int, width: int, first: Tensor | None) -> None:
        self.weight = torch.zeros(width, width, requires_grad=True)
        self._source, self._target, self._read = source, target, first

    def addition(self, node: int, state: Tensor) -> Tensor | None:
        """The map's output at its target."""
        if node == self._source == self._target:
            self._read = state
        if node != self._target or self._read is None:
            return None
        return functional.layer_norm(self._read, self._read.shape[-1:]) @ self.weight

    def passed(self, node: int, state: Tensor) -> None:
        """Keep what the map reads."""
        if node == self._source and self._source < self._target:
            self._read = state


def one_by_one(bench: Workbench, pairs: list[tuple[int, int]], indices: Tensor) -> list[Tensor]:
    """Singular values of each connection's gradient, from passes of their own."""
    values = []
    nodes = range(bench.backbone.n_nodes)
    inputs, labels = take(bench.train.inputs, indices), bench.train.labels[indices]
    for source, target in pairs:
        kept = bench.train.states.batch(indices, [source]) if source > target else None
        states = kept or {}
        visitor = OneMap(source, target, bench.backbone.width, states.get(source))
        with bench.backbone.graph.visited(visitor, nodes):
            hidden = bench.backbone.graph.run(inputs)
        features = pooled(hidden, bench.backbone.graph.token_mask(inputs), bench.pooling)
        bench.task.loss(bench.head.logits(features), labels).backward()
        assert visitor.weight.grad is not None
        values.append(torch.linalg.svdvals(visitor.weight.grad.double()))
    return values


def main() -> None:
    """Print both times, their ratio, and that they agree."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="digits-location")
    parser.add_argument("--sample", type=int, default=25)
    arguments = parser.parse_args()
    bench = load_bench(ModelSettings(), DataSettings(arguments.data))
    bench.head  # noqa: B018 - frozen states and probe are no part of what is timed
    indices = torch.arange(N_EXAMPLES)
    inputs, labels = take(bench.train.inputs, indices), bench.train.labels[indices]
    n = bench.backbone.n_nodes
    pairs = [divmod(int(k), n) for k in torch.linspace(0, n * n - 1, arguments.sample)]

    started = time.perf_counter()

    def loss(features: Tensor, chosen: Tensor) -> Tensor:
        return bench.task.loss(bench.head.logits(features), labels[chosen], reduction="sum")

    factors = gradient_factors(bench.backbone, loss, bench.pooling, inputs)
    at_once = gradient_map(factors).singular_values
    seconds_at_once = time.perf_counter() - started
    started = time.perf_counter()
    singly = one_by_one(bench, pairs, indices)
    seconds_singly = (time.perf_counter() - started) / len(pairs) * n * n

    worst = max(
        float((at_once[pair] - values).abs().max() / values.max())
        for pair, values in zip(pairs, singly, strict=True)
    )
    print(f"threads                       {torch.get_num_threads()}")
    print(f"all {n * n} at once                {seconds_at_once:8.2f} s")
    print(f"one by one, {len(pairs)} of {n * n} scaled up {seconds_singly:8.2f} s")
    print(f"ratio                         {seconds_singly / seconds_at_once:8.1f}")
    print(f"largest difference, relative  {worst:.1e}")


if __name__ == "__main__":
    main()
