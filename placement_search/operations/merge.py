"""``merge``: one layout of several that were trained on related tasks.

MerA (He et al. 2023, arXiv 2308.15982): the units of pretrained adapters are aligned, then their
weights are averaged into one adapter, which starts the training on a task.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import OperationError, nearest
from placement_search.export.layout_file import LAYOUT_NAME, LayoutFile, read_layout_file
from placement_search.export.load import load_layout
from placement_search.layout import Connection
from placement_search.operations.align import PLANS, Plan, aligned, stay
from placement_search.operations.rebuilt import rebuilt
from placement_search.operations.trained import (
    Operation,
    OperationSettings,
    Told,
    Written,
    load_trained,
    nobody,
    train_and_write,
    validation_score,
)
from placement_search.rounding import score_text


@dataclass(frozen=True, slots=True)
class Merged:
    """What a merge did; all scores are on one task's validation split, with its layout's head.

    Args:
        task: That task.
        parent_scores: Of the layouts that were read, in their order.
        plain_score: Of the average of their weights as they stand.
        unaligned: Connections that were averaged as they stand though an alignment was asked for,
            with the reason.
        written: The merged layout; its score before it was trained on is the aligned average's.
    """

    task: str
    parent_scores: tuple[float, ...]
    plain_score: float
    unaligned: Mapping[Connection, str]
    written: Written


def merge_layouts(
    folders: Sequence[Path],
    align: str,
    task_of: Path,
    asked: OperationSettings,
    told: Told = nobody,
) -> Merged:
    """Average trained layouts of the same connections and modules on the same backbone.

    Args:
        folders: Where they lie, at least two and none twice, however it is spelt; the units of all
            are aligned to those of the one that gives the task.
        align: One of `PLANS`.
        task_of: The folder of the layout whose task and head the merged one has.
        asked: Where to write to, and how to train on.
        told: Is told how it goes.

    Raises:
        OperationError: If the layouts don't fit together, or the settings break a rule.
        PlacementSearchError: See `load_trained` and `train_and_write`.
    """
    here = task_of.resolve()
    task_of = next((folder for folder in folders if folder.resolve() == here), task_of)
    files = {folder: read_layout_file(folder / LAYOUT_NAME) for folder in folders}
    _check(files, folders, align, task_of)
    trained = load_trained(task_of, asked, *folders)
    bench, task_model = trained.bench, trained.model
    others = [folder for folder in folders if folder != task_of]
    loaded = {task_of: task_model} | {f: load_layout(f, bench.backbone) for f in others}
    _check_buffers(loaded)
    scores = [
        validation_score(bench, average([task_model, loaded[folder]], stay, shares=(0.0, 1.0)))
        for folder in folders
    ]
    ordered = [loaded[folder] for folder in (task_of, *others)]
    plain_score = validation_score(bench, average(ordered, stay))
    told(f"plain average: {score_text(plain_score)}")
    merged = average(ordered, PLANS[align])
    operation = Operation("merge", {"align": align}, [files[f] for f in (task_of, *others)])
    written = train_and_write(trained, merged, operation, asked, told)
    unaligned = {} if PLANS[align] is stay else without_units(task_model)
    return Merged(trained.file.task.name, tuple(scores), plain_score, unaligned, written)


def without_units(model: AdaptedBackbone) -> dict[Connection, str]:
    """The connections whose modules have no units to put in order, with the reason."""
    return {c: module.unaligned() for c, module in model.wired if not module.hidden_layers()}


@torch.no_grad()
def average(
    models: Sequence[AdaptedBackbone], plan: Plan, shares: Sequence[float] | None = None
) -> AdaptedBackbone:
    """A model with the mean weights of several of one layout, and the head of the first.

    Args:
        models: The units of the others are put into the order of the first one's.
        plan: One of `PLANS`.
        shares: Weight of each in the mean, of sum 1; None for equal ones.
    """
    shares = shares or [1 / len(models)] * len(models)
    built = rebuilt(models[0], models[0].layout)
    given = [dict(model.wired) for model in models]
    for connection, module in built.wired:
        first, *others = (modules[connection] for modules in given)
        weights = [aligned(first, first, stay), *(aligned(m, first, plan) for m in others)]
        for name, parameter in module.named_parameters():
            parts = [share * each[name] for share, each in zip(shares, weights, strict=True)]
            parameter.copy_(torch.stack(parts).sum(0))
    return built


def _check(
    files: Mapping[Path, LayoutFile], folders: Sequence[Path], align: str, task_of: Path
) -> None:
    if align not in PLANS:
        raise OperationError(f"there is no alignment {align!r}" + nearest(align, PLANS))
    if len({folder.resolve() for folder in folders}) < max(2, len(folders)):
        shown = ", ".join(map(str, folders))
        raise OperationError(f"merge takes at least two different folders, got {shown}")
    if task_of not in files:
        raise OperationError(
            f"--task-of takes one of the folders that are merged, got {str(task_of)!r}"
            + nearest(str(task_of), map(str, files))
        )
    wanted = files[task_of]
    wrong = [
        f"{folder} has {what} {given}, {task_of} has {stored}"
        for folder, file in files.items()
        for what, given, stored in (
            ("backbone", file.backbone.fingerprint, wanted.backbone.fingerprint),
            ("layout", file.notation, wanted.notation),
        )
        if given != stored
    ]
    if wrong:
        raise OperationError(
            "merge takes layouts of one backbone with the same connections and modules: "
            + "; ".join(wrong)
        )


def _check_buffers(models: Mapping[Path, AdaptedBackbone]) -> None:
    """What is stored and not trained, such as a mask, has no mean."""
    (folder, first), *others = models.items()
    for other_folder, other in others:
        ours, theirs = dict(first.named_buffers()), dict(other.named_buffers())
        differing = [name for name in ours if not torch.equal(ours[name], theirs[name])]
        if differing:
            raise OperationError(
                f"{folder} and {other_folder} differ in {', '.join(differing)}, which is not "
                "trained and can't be averaged"
            )
