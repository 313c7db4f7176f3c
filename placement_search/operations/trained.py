"""A trained layout with what it takes to change it, to train it on, and to write what it became."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.settings import ModelSettings
from placement_search.errors import ExportError, OperationError, OutputError
from placement_search.evaluation.evaluate import from_frozen_states, new_population
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.population import scores_on
from placement_search.evaluation.score_card import Costs
from placement_search.evaluation.workbench import Workbench
from placement_search.export.derived import Derived, write_derived
from placement_search.export.layout_file import LAYOUT_NAME, LayoutFile, read_layout_file
from placement_search.export.load import load_layout, named_backbone
from placement_search.export.units import to_training_units
from placement_search.module_type import Scalar
from placement_search.output_files import OTHER_FOLDER, check_folder
from placement_search.rounding import score_text
from placement_search.study.search import load_bench
from placement_search.study.seeds import derive_seed
from placement_search.tasks.settings import DataSettings

Told = Callable[[str], None]
"""Is told in one line what has been done."""


def nobody(_line: str) -> None:
    """Nobody is told."""


def nothing(_file: LayoutFile) -> None:
    """Nothing is asked of a file."""


@dataclass(frozen=True, slots=True)
class OperationSettings:
    """What every operation on a trained layout can be asked.

    Args:
        out: Folder for the new layout.
        model: The backbone; None for the one that the layout file names.
        data: Where the data lie; None for where the file says.
        epochs: To train the new layout on for; 0 for not at all, None for as many as the old one
            was trained for.
        learning_rate: Peak of the schedule then, above 0; None for the one that it was trained
            with. Refused where there are no epochs.
        seed: Everything random derives from it.
    """

    out: Path
    model: ModelSettings | None = None
    data: str | None = None
    epochs: int | None = 0
    learning_rate: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A trained layout on its backbone, with the data that it was trained on.

    Args:
        file: Its layout file.
        model: With its weights; the head in units of training.
        bench: Backbone and data.
        data: Where the data were read.
        plan: How what is made of it is trained on; None for not at all.
    """

    file: LayoutFile
    model: AdaptedBackbone
    bench: Workbench
    data: DataSettings
    plan: TrainingPlan | None

    @property
    def score(self) -> float:
        """Its validation score, measured now."""
        return validation_score(self.bench, self.model)


def load_trained(
    folder: Path,
    asked: OperationSettings,
    *others: Path,
    check: Callable[[LayoutFile], object] = nothing,
) -> Trained:
    """A trained layout, from the folder that it was exported to.

    Args:
        folder: Where ``layout.json`` and ``layout.safetensors`` lie.
        asked: Where backbone and data lie, and how to train on.
        others: Folders beside this one that must not be written to.
        check: Raises what is wrong with the file for the operation, before anything large is
            loaded.

    Raises:
        OutputError: If ``asked.out`` can't be written to, is one of the folders that are read, or
            holds a layout that was not made of theirs.
        ExportError: If a file is missing or damaged, or the backbone is another one.
        OperationError: If the data have changed since, or the learning rate is out of range or
            would not be used.
        PlacementSearchError: If backbone or data can't be loaded.
    """
    _check_out(asked.out, [folder, *others])
    _check_rate(asked)
    file = read_layout_file(folder / LAYOUT_NAME)
    check(file)
    _check_replaces(asked.out, [file, *(read_layout_file(o / LAYOUT_NAME) for o in others)])
    plan = None if asked.epochs == 0 else plan_of(file, asked)
    settings = replace(asked.model or named_backbone(folder), pooling=file.task.pooling.value)
    data = DataSettings(**file.task.data.model_dump()).moved_to(asked.data, file.task.metric)
    bench = load_bench(settings, data)
    given, stored = bench.task.fingerprint, file.provenance.data_fingerprint
    if given != stored:
        raise OperationError(
            f"the data {data.data!r} are not those that {folder} was trained on: fingerprint "
            f"{given}, in the layout file {stored}; say where they lie now (--data)"
        )
    model = load_layout(folder, bench.backbone)
    to_training_units(model, bench.task)
    return Trained(file, model, bench, data, plan)


def _check_out(out: Path, parents: Sequence[Path]) -> None:
    check_folder(out)
    for parent in parents:
        if out.resolve() == parent.resolve():
            raise OutputError(f"--out {str(out)!r} would replace the layout that is read there")


