"""The proxy map against a training step, and against the same gradients connection by connection.

    python -m benchmarks.proxy_map [--model FOLDER|embedded|bert-base|giant] [--data DATA]

A training step is one forward and one backward pass, down to the first node, of the same examples
in the same batches. Connection by connection means what a user without the formula would write:
attach one zero-initialised linear map, run forward and backward, read its gradient, take singular
values. The sample is spread evenly over all n² connections; its time is scaled up to all of them.
``bert-base`` and ``giant`` (40 blocks, width 1408, 6,561 connections) have random weights, and
take random texts of 32 tokens with random labels. Seconds of the processor are of all threads
together, and depend less on what else the machine does. Linux only: memory is read from /proc.
"""

import argparse
import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional
from transformers import BertConfig, BertModel

from placement_search.adapted.batches import take
from placement_search.adapted.states import bare_states, pooled
from placement_search.backbones.backbone import as_backbone
from placement_search.backbones.graph import Visitor
from placement_search.backbones.settings import ModelSettings
from placement_search.proxies import GRADIENT_PROXIES
from placement_search.proxies.bases import find_bases
from placement_search.proxies.cores import Cores
from placement_search.proxies.factors import FactorStream, GradientFactors
from placement_search.proxies.features import feature_norms
from placement_search.proxies.gradients import GradientMap, plan_of, planned_map
from placement_search.proxies.plan import MapPlan
from placement_search.study.proxy_map import (
    MEMORY_LIMIT,
    N_BATCHES,
    N_FEATURE_EXAMPLES,
    N_RANDOM_HEADS,
    gradient_scores,
    stream_of,
)
from placement_search.study.search import load_bench
from placement_search.tasks.settings import DataSettings

N_EXAMPLES, N_TOKENS, N_CLASSES = 256, 32, 6
GIB = 1024**3
ROUNDING = 1e-6
"""Of an energy in float32."""


@dataclass(frozen=True, slots=True)
class Shape:
    """A made-up BERT, and how many made-up examples it is given."""

    n_blocks: int
    width: int
    n_examples: int


SHAPES = {"bert-base": Shape(12, 768, 256), "giant": Shape(40, 1408, 8)}


@dataclass(frozen=True, slots=True)
class Took:
    """Seconds of the wall clock, and of the processor."""

    wall: float
    processor: float

    def __str__(self) -> str:
        return f"{self.wall:8.2f} s, of the processor {self.processor:.2f} s"

    def times(self, factor: float) -> "Took":
        """So many times as long."""
        return Took(self.wall * factor, self.processor * factor)

    def over(self, other: "Took") -> str:
        """The ratio of both kinds of seconds."""
        ratios = self.wall / other.wall, self.processor / other.processor
        return f"{ratios[0]:8.2f}   of the processor {ratios[1]:.2f}"


class Clock:
    """Measures time since it was made."""

    def __init__(self) -> None:
        self._wall, self._processor = time.perf_counter(), time.process_time()

    def stop(self) -> Took:
        """The time until now."""
        return Took(time.perf_counter() - self._wall, time.process_time() - self._processor)


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


class Leaf:
    """A visitor that adds zeros with a gradient."""

    def addition(self, _node: int, state: Tensor) -> Tensor:
        """The zeros."""
        self.zeros = torch.zeros_like(state, requires_grad=True)
        return self.zeros

    def passed(self, _node: int, _state: Tensor) -> None:
        """Nothing is kept."""


def made_up_stream(shape: Shape) -> FactorStream:
    """A BERT of random weights with random texts, labels and head."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=1000,
        hidden_size=shape.width,
        num_hidden_layers=shape.n_blocks,
        num_attention_heads=shape.width // 64,
        intermediate_size=4 * shape.width,
        attn_implementation="eager",
    )
    backbone = as_backbone(BertModel(config, add_pooling_layer=True), "made up")
    head = nn.Linear(shape.width, N_CLASSES).requires_grad_(requires_grad=False)
    labels = torch.randint(N_CLASSES, (shape.n_examples,))
    ids = torch.randint(1000, (shape.n_examples, N_TOKENS))

    def loss(features: Tensor, indices: Tensor) -> Tensor:
        return functional.cross_entropy(head(features), labels[indices], reduction="sum")

    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    return FactorStream(backbone, loss, backbone.poolings[0], inputs)


def real_stream(model: str, data: str) -> FactorStream:
    """A backbone with the probed head of a task."""
    bench = load_bench(ModelSettings(model), DataSettings(data, train_size=1024))
    bench.head  # noqa: B018 - frozen states and probe are no part of what is timed
    return stream_of(bench, torch.arange(min(N_EXAMPLES, len(bench.train.labels))))


def training_step(stream: FactorStream) -> None:
    """Forward and backward of all examples, down to the first node."""
    for part, indices in stream.batches():
        leaf = Leaf()
        loss_of_pass(stream, part, indices, leaf, [0]).backward()


def loss_of_pass(
    stream: FactorStream,
    part: Mapping[str, Tensor],
    indices: Tensor,
    visitor: Visitor,
    nodes: Sequence[int],
) -> Tensor:
    """A batch's part of the mean loss, with ``visitor`` at ``nodes``."""
    graph = stream.backbone.graph
    with graph.visited(visitor, nodes):
        hidden = graph.run(part)
    features = pooled(hidden, graph.token_mask(part), stream.pooling)
    return stream.loss(features, indices) / stream.n_examples


