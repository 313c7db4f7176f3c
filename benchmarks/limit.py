"""How near trials come to the machine's limit: counted operations over time and matrix rate.

    GOMP_SPINCOUNT=1000 python -m benchmarks.limit [--model FOLDER] [--data DATA] [--dtype float32]
        [--mixed 24]

The operations are those of all matrix products of an epoch and its validation pass as they are run:
forward from the layout's lowest target, backward through the activations, adapters and head. The
rate is measured in the same run, before and after, at the shapes of the backbone's own linear maps
and as many rows as a batch has tokens, weighted by their operations. ``--mixed`` trains nothing: it
counts what the layouts of `benchmarks.throughput` must do, and says how many trials an hour the
machine could do of them if it did nothing else, at its full matrix rate.
"""

import argparse
import statistics
import time

import torch
from torch import nn
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.throughput_cases import mixed_layouts
from placement_search.adapted.batches import text_lengths
from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.evaluate import Evaluation, begin, new_population
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.modules import parse_layout
from placement_search.study.search import load_bench
from placement_search.tasks.settings import DataSettings

REPEATS = 3
SECONDS = 0.5


def layouts_of(n_nodes: int) -> dict[str, Layout]:
    """An adapter in every layer, one at the bottom, and two at half the depth."""
    middle = n_nodes // 2
    texts = {
        "every layer": "+".join(f"{node}>{node + 1}:bottleneck" for node in range(n_nodes - 1)),
        "node 1": "0>1:bottleneck",
        "half the depth": f"{middle}>{middle}:bottleneck+{n_nodes - 1}>{middle + 1}:bottleneck",
    }
    return {name: parse_layout(text) for name, text in texts.items()}


def matrix_rate(bench: Workbench, n_rows: int) -> float:
    """Operations per second of the backbone's linear maps on ``n_rows`` rows."""
    maps = [m for m in bench.backbone.graph.blocks[0].modules() if isinstance(m, nn.Linear)]
    operations = [2 * n_rows * m.in_features * m.out_features for m in maps]
    seconds = [_seconds_of(m, n_rows) for m in maps]
    return sum(operations) / sum(seconds)


@torch.no_grad()
def _seconds_of(linear: nn.Linear, n_rows: int) -> float:
    states = torch.randn(n_rows, linear.in_features, dtype=linear.weight.dtype)
    functional.linear(states, linear.weight)
    started, n = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        functional.linear(states, linear.weight)
        n += 1
    return (time.perf_counter() - started) / n


def epoch(bench: Workbench, layout: Layout, plan: TrainingPlan) -> float:
    """Seconds of an epoch of training and its validation pass."""
    population = new_population(bench)
    begin(population, bench, Evaluation(layout, 0, plan))
    started = time.perf_counter()
    population.run_epoch()
    return time.perf_counter() - started


def operations_of(bench: Workbench, layout: Layout, plan: TrainingPlan) -> int:
    """Of all matrix products of the same epoch; attention as plain products, which are counted."""
    counter = FlopCounterMode(display=False)
    with counter, sdpa_kernel(SDPBackend.MATH):
        epoch(bench, layout, plan)
    return counter.get_total_flops()


def rows_of_a_batch(bench: Workbench, plan: TrainingPlan) -> int:
    """Tokens of a typical batch."""
    lengths = text_lengths(bench.train.inputs)
    if lengths is not None:
        return round(plan.batch_size * float(lengths.float().mean()))
    return plan.batch_size * bench.backbone.graph.run(bench.first(1)).shape[1]


def most_trials(bench: Workbench, plan: TrainingPlan, n_layouts: int, rate: float) -> str:
    """What mixed layouts must do, in words: operations, and trials an hour at the full rate."""
    backbone = bench.backbone
    cases = mixed_layouts(backbone.n_nodes, backbone.width, n_layouts, seed=0)
    counted = [operations_of(bench, case.layout, plan) for case in cases]
    mean = statistics.fmean(counted)
    return (
        f"{n_layouts} mixed layouts, {mean / 1e9:.1f} · 10⁹ operations an epoch on average: at "
        f"{rate / 1e9:.0f} · 10⁹ a second {3600 * rate / mean:,.0f} trials an hour of one epoch"
    )


def main() -> None:
    """Print the table, or what is asked for of mixed layouts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--data", default="digits-location")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--train-size", type=int, default=1024)
    parser.add_argument("--mixed", type=int, help="layouts of throughput to count instead")
    given = parser.parse_args()
    data = DataSettings(given.data, train_size=given.train_size, validation_size=512)
    bench = load_bench(ModelSettings(given.model, device="cpu", dtype=given.dtype), data)
    bench.head, bench.validation  # noqa: B018 - made once, and no part of a trial
    plan = TrainingPlan(epochs=1)
    n_rows = rows_of_a_batch(bench, plan)
    rates = [matrix_rate(bench, n_rows)]
    if given.mixed:
        print(most_trials(bench, plan, given.mixed, rates[0]))
        return
    print(f"threads {torch.get_num_threads()}, {given.dtype}, {n_rows} rows in a batch")
    print("| layout | 10⁹ operations | seconds | 10⁹ a second |")
    print("| --- | --- | --- | --- |")
    reached = {}
    for name, layout in layouts_of(bench.backbone.n_nodes).items():
        operations = operations_of(bench, layout, plan)
        seconds = statistics.median(epoch(bench, layout, plan) for _ in range(REPEATS))
        reached[name] = operations / seconds
        print(f"| {name} | {operations / 1e9:.0f} | {seconds:.2f} | {reached[name] / 1e9:.0f} |")
    rates.append(matrix_rate(bench, n_rows))
    rate = statistics.fmean(rates)
    print(f"matrix rate before and after: {rates[0] / 1e9:.0f} and {rates[1] / 1e9:.0f}")
    for name, value in reached.items():
        print(f"{name}: {value / rate:.0%} of the limit")


if __name__ == "__main__":
    main()
