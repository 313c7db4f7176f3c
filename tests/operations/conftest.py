"""Small layouts with weights as after a training, in memory and as folders of an export."""

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.export.check import CHECK_SEED, check_logits
from placement_search.export.layout_file import (
    SCHEMA_VERSION,
    BackboneEntry,
    CheckEntry,
    CostEntry,
    DataEntry,
    LayoutFile,
    ProvenanceEntry,
    ScoreEntry,
    ScoresEntry,
    TaskEntry,
    connection_entries,
)
from placement_search.export.write import packed, write_files
from placement_search.modules import parse_layout
from placement_search.operations.trained import validation_score
from placement_search.study.search import load_bench
from placement_search.tasks.settings import DataSettings

FOUR = "+".join(f"{c}:bottleneck(rank=2)" for c in ("2>2", "4>4", "6>9", "20>12"))
DATA = DataSettings("digits", train_size=64, validation_size=32)
PLAN = TrainingPlan(epochs=1, batch_size=32)

Writer = Callable[..., Path]


def as_trained(bench: Workbench, notation: str, seed: int) -> AdaptedBackbone:
    """A layout whose every adapter weight has been moved."""
    model = bench.adapted(parse_layout(notation), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.adapters.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture(scope="session")
def bench() -> Workbench:
    """The embedded backbone on a few digits."""
    return load_bench(ModelSettings(pooling="mean"), DATA)


@pytest.fixture
def write(bench: Workbench, tmp_path: Path) -> Writer:
    """Writes a layout as an export does, and gives its folder."""

    def written(name: str = "layout", notation: str = FOUR, seed: int = 1) -> Path:
        model = as_trained(bench, notation, seed)
        weights = packed(model)
        file = described(bench, model, weights.sha256)
        write_files(tmp_path / name, file, weights)
        return tmp_path / name

    return written


def described(bench: Workbench, model: AdaptedBackbone, weights_sha256: str) -> LayoutFile:
    """The layout file of a model that was trained on the bench."""
    task, layout = bench.task, model.layout
    score = ScoreEntry(seed=0, validation=validation_score(bench, model), test=0.5)
    costs = bench.costs_of(model)
    return LayoutFile(
        schema_version=SCHEMA_VERSION,
        tool_version="0",
        layout_id=layout.id,
        weights_sha256=weights_sha256,
        notation=layout.notation,
        first_pass=layout.first_pass,
        backbone=BackboneEntry(**asdict(bench.backbone.facts)),
        task=TaskEntry(
            name=task.name,
            target=task.target,
            metric=task.metric.name,
            is_higher_better=task.metric.is_higher_better,
            label_names=list(task.label_names),
            data=DataEntry(**asdict(DATA)),
            pooling=model.pooling,
        ),
        connections=connection_entries(layout),
        costs=CostEntry(**asdict(costs)),
        scores=ScoresEntry(exported=score, search=score, finals=[], validation=None, test=None),
        check=CheckEntry(seed=CHECK_SEED, logits=check_logits(model, CHECK_SEED).tolist()),
        provenance=ProvenanceEntry(
            study="a study",
            trial=3,
            role="search",
            data_fingerprint=task.fingerprint,
            command="placement-search search",
            packages={"torch": "0"},
        ),
        training=None,
        plan=asdict(PLAN),
    )
