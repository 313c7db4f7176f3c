"""Read an exported layout back onto its backbone, and verify that it is what was exported."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor, nn

from placement_search.adapted.batches import Batch
from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.loading import Backbone, load_backbone
from placement_search.backbones.settings import ModelSettings
from placement_search.errors import ExportError, LayoutError, TaskError
from placement_search.evaluation.evaluate import from_frozen_states
from placement_search.evaluation.population import scores_on
from placement_search.evaluation.workbench import Split, Workbench
from placement_search.export.check import N_CHECKED, check_logits, put_weights
from placement_search.export.layout_file import (
    LAYOUT_NAME,
    WEIGHTS_NAME,
    LayoutFile,
    read_layout_file,
)
from placement_search.modules import count_parameters
from placement_search.tasks.loading import TASKS, load_task
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.target import Target

TOLERANCES = {"float64": 1e-4, "float32": 1e-4, "float16": 5e-3, "bfloat16": 3e-2}
"""Largest difference, relative to the largest logit, that another machine's arithmetic may make.

Logits are counted without the head's bias, which is the same everywhere: where numbers are to be
predicted it holds their mean, which may be large beside what layouts tell apart.

By the backbone's dtype. bfloat16 keeps 8 bits, so that one rounding is worth 4e-3; other kernels on
the same machine gave 6e-3 of the largest logit on all-MiniLM-L6-v2.
"""


LAST_BITS = 4
"""Roundings of a logit that adding the bias, or reading the file, may come to."""


@dataclass(frozen=True, slots=True)
class Verified:
    """What a verification found.

    Args:
        notation: The layout.
        max_difference: Largest absolute difference of the check logits; 0 for bitwise equality.
        is_same: Whether it is within `TOLERANCES` of the largest logit, its bias left out.
        recorded_score: Validation score that the file holds.
        measured_score: The same measured now; None where the data is not at hand.
    """

    notation: str
    max_difference: float
    is_same: bool
    recorded_score: float
    measured_score: float | None


def load_layout(folder: Path | str, backbone: Backbone) -> AdaptedBackbone:
    """The exported layout, attached to ``backbone``, with its weights and head.

    Raises:
        ExportError: If a file is missing or damaged, or the backbone is another one.
    """
    folder = Path(folder)
    file = read_layout_file(folder / LAYOUT_NAME)
    file.training_plan()  # is checked with all else
    _check_backbone(file, backbone)
    weights = _read_weights(folder / WEIGHTS_NAME, file.weights_sha256)
    try:
        model = AdaptedBackbone(
            backbone, file.layout(), len(file.task.label_names), pooling=file.task.pooling
        )
    except LayoutError as error:
        raise ExportError(f"{folder / LAYOUT_NAME}: {error}") from error
    n_parameters = count_parameters(model.layout, backbone.places)
    if file.costs.n_adapter_parameters != n_parameters:
        raise ExportError(
            f"the layout has {n_parameters} parameters, the layout file says "
            f"{file.costs.n_adapter_parameters}; it was changed by hand or damaged"
        )
    put_weights(model, weights)
    return model.eval()


def verify_layout(
    folder: Path | str, model: ModelSettings | None = None, data: str | None = None
) -> Verified:
    """Load an exported layout and compare it with what its file says.

    Args:
        folder: Where ``layout.json`` and ``layout.safetensors`` lie.
        model: The backbone; None for the one that the file names, in the file's dtype.
        data: Where the data lie; None for where the file says. They are looked for, and their
            absence is no error.

    Raises:
        ExportError: If a file is missing or damaged, or the backbone is another one.
        BackboneError: If the backbone can't be loaded.
    """
    folder = Path(folder)
    file = read_layout_file(folder / LAYOUT_NAME)
    backbone = load_backbone(model or named_backbone(folder))
    adapted = load_layout(folder, backbone)
    stored, logits = _stored_logits(file), check_logits(adapted, file.check.seed)
    difference = float((logits - stored).abs().max())
    return Verified(
        notation=file.notation,
        max_difference=difference,
        is_same=difference <= _tolerance(file, stored, adapted.head.bias.cpu()),
        recorded_score=file.scores.exported.validation,
        measured_score=_measured(file, adapted, data),
    )


def _stored_logits(file: LayoutFile) -> Tensor:
    """The check logits that a file holds.

    Raises:
        ExportError: If there are not as many as there are inputs and labels.
    """
    wanted, rows = (N_CHECKED, len(file.task.label_names)), file.check.logits
    if len(rows) != wanted[0] or any(len(row) != wanted[1] for row in rows):
        raise ExportError(
            f"check.logits of the layout file must be {wanted[0]} rows of {wanted[1]}; the file "
            "was changed by hand or damaged, export the layout again"
        )
    return torch.tensor(rows)


def _tolerance(file: LayoutFile, stored: Tensor, bias: Tensor) -> float:
    """How far check logits may lie from the stored ones; a few last bits in any case."""
    told = TOLERANCES[file.backbone.dtype] * float((stored - bias.detach()).abs().max())
    return told + LAST_BITS * torch.finfo(stored.dtype).eps * float(stored.abs().max())


def named_backbone(folder: Path | str) -> ModelSettings:
    """What loads the backbone that a layout file names, as far as the file can say.

    Raises:
        ExportError: If the file is missing or damaged.
    """
    entry = read_layout_file(Path(folder) / LAYOUT_NAME).backbone
    return ModelSettings(model=entry.id, revision=entry.revision, dtype=entry.dtype)


def _measured(file: LayoutFile, adapted: AdaptedBackbone, place: str | None) -> float | None:
    """The validation score, where the data are at hand, unchanged and can still be read.

    Data on the hub are not asked for: that needs the network.

    Raises:
        ExportError: If ``place`` is given and holds other data.
        TaskError: If it is given and can't be read.
    """
    asked = DataSettings(**file.task.data.model_dump())
    data = asked.moved_to(place, file.task.metric)
    if place is None and data.data not in TASKS and not data.is_local:
        return None
    try:
        task = load_task(data, adapted.backbone.input_format)
    except TaskError:
        if place is not None:
            raise
        return None
    if task.fingerprint != file.provenance.data_fingerprint:
        if place is not None:
            raise ExportError(
                f"--data {place!r} are not the data that the layout was scored on: fingerprint "
                f"{task.fingerprint}, in the layout file {file.provenance.data_fingerprint}"
            )
        return None
    bench = Workbench(adapted.backbone, task, pooling=adapted.pooling.value)
    mean, std = task.scale if file.task.target is Target.REGRESSION else (0.0, 1.0)

    def logits(models: Sequence[nn.Module], split: Split, batches: Sequence[Batch]) -> list[Tensor]:
        return [(each - mean) / std for each in from_frozen_states(models, split, batches)]

    (score,) = scores_on([adapted], logits, bench, bench.validation)
    return score


def _check_backbone(file: LayoutFile, backbone: Backbone) -> None:
    ours, facts = file.backbone, backbone.facts
    wrong = [
        f"{name} is {given}, the layout file says {stored}"
        for name, given, stored in (
            ("architecture", facts.architecture, ours.architecture),
            ("number of blocks", facts.n_blocks, ours.n_blocks),
            ("width", facts.width, ours.width),
            ("model type", facts.model_type, ours.model_type),
            ("number of nodes", facts.n_nodes, ours.n_nodes),
            ("number of sub-layers", facts.sublayers, ours.sublayers),
            ("dtype", facts.dtype, ours.dtype),
            ("fingerprint", facts.fingerprint, ours.fingerprint),
        )
        if given != stored
    ]
    if wrong:
        raise ExportError(f"{facts.id!r} is another backbone: " + "; ".join(wrong))


def _read_weights(path: Path, expected_sha256: str) -> dict[str, Tensor]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ExportError(f"{path} can't be read: {error.strerror}") from error
    if sha256(content).hexdigest() != expected_sha256:
        raise ExportError(
            f"{path} does not hold the weights that the layout file was written with; "
            "export the layout again"
        )
    try:
        weights: dict[str, Tensor] = load(content)
    except SafetensorError as error:
        raise ExportError(f"{path} holds no safetensors: {error}") from error
    return weights