def one_by_one(stream: FactorStream, source: int, target: int) -> Tensor:
    """Singular values of one connection's gradient, from passes of its own."""
    total = torch.zeros(stream.backbone.width, stream.backbone.width)
    for part, indices in stream.batches():
        first = None
        if source > target:
            first = bare_states(stream.backbone, part, [source])[source]
        one = OneMap(source, target, stream.backbone.width, first)
        loss_of_pass(stream, part, indices, one, sorted({source, target})).backward()
        assert one.weight.grad is not None
        total += one.weight.grad
    values: Tensor = torch.linalg.svdvals(total.double())
    return values


def exact_values(chunks: Iterable[GradientFactors], pairs: Sequence[tuple[int, int]]) -> Tensor:
    """Singular values of some gradients formed whole, shape ``(n_pairs, width)``."""
    gradients: dict[tuple[int, int], Tensor] = {}
    for chunk in chunks:
        reads, deltas = chunk.reads.flatten(1, 2), chunk.deltas.flatten(1, 2)
        for source, target in pairs:
            part = reads[source].T @ deltas[target]
            known = gradients.get((source, target))
            gradients[source, target] = part if known is None else known + part
    return torch.stack([torch.linalg.svdvals(gradients[pair].double()) for pair in pairs])


def print_agreement(made: GradientMap, exact: Tensor, pairs: Sequence[tuple[int, int]]) -> None:
    """Print how far the map is from ``exact``, singular values of the connections ``pairs``."""
    sources, targets = torch.tensor(pairs).T
    values = made.singular_values[sources, targets]
    difference = float(((values - exact).abs().amax(-1) / exact[:, 0]).max())
    energies, truth = made.energies[sources, targets], exact.square().sum(-1)
    lost = (truth - energies + made.discarded[sources, targets]).clamp_min(0)
    is_covered = lost <= made.discarded_bound[sources, targets] + ROUNDING * truth
    print(f"against {len(pairs)} gradients formed whole from the same factors, at worst:")
    print(f"  singular values               {difference:8.1e} of the largest")
    print(f"  largest singular value        {float((values / exact)[:, 0].min()):8.4f} of the true")
    norms = float(((energies / truth).sqrt() - 1).abs().max())
    print(f"  Frobenius norm                {norms:8.1e} relative")
    print(f"  share discarded, in truth     {float((lost / truth).max()):8.1e}")
    print(f"  connections within the bound  {int(is_covered.sum()):8d}")
    zeros = torch.zeros(len(pairs), 1, dtype=torch.float64)
    whole = GradientMap(exact.unsqueeze(1), zeros, zeros)
    for name in ("effective_rank", "nuclear_norm"):
        ours, true = (
            GRADIENT_PROXIES[name](made)[sources, targets],
            GRADIENT_PROXIES[name](whole)[:, 0],
        )
        ratios, order = ours / true, spearmanr(ours.numpy(), true.numpy()).statistic
        shown = f"{float(ratios.min()):.3f} to {float(ratios.max()):.3f} of the true"
        print(f"  {name:<30}{shown}, Spearman {order:.4f}")


