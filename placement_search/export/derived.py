"""Layout files of what was made of trained layouts: nothing in them is copied as if measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from placement_search.adapted.model import AdaptedBackbone
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import Costs
from placement_search.export.check import CHECK_SEED, check_logits
from placement_search.export.layout_file import (
    SCHEMA_VERSION,
    BackboneEntry,
    CheckEntry,
    CostEntry,
    DataEntry,
    DerivationEntry,
    LayoutFile,
    ParentEntry,
    ScoreEntry,
    ScoresEntry,
    connection_entries,
)
from placement_search.export.units import to_original_units
from placement_search.export.write import packed, write_files
from placement_search.module_type import Scalar
from placement_search.study.definition import package_versions
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Derived:
    """A trained layout that was made of others.

    Args:
        model: With its weights; the head in units of training, see `to_training_units`.
        operation: The command that made it.
        settings: What that was asked to do, its seed included.
        parents: Files of what it was made of; the first one gives task and provenance.
        seed: Of the operation.
        score: Its validation score, measured now.
        costs: Counted now.
        plan: How it was trained afterwards; None where it was not.
    """

    model: AdaptedBackbone
    operation: str
    settings: Mapping[str, Scalar]
    parents: Sequence[LayoutFile]
    seed: int
    score: float
    costs: Costs
    plan: TrainingPlan | None = None


def write_derived(
    derived: Derived, task: Task, data: DataSettings, folder: Path
) -> tuple[Path, Path]:
    """Write the layout file of a derived layout, and its weights; the model's head changes units.

    Finals and test scores of the parents are left out, since they are those of other weights, and
    so is the latency: the same operation again then writes the same bytes.

    Args:
        derived: What to write.
        task: The first parent's, on which the score was measured.
        data: Where it was read.
        folder: Made where it is missing; files of an earlier export are replaced.

    Raises:
        OutputError: If ``folder`` is a file or can't be made.
    """
    to_original_units(derived.model, task)
    weights = packed(derived.model)
    return write_files(folder, _describe(derived, data, weights.sha256), weights)


def _describe(derived: Derived, data: DataSettings, weights_sha256: str) -> LayoutFile:
    model, first = derived.model, derived.parents[0]
    layout = model.layout
    changes = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": version("placement-search"),
        "layout_id": layout.id,
        "weights_sha256": weights_sha256,
        "notation": layout.notation,
        "first_pass": layout.first_pass,
        "backbone": BackboneEntry(**asdict(model.backbone.facts)),
        "task": first.task.model_copy(update={"data": DataEntry(**asdict(data))}),
        "connections": connection_entries(layout),
        "costs": CostEntry(**asdict(replace(derived.costs, latency_factor=None))),
        "scores": ScoresEntry(
            exported=ScoreEntry(seed=derived.seed, validation=derived.score, test=None),
            search=None,
            finals=[],
            validation=None,
            test=None,
        ),
        "check": CheckEntry(seed=CHECK_SEED, logits=check_logits(model, CHECK_SEED).tolist()),
        "derived_from": _derivation(derived),
    }
    if derived.plan:
        changes |= {"plan": asdict(derived.plan), "training": None}
    return first.model_copy(update=changes)


def _derivation(derived: Derived) -> DerivationEntry:
    return DerivationEntry(
        operation=derived.operation,
        settings=dict(derived.settings),
        parents=[_parent(file) for file in derived.parents],
        packages=package_versions(),
    )


def _parent(file: LayoutFile) -> ParentEntry:
    return ParentEntry(
        layout_id=file.layout_id,
        notation=file.notation,
        task=file.task.name,
        weights_sha256=file.weights_sha256,
        study=file.provenance.study,
        trial=file.provenance.trial,
        derived_from=file.derived_from,
    )