def _check_replaces(out: Path, parents: Sequence[LayoutFile]) -> None:
    """Check that no layout would be replaced but one that was made of the same ones."""
    if not (out / LAYOUT_NAME).exists():
        return
    try:
        made = read_layout_file(out / LAYOUT_NAME).derived_from
    except ExportError as error:
        raise OutputError(
            f"{str(out)!r} holds a layout that can't be read: {error}; {OTHER_FOLDER}"
        ) from error
    of = {parent.weights_sha256 for parent in made.parents} if made else set()
    if of != {parent.weights_sha256 for parent in parents}:
        raise OutputError(f"{str(out)!r} holds a layout that was not made of these; {OTHER_FOLDER}")


def _check_rate(asked: OperationSettings) -> None:
    rate = asked.learning_rate
    if rate is None:
        return
    if not 0 < rate < math.inf:
        raise OperationError(f"--learning-rate must be above 0 and finite, got {rate}")
    if asked.epochs == 0:
        raise OperationError(
            "--learning-rate is for a new layout that is trained on, and this one is not, so "
            f"{rate} would not be used: say for how many epochs (--retrain), or leave it out"
        )


def plan_of(file: LayoutFile, asked: OperationSettings) -> TrainingPlan:
    """How a layout was trained, but for what is said now.

    Args:
        file: Its layout file; the defaults of a search stand in for what it does not say.
        asked: Epochs and learning rate.

    Raises:
        ExportError: If the file names a setting that this version does not know.
        EvaluationError: If a value is out of range.
    """
    plan = file.training_plan()
    if asked.epochs is not None:
        plan = replace(plan, epochs=asked.epochs)
    if asked.learning_rate is not None:
        plan = replace(plan, learning_rate=asked.learning_rate)
    return plan


@dataclass(frozen=True, slots=True)
class Written:
    """A new layout, as it was written.

    Args:
        notation: The layout.
        layout_id: Its id.
        untrained_score: Its validation score before it was trained on.
        score: The same afterwards, which its file holds.
        costs: What it costs.
        paths: The layout file, then its weights.
    """

    notation: str
    layout_id: str
    untrained_score: float
    score: float
    costs: Costs
    paths: tuple[Path, Path]


@dataclass(frozen=True, slots=True)
class Operation:
    """What was done to trained layouts.

    Args:
        name: The command.
        settings: What it was asked, in its own words.
        parents: The files of the layouts, the one first that gives task and provenance.
    """

    name: str
    settings: Mapping[str, Scalar]
    parents: Sequence[LayoutFile]


def train_and_write(
    trained: Trained,
    model: AdaptedBackbone,
    operation: Operation,
    asked: OperationSettings,
    told: Told,
) -> Written:
    """Train a new layout on as far as is asked, score it, and write it.

    Args:
        trained: The layout that it was made of.
        model: The new one; trained in place.
        operation: What was done.
        asked: Seed and folder.
        told: Is told of every report.

    Raises:
        EvaluationError: If a loss or a score is not finite.
        OutputError: If the folder can't be written to.
    """
    bench, plan = trained.bench, trained.plan
    untrained = score = validation_score(bench, model)
    if plan is not None:
        score = train_on(bench, model, plan, asked.seed, told)
    costs = bench.costs_of(model)
    derived = Derived(
        model=model,
        operation=operation.name,
        settings={**operation.settings, "seed": asked.seed, "epochs": plan.epochs if plan else 0},
        parents=operation.parents,
        seed=asked.seed,
        score=score,
        costs=costs,
        plan=plan,
    )
    layout = model.layout
    paths = write_derived(derived, bench.task, trained.data, asked.out)
    return Written(layout.notation, layout.id, untrained, score, costs, paths)


def train_on(
    bench: Workbench, model: AdaptedBackbone, plan: TrainingPlan, seed: int, told: Told
) -> float:
    """Train a model further from its present weights, in place, by a schedule of its own.

    Args:
        bench: Backbone and data.
        model: Connections and head are trained.
        plan: How.
        seed: Fixes the order of examples, dropped targets and routes.
        told: Is told of every report.

    Returns:
        The validation score afterwards.

    Raises:
        EvaluationError: If a loss or a score is not finite.
    """
    population = new_population(bench)
    model.reseed(derive_seed(seed, "train on", "draws", model.layout.id))
    member = population.join(model, plan, derive_seed(seed, "train on", model.layout.id))
    population.run_out(
        member, lambda number, score: told(f"trained on: report {number}, {score_text(score)}")
    )
    return member.history[-1]


def validation_score(bench: Workbench, model: AdaptedBackbone) -> float:
    """The task's metric on the validation split.

    Raises:
        OperationError: If a logit is not finite.
    """
    (score,) = scores_on([model], from_frozen_states, bench, bench.validation)
    if math.isnan(score):
        raise OperationError(f"the logits of {model.layout.notation} are not finite")
    return score
