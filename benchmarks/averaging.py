"""What averaging a trained layout's copies into one costs, on the embedded backbone.

    python -m benchmarks.averaging

Trains every fourth node's tiny attention of four experts, and AdaMix, on 400 examples of digit
location, and scores 300; see docs/decisions/0021-state-modules.md. Minutes on one core.
"""

from collections.abc import Iterator

import torch

from placement_search.adapted.deployed import deployed_layout
from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.evaluate import Evaluation, evaluate, from_frozen_states
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.population import scores_on
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from placement_search.modules.adamix import AdaMix
from placement_search.study.search import load_bench
from placement_search.tasks.settings import DataSettings

SEEDS = (0, 1, 2)
NODES = range(5, 25, 4)
SPREADS = (1e-6, 1e-2, 1.0)
CONSISTENCIES = (0.0, 1.0)
N_ROUTINGS = 20


def new_bench() -> Workbench:
    """The embedded backbone on a part of digit location."""
    data = DataSettings("digits-location", train_size=400, validation_size=300)
    return load_bench(ModelSettings(), data)


def trained(bench: Workbench, module: str, seed: int, consistency: float = 0.0) -> AdaptedBackbone:
    """A layout with one module at each of `NODES`."""
    layout = parse_layout("+".join(f"{node}>{node}:{module}" for node in NODES))
    plan = TrainingPlan(epochs=8, learning_rate=1e-2, consistency=consistency)
    return evaluate(bench, Evaluation(layout, seed, plan), lambda *_: None).model


def score(bench: Workbench, model: AdaptedBackbone) -> float:
    """Its validation score."""
    (found,) = scores_on([model], from_frozen_states, bench, bench.validation)
    return found


@torch.no_grad()
def relative_change(bench: Workbench, model: AdaptedBackbone) -> float:
    """Largest change of a logit by deployment, relative to the largest logit."""
    examples = bench.first(300)
    before: torch.Tensor = model(examples)
    return float((deployed_layout(model)(examples) - before).abs().max() / before.abs().max())


def attention_rows(bench: Workbench) -> Iterator[str]:
    """By spread: score of the experts' mean, of the one that they become, and the change."""
    for spread in SPREADS:
        for seed in SEEDS:
            model = trained(bench, f"tiny_attention(heads=4,spread={spread})", seed)
            merged, change = score(bench, deployed_layout(model)), relative_change(bench, model)
            cells = f"{score(bench, model):.3f} | {merged:.3f} | {change:.1e}"
            yield f"| {spread:g} | {seed} | {cells} |"


def adamix_rows(bench: Workbench) -> Iterator[str]:
    """By weight of consistency: the merged score, and those of random routing at inference."""
    for consistency in CONSISTENCIES:
        for seed in SEEDS:
            model = trained(bench, "adamix(rank=8)", seed, consistency)
            merged = score(bench, deployed_layout(model))
            for module in model.modules():
                if isinstance(module, AdaMix):
                    module.routes_at_inference = True
            routed = sorted(score(bench, model) for _ in range(N_ROUTINGS))
            cells = (merged, routed[0], routed[N_ROUTINGS // 2], routed[-1])
            yield (
                f"| {consistency:g} | {seed} | "
                + " | ".join(f"{each:.3f}" for each in cells)
                + " |"
            )


def main() -> None:
    """Print both tables."""
    bench = new_bench()
    print("| spread | seed | mean of four | merged | change of a logit |")
    print("| --- | --- | --- | --- | --- |")
    for row in attention_rows(bench):
        print(row, flush=True)
    print("\n| consistency | seed | merged | worst routing | median | best |")
    print("| --- | --- | --- | --- | --- | --- |")
    for row in adamix_rows(bench):
        print(row, flush=True)


if __name__ == "__main__":
    main()
