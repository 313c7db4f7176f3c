"""A whole search: make or continue a study, bring it to its trials, hold the finals."""

from dataclasses import dataclass

import optuna
from optuna.samplers import RandomSampler

from placement_search.backbones.loading import Backbone, load_backbone
from placement_search.engine.in_process import InProcessEngine
from placement_search.errors import SpaceError, StudyError
from placement_search.evaluation.workbench import Workbench
from placement_search.module_type import nearest
from placement_search.modules import MODULE_TYPES
from placement_search.space.budget import parse_budget
from placement_search.space.file import SpaceFile, read_space
from placement_search.space.search_space import SearchSpace, bind_space
from placement_search.study import records
from placement_search.study.baselines import make_baselines
from placement_search.study.coordinator import Coordinator, TrialSetup
from placement_search.study.definition import StudyDefinition, package_versions
from placement_search.study.finalists import Finals, choose_finalists, run_finals
from placement_search.study.progress import Progress, Silence
from placement_search.study.proxy_map import compute_proxy_map
from placement_search.study.pruners import PRUNERS
from placement_search.study.records import StudyRecord, read_study
from placement_search.study.samplers import SAMPLERS
from placement_search.study.seeds import derive_seed
from placement_search.study.settings import SearchSettings
from placement_search.study.storage import (
    open_storage,
    quiet_optuna,
    sole_coordinator,
)
from placement_search.tasks import load_task
from placement_search.tasks.task import Task


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """What settings mean once everything they name is loaded and checked."""

    backbone: Backbone
    task: Task
    space: SearchSpace
    definition: StudyDefinition


def load_ingredients(settings: SearchSettings) -> Ingredients:
    """Load and check all that a search needs; nothing is written.

    Raises:
        PlacementSearchError: For whatever is missing, unknown or does not fit.
    """
    _check_known("--sampler", settings.sampler, SAMPLERS.keys())
    _check_known("--pruner", settings.pruner, PRUNERS.keys())
    file = read_space(settings.space)
    task = load_task(settings.data)
    backbone = load_backbone(settings.model)
    space = _bound(settings, file, backbone)
    definition = StudyDefinition(
        model=settings.model,
        data=settings.data,
        space_file=settings.space,
        space=file.model_dump(mode="json"),
        sampler=settings.sampler,
        pruner=settings.pruner,
        seed=settings.seed,
        max_params=settings.max_params,
        n_random=settings.n_random,
        training=settings.training,
        backbone=backbone.facts,
        data_fingerprint=task.fingerprint,
        metric=task.metric,
    )
    return Ingredients(backbone, task, space, definition)


def search(settings: SearchSettings, progress: Progress | None = None) -> StudyRecord:
    """Run a search, or continue the study of the same name where it stopped.

    An interruption, by Ctrl-C or by force, loses at most the running trial, which runs again with
    its own layout and seed when the same search is started again.

    Raises:
        PlacementSearchError: For whatever is missing, unknown or does not fit; if the study was
            made with other settings; if another search is running on the storage.
    """
    progress = progress or Silence()
    ingredients = load_ingredients(settings)
    with sole_coordinator(settings.storage), quiet_optuna():
        study = _open_study(settings, ingredients.definition)
        progress.start("frozen states", 1)
        bench = Workbench(ingredients.backbone, ingredients.task)
        progress.finish()
        _store_proxy_map(study, bench, settings.seed, progress)
        engine = InProcessEngine(bench)
        trials = _trials(settings, ingredients)
        Coordinator(study, trials, engine, progress).run(settings.n_trials)
        if settings.n_finalists:
            record = read_study(study, settings.storage)
            finals = Finals(
                settings.n_finalists, settings.n_seeds, settings.seed, settings.training
            )
            chosen = choose_finalists(record, settings.n_finalists)
            run_finals(study, chosen, finals, engine, progress)
        return read_study(study, settings.storage)


def load_bench(model: str, data: str) -> Workbench:
    """A backbone and a task, prepared for evaluations.

    Raises:
        PlacementSearchError: If one is missing or unknown, or they do not fit together.
    """
    return Workbench(load_backbone(model), load_task(data))


def _bound(settings: SearchSettings, file: SpaceFile, backbone: Backbone) -> SearchSpace:
    budget = parse_budget(settings.max_params, backbone.facts.n_parameters)
    try:
        return bind_space(
            file, MODULE_TYPES, n_nodes=backbone.n_nodes, width=backbone.width, budget=budget
        )
    except SpaceError as error:
        raise SpaceError(f"{settings.space}: {error}") from error


def _trials(settings: SearchSettings, ingredients: Ingredients) -> TrialSetup:
    seed = derive_seed(settings.seed, "baselines")
    space, backbone = ingredients.space, ingredients.backbone
    return TrialSetup(
        space=space,
        width=backbone.width,
        baselines=make_baselines(space, backbone.n_nodes, settings.n_random, seed),
        plan=settings.training,
        seed=settings.seed,
        sampler=settings.sampler,
        pruner=settings.pruner,
    )


def _open_study(settings: SearchSettings, definition: StudyDefinition) -> optuna.Study:
    """The study of this name, made where it is new, checked to be the same where it is not."""
    storage = open_storage(settings.storage, must_exist=False)
    name = settings.resolved_name
    study = optuna.create_study(
        study_name=name,
        storage=storage,
        direction="maximize",
        sampler=RandomSampler(seed=settings.seed),
        load_if_exists=True,
    )
    stored = study.user_attrs.get(records.DEFINITION)
    if stored is None:
        if study.get_trials(deepcopy=False):
            raise StudyError(
                f"study {name!r} was not made by placement-search; choose another name"
            )
        study.set_user_attr(records.PROVENANCE, package_versions())
        study.set_user_attr(records.DEFINITION, definition.as_json())
    else:
        StudyDefinition.from_json(stored).check_same(definition, name)
    goal = records.Goal(settings.n_trials, settings.n_finalists, settings.n_seeds)
    study.set_user_attr(records.GOAL, records.GOALS.dump_python(goal, mode="json"))
    return study


def _store_proxy_map(study: optuna.Study, bench: Workbench, seed: int, progress: Progress) -> None:
    if records.PROXY_MAP in study.user_attrs:
        return
    progress.start("proxy map", 1)
    computed = compute_proxy_map(bench, seed)
    study.set_user_attr(records.PROXY_MAP, records.PROXY_MAPS.dump_python(computed, mode="json"))
    progress.finish()


def _check_known(option: str, name: str, known: object) -> None:
    names = sorted(known)  # type: ignore[call-overload]
    if name not in names:
        raise StudyError(
            f"{option} takes one of {', '.join(names)}; got {name!r}{nearest(name, names)}"
        )