def largest_memory() -> float:
    """The most that the process ever held, in GiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024**2


def gradients_alone(stream: FactorStream, plan: MapPlan) -> None:
    """Everything but decompositions and scores, as `planned_map` does it."""
    chunks = tuple(stream) if plan.keeps_factors else stream
    cores = Cores(None if plan.is_exact else find_bases(chunks, plan.n_directions))
    for chunk in chunks:
        cores.add(chunk)


def map_with_spread(stream: FactorStream) -> None:
    """All that a study's map takes: parts, random heads and feature norms as well.

    A head takes as long whatever its numbers are, so the one at hand stands in for random ones.
    """
    parted = dataclasses.replace(stream, n_parts=N_BATCHES)
    made = planned_map(parted, plan_of(parted, MEMORY_LIMIT))
    for found in (made.whole, *made.parts):
        gradient_scores(found)
    parts = parted.parts()
    for part in parts:
        feature_norms(stream.backbone, take(stream.inputs, part[:N_FEATURE_EXAMPLES]))
    first = FactorStream(
        stream.backbone,
        lambda features, indices: stream.loss(features, parts[0][indices]),
        stream.pooling,
        take(stream.inputs, parts[0]),
    )
    for _ in range(N_RANDOM_HEADS):
        gradient_scores(planned_map(first, plan_of(first, MEMORY_LIMIT)).whole)


def compare_with_one_by_one(
    stream: FactorStream, made: GradientMap, n_pairs: int, whole: Took
) -> None:
    """Print the time of connection by connection, scaled up, and that it gives the same."""
    n_nodes = stream.backbone.n_nodes
    pairs = spread(n_nodes, n_pairs)
    clock = Clock()
    singly = [one_by_one(stream, *pair) for pair in pairs]
    total = clock.stop().times(n_nodes**2 / n_pairs)
    worst = max(
        float((made.singular_values[pair][0] - values[0]).abs() / values[0])
        for pair, values in zip(pairs, singly, strict=True)
    )
    print(f"one by one, {n_pairs} scaled up         {total}")
    print(f"  in whole maps                 {total.over(whole)}")
    print(f"  largest value, difference     {worst:8.1e} relative")


def spread(n_nodes: int, n_pairs: int) -> list[tuple[int, int]]:
    """Connections spread evenly over all."""
    chosen = torch.linspace(0, n_nodes**2 - 1, n_pairs).round().long().tolist()
    return [divmod(k, n_nodes) for k in chosen]


def main() -> None:
    """Print all times, their ratios, how well they agree, and the memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--data", default="digits-location")
    parser.add_argument("--singly", type=int, default=5, help="connections taken one by one")
    parser.add_argument("--formed", type=int, default=25, help="gradients formed whole")
    parser.add_argument("--directions", type=int, help="keep so many, instead of what is planned")
    given = parser.parse_args()
    shape = SHAPES.get(given.model)
    stream = made_up_stream(shape) if shape else real_stream(given.model, given.data)
    plan = plan_of(stream, MEMORY_LIMIT)
    if given.directions:
        plan = dataclasses.replace(plan, n_directions=given.directions)
    stream = dataclasses.replace(stream, batch_size=plan.batch_size)
    print(f"threads                         {torch.get_num_threads():8d}")
    print(f"connections                     {plan.n_nodes**2:8d}, width {plan.width}")
    print(f"examples                        {plan.n_examples:8d}, longest {plan.n_tokens} tokens")
    print(f"directions kept per node        {plan.n_directions:8d}")
    before = largest_memory()
    clock = Clock()
    training_step(stream)
    step = clock.stop()
    print(f"one training step               {step}")
    print(f"  memory at most                {largest_memory():8.2f} GiB, {before:.2f} before it")
    clock = Clock()
    gradients_alone(stream, plan)
    gradients = clock.stop()
    print(f"gradients                       {gradients}")
    print(f"  in training steps             {gradients.over(step)}")
    clock = Clock()
    made = planned_map(stream, plan).whole
    gradient_scores(made)
    whole = clock.stop()
    planned = (plan.working_bytes + plan.factor_bytes * plan.keeps_factors) / GIB
    print(f"whole map with all scores       {whole}")
    clock = Clock()
    map_with_spread(stream)
    with_spread = clock.stop()
    print(f"with batches, heads, features   {with_spread}")
    print(f"  in whole maps                 {with_spread.over(whole)}")
    print(
        f"  memory at most                {largest_memory():8.2f} GiB, {planned:.2f} of it planned"
    )
    print(f"largest share discarded         {made.largest_discarded_share:8.1e} by estimate")
    pairs = spread(plan.n_nodes, given.formed)
    print_agreement(made, exact_values(stream, pairs), pairs)
    compare_with_one_by_one(stream, made, given.singly, whole)


if __name__ == "__main__":
    main()
