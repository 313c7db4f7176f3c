"""What AdaMix and Tiny-Attention lose and save when their copies are averaged into one."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch

from benchmarks.journal import append, read
from benchmarks.modules.comparison import N_SEEDS, SEED, Comparison
from benchmarks.modules.entries import ENTRIES, Entry, Part
from benchmarks.modules.page import Merged
from placement_search.adapted.deployed import deployed_layout
from placement_search.adapted.model import AdaptedBackbone
from placement_search.evaluation.cost import measure_time_ratio
from placement_search.evaluation.evaluate import Evaluation, evaluate, from_frozen_states
from placement_search.evaluation.population import scores_on
from placement_search.layout import Layout
from placement_search.module_type import Scalar
from placement_search.modules.adamix import AdaMix
from placement_search.study.seeds import derive_seed

N_ROUTINGS = 5
"""Random routings at inference of a layout with AdaMix."""


ONE = "AdaMix, one copy"


@dataclass(frozen=True, slots=True)
class Copied:
    """A method with several copies of its module.

    Args:
        name: Of the row.
        entry: The name in `ENTRIES` whose placement and learning rate it has.
        settings: What is set beyond that.
        consistency: Weight of the consistency loss.
        single: What has one module of the size that the copies are averaged to, here or in
            `ENTRIES`.
    """

    name: str
    entry: str
    settings: dict[str, Scalar]
    consistency: float
    single: str

    def layout(self, n_blocks: int) -> Layout:
        """In all blocks."""
        (entry,) = (each for each in ENTRIES if each.name == self.entry)
        parts = (
            Part(part.ends, part.type, {**part.settings, **self.settings}) for part in entry.parts
        )
        return Entry(self.name, tuple(parts)).layout(n_blocks)


COPIED: tuple[Copied, ...] = (
    Copied(ONE, "AdaMix", {"experts": 1}, 0.0, ONE),
    Copied("AdaMix", "AdaMix", {}, 0.0, ONE),
    Copied("AdaMix, consistency 1", "AdaMix", {}, 1.0, ONE),
    Copied("4 experts", "Tiny-Attention", {"heads": 4}, 0.0, "Tiny-Attention"),
    Copied("4 experts, spread 1", "Tiny-Attention", {"heads": 4, "spread": 1.0}, 0.0,
           "Tiny-Attention"),
)  # fmt: skip


class Merging:
    """Trains the layouts with copies on one task, as far as its journal lacks them.

    Args:
        compared: Its bench, its training, and the learning rates that it chose.
        journal: Of this task.
    """

    def __init__(self, compared: Comparison, journal: Path) -> None:
        self._compared = compared
        self._bench = compared.bench
        self._journal = journal

    def run(self) -> None:
        """Train what is missing."""
        held = {(row["name"], row["seed"]) for row in read(self._journal)}
        for copied in COPIED:
            for seed in range(N_SEEDS):
                if (copied.name, seed) not in held:
                    row = self._row(copied, seed)
                    append(self._journal, asdict(row))
                    print(f"{row.task}: {row.name}, seed {seed}: {row.merged:.4f}", flush=True)

    def _row(self, copied: Copied, seed: int) -> Merged:
        layout = copied.layout(self._bench.backbone.facts.n_blocks)
        plan = replace(
            self._compared.plan,
            learning_rate=self._compared.best_rate(copied.entry, "own"),
            consistency=copied.consistency,
        )
        model = evaluate(
            self._bench, Evaluation(layout, derive_seed(SEED, layout.id, seed), plan), _nobody
        ).model
        merged = deployed_layout(model)
        return Merged(
            task=self._compared.task,
            name=copied.name,
            single=copied.single,
            seed=seed,
            test=self._score(model),
            merged=self._score(merged),
            change=self._change(model, merged),
            n_parameters=self._bench.costs_of(model).n_adapter_parameters,
            n_merged=self._bench.costs_of(merged).n_adapter_parameters,
            speed_up=measure_time_ratio(model, merged, self._bench.first(32), repeats=31),
            routed=list(self._routed(model)),
        )

    def _score(self, model: AdaptedBackbone) -> float:
        (found,) = scores_on([model], from_frozen_states, self._bench, self._bench.test)
        return found

    def _routed(self, model: AdaptedBackbone) -> Iterator[float]:
        random = [module for module in model.modules() if isinstance(module, AdaMix)]
        for module in random:
            module.routes_at_inference = True
        for _ in range(N_ROUTINGS if random else 0):
            yield self._score(model)

    @torch.no_grad()
    def _change(self, model: AdaptedBackbone, merged: AdaptedBackbone) -> float:
        examples = self._bench.first(300)
        before: torch.Tensor = model(examples)
        return float((merged(examples) - before).abs().max() / before.abs().max())


def _nobody(number: int, score: float) -> None:
    """Is told the reports of a training."""
