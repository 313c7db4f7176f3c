"""Time of a trial by its layout's size and lowest target, by sequence length and by batch.

    GOMP_SPINCOUNT=1000 python -m benchmarks.cost [--out reports/performance]

Everything runs on a model of random weights with the shapes of all-MiniLM-L6-v2 on made-up texts,
so that lengths can be set. Writes cost.csv and the picture cost.png; points are medians of three
epochs over 256 texts with their ranges.
"""

import argparse
import csv
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib as mpl
import torch
from matplotlib import pyplot as plt
from transformers import BertConfig, BertModel

from placement_search.backbones.backbone import Backbone, as_backbone
from placement_search.evaluation.evaluate import Evaluation, begin, new_population
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from placement_search.tasks.metrics import METRICS
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples, Task

N_EXAMPLES, N_TOKENS, BATCH, N_CLASSES = 256, 16, 32, 4
REPEATS = 3
MARKS = ("node", "connections", "tokens", "batch")


@dataclass(frozen=True, slots=True)
class Point:
    """One measured setting.

    Args:
        what: What is varied.
        value: Its value.
        seconds: Time of an epoch of training and its validation pass, several times over.
    """

    what: str
    value: int
    seconds: tuple[float, ...]


def small_bert() -> Backbone:
    """Random weights in the shapes of all-MiniLM-L6-v2."""
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=384,
        num_hidden_layers=6,
        num_attention_heads=12,
        intermediate_size=1536,
        vocab_size=1000,
    )
    return as_backbone(BertModel(config, add_pooling_layer=False), "MiniLM shapes")


def bench_of(backbone: Backbone, n_tokens: int) -> Workbench:
    """Made-up texts of one length."""
    generator = torch.Generator().manual_seed(n_tokens)

    def examples(n: int) -> Examples:
        ids = torch.randint(1000, (n, n_tokens), generator=generator)
        labels = torch.randint(N_CLASSES, (n,), generator=generator)
        return Examples({"input_ids": ids, "attention_mask": torch.ones_like(ids)}, labels)

    task = Task(
        name="made up",
        target=Target.SINGLE_LABEL,
        metric=METRICS["accuracy"],
        label_names=tuple(map(str, range(N_CLASSES))),
        train=examples(N_EXAMPLES),
        validation=examples(N_EXAMPLES // 2),
        test=examples(8),
    )
    return Workbench(backbone, task, pooling="mean")


def measured(bench: Workbench, layout: str, batch: int = BATCH) -> tuple[float, ...]:
    """Seconds of some epochs of one layout, after one that warms up."""
    population = new_population(bench)
    plan = TrainingPlan(epochs=REPEATS + 1, batch_size=batch)
    begin(population, bench, Evaluation(parse_layout(layout), 0, plan))
    times = []
    for _ in range(REPEATS + 1):
        started = time.perf_counter()
        population.run_epoch()
        times.append(time.perf_counter() - started)
    return tuple(times[1:])


def points() -> Iterator[Point]:
    """All settings, one thing varied at a time."""
    backbone = small_bert()
    bench = bench_of(backbone, N_TOKENS)
    for target in range(backbone.n_nodes):
        yield Point("node", target, measured(bench, f"{target}>{target}:bottleneck"))
    for count in (1, 2, 4, 8, 12):
        layout = "+".join(f"{12 - i}>1:bottleneck" for i in range(count))
        yield Point("connections", count, measured(bench, layout))
    for batch in (8, 16, 32, 64, 128):
        yield Point("batch", batch, measured(bench, "6>6:bottleneck", batch))
    for n_tokens in (8, 16, 32, 64, 128):
        yield Point("tokens", n_tokens, measured(bench_of(backbone, n_tokens), "6>6:bottleneck"))


TITLES = {
    "node": "one connection, by its target",
    "connections": "recurrent connections into node 1",
    "tokens": "tokens of a text, into node 6",
    "batch": "batch size, into node 6",
}


def draw(found: list[Point], path: Path) -> None:
    """One panel for each thing that is varied."""
    mpl.use("Agg")
    figure, axes = plt.subplots(1, len(MARKS), figsize=(13, 3.2), layout="constrained")
    for axis, what in zip(axes, MARKS, strict=True):
        own = [point for point in found if point.what == what]
        middle = [statistics.median(point.seconds) for point in own]
        low = [m - min(point.seconds) for m, point in zip(middle, own, strict=True)]
        high = [max(point.seconds) - m for m, point in zip(middle, own, strict=True)]
        axis.errorbar([p.value for p in own], middle, yerr=[low, high], marker="o", capsize=3)
        axis.set_title(TITLES[what], fontsize=10)
        axis.set_xlabel(what)
        axis.set_ylim(bottom=0)
        if what in {"tokens", "batch"}:
            axis.set_xscale("log", base=2)
        axis.grid(alpha=0.3)
    axes[0].set_ylabel("seconds of an epoch")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main() -> None:
    """Measure, write the table and draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("reports/performance"))
    folder: Path = parser.parse_args().out
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for point in points():
        found.append(point)
        shown = " ".join(f"{each:.2f}" for each in point.seconds)
        print(f"{point.what:12} {point.value:4d}  {shown} s", flush=True)
    with (folder / "cost.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["what", "value", *(f"seconds_{i}" for i in range(1, REPEATS + 1))])
        rows = [[p.what, p.value, *(f"{s:.3f}" for s in p.seconds)] for p in found]
        writer.writerows(rows)
    draw(found, folder / "cost.png")
    print(f"wrote {folder / 'cost.csv'}\nwrote {folder / 'cost.png'}")


if __name__ == "__main__":
    main()
