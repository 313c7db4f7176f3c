"""A whole search: make or continue a study, bring it to its trials, hold the finals."""

from contextlib import closing
from dataclasses import asdict, dataclass, replace

import optuna

from placement_search.adapted.frozen import Place
from placement_search.backbones.devices import precision_note
from placement_search.backbones.families import Pooling
from placement_search.backbones.loading import load_backbone
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.engine import Engine
from placement_search.engine.heedful import CtrlC, HeedfulEngine
from placement_search.engine.local_processes import check_is_no_new_worker
from placement_search.errors import StudyError
from placement_search.evaluation.pooling import PoolingChoice
from placement_search.evaluation.workbench import GIB, Workbench
from placement_search.profile import NoProfile, Profile, Work
from placement_search.space.cost_table import Price
from placement_search.space.file import read_space
from placement_search.space.search_space import SearchSpace
from placement_search.study import records
from placement_search.study.checks import check_sampler, check_settings
from placement_search.study.command import Goal
from placement_search.study.confirmation import confirm_answer
from placement_search.study.coordinator import Coordinator, TrialSetup
from placement_search.study.definition import (
    NEWEST_BASELINES,
    StudyDefinition,
)
from placement_search.study.engines import engine_for
from placement_search.study.finalists import Finals, choose_finalists, further_finalists, run_finals
from placement_search.study.layout_proxies import store_layout_proxies
from placement_search.study.objective import COSTS, parse_objective
from placement_search.study.opening import keep_goal, open_study, same_definition
from placement_search.study.progress import Progress, Silence
from placement_search.study.proxy_map import compute_proxy_map
from placement_search.study.queue import check_starts, make_queue
from placement_search.study.records import StudyRecord, read_study
from placement_search.study.references import References
from placement_search.study.samplers import NEED_SWITCHES, version_of
from placement_search.study.search_budget import SearchBudget
from placement_search.study.settings import DEFAULT_MEMORY, SearchSettings
from placement_search.study.spaces import keep_latency, study_latency, study_space
from placement_search.study.storage import (
    held_study,
    quiet_optuna,
    sole_coordinator,
)
from placement_search.study.switch_record import read_switches
from placement_search.study.switches import store_switches
from placement_search.tasks.loading import read_data
from placement_search.tasks.preparation import prepare
from placement_search.tasks.settings import DataSettings


@dataclass(frozen=True, slots=True, eq=False)
class Ingredients:
    """What settings mean once everything they name is loaded and checked."""

    bench: Workbench
    space: SearchSpace
    definition: StudyDefinition


def load_ingredients(settings: SearchSettings, bench: Workbench | None = None) -> Ingredients:
    """Load and check all that a search needs; nothing is written.

    Args:
        settings: What is asked for.
        bench: Its backbone and data, where they are loaded already.

    Raises:
        PlacementSearchError: For whatever is missing, unknown or does not fit.
    """
    check_settings(settings)
    bench = bench or load_bench(settings.model, settings.data, memory=settings.memory)
    if settings.full_fine_tuning and bench.backbone.is_quantised:
        raise StudyError(
            f"--full-fine-tuning trains every weight, and those of {settings.model.model!r} are "
            "quantised; leave it out, or take the checkpoint in full precision"
        )
    backbone, task = bench.backbone, bench.task
    settings.training.steps_per_epoch(len(task.train))
    definition = StudyDefinition(
        model=settings.model,
        data=settings.data,
        space_file=settings.space,
        space=read_space(settings.space).content,
        sampler=settings.sampler,
        pruner=settings.pruner,
        seed=settings.seed,
        max_params=settings.max_params,
        n_random=settings.n_random,
        training=settings.training,
        backbone=backbone.facts,
        data_fingerprint=task.fingerprint,
        family=asdict(backbone.graph.family),
        device=backbone.device.type,
        target=task.target.value,
        metric=task.metric.name,
        is_higher_better=task.metric.is_higher_better,
        concurrency=settings.concurrency,
        baseline_set=NEWEST_BASELINES,
        is_paired=True,
        start_from=settings.start_from,
        start_files=settings.start_files,
        max_bytes=settings.max_bytes,
        max_flops=settings.max_flops,
        max_latency=settings.max_latency,
        fidelity=settings.fidelity,
        replicates=settings.replicates,
        cost=parse_objective(settings.objective),
        has_proxy_map=settings.proxy_map,
        gammas=settings.gammas,
    )
    check_starts(settings.start_from, backbone.n_nodes, backbone.places, settings.model.model)
    space = study_space(settings, bench)
    if settings.max_latency is None:  # else the space is known once latency is measured
        check_sampler(settings, space)
    return Ingredients(bench, space, definition)


def load_bench(
    model: ModelSettings,
    data: DataSettings,
    *,
    memory: float = DEFAULT_MEMORY,
    profile: Profile | None = None,
) -> Workbench:
    """A backbone and a task, prepared for evaluations.

    Data are read before the model, so that what is wrong with them is said within seconds.

    Args:
        model: Which backbone, and how it runs.
        data: Which labelled data, and how they are read.
        memory: GiB that the frozen states of one split may take.
        profile: Counts where the time of all work on them goes, this loading included.

    Raises:
        PlacementSearchError: If one is missing or unknown, or they do not fit together.
    """
    profile = profile or NoProfile()
    with profile.of(Work.LOAD):
        raw = read_data(data)
        backbone = load_backbone(model)
        task = prepare(raw, backbone.input_format, data)
    limit = round(memory * GIB)
    return Workbench(backbone, task, pooling=model.pooling, memory_limit=limit, profile=profile)


def search(
    settings: SearchSettings, progress: Progress | None = None, *, bench: Workbench | None = None
) -> StudyRecord:
    """Run a search, or continue the study of the same name where it stopped.

    An interruption, by Ctrl-C or by force, loses at most the running trials, which run again with
    their own layouts and seeds when the same search is started again.

    Args:
        settings: What is asked for.
        progress: Is told how it goes.
        bench: Backbone and data of the settings, where they are loaded already.

    Raises:
        PlacementSearchError: For whatever is missing, unknown or does not fit; if the study was
            made with other settings; if another search is running on the storage.
    """
    check_is_no_new_worker()
    progress = progress or Silence()
    ingredients = load_ingredients(settings, bench)
    notes = ingredients.bench.task.notes
    progress.start("data", len(notes))
    for note in notes:
        progress.advance(note)
    progress.finish()
    say_precision(settings.model, ingredients.bench, progress)
    counted = ingredients.bench.profile.of(Work.STUDY)
    with sole_coordinator(settings.storage), quiet_optuna(), counted, CtrlC() as ctrl_c:
        ingredients, latency = _within_latency(settings, ingredients)
        study = open_study(settings, ingredients.definition, ingredients.bench.task.notes)
        keep_latency(study, latency)
        _keep_sampler_version(study, settings, ingredients.space, progress)
        _prepare(study, ingredients.bench, settings, progress)
        ctrl_c.check()
        if settings.proxy_map:
            _store_proxy_map(study, ingredients.bench, settings.seed, progress)
        ctrl_c.check()
        if settings.sampler in NEED_SWITCHES:
            store_switches(study, ingredients.bench, ingredients.space, settings, progress)
        engine_asked = engine_for(settings, ingredients.space, ingredients.bench)
        with closing(HeedfulEngine(engine_asked, ctrl_c)) as engine:
            trials = _trials(study, settings, ingredients, progress)
            budget = SearchBudget(settings.n_trials, settings.max_steps, settings.max_seconds)
            Coordinator(study, trials, engine, progress).run(budget)
            if settings.proxy_map:
                at_once = settings.training.batch_size
                store_layout_proxies(study, ingredients.bench, settings.seed, at_once, progress)
            if settings.n_finalists:
                _hold_finals(study, settings, ingredients.space, engine, progress)
        return read_study(study, settings.storage)


def say_precision(model: ModelSettings, bench: Workbench, progress: Progress) -> None:
    """Tell of a precision that is slow where the backbone runs."""
    note = precision_note(bench.backbone.device, model.dtype)
    if note:
        progress.say(note)


def _within_latency(
    settings: SearchSettings, ingredients: Ingredients
) -> tuple[Ingredients, Price | None]:
    """The ingredients with a space that keeps the limit on latency, and what that goes by.

    Nothing is written, so that a study whose limit is impossible is not there afterwards.

    Raises:
        PlacementSearchError: If the study has other settings, or space or sampler do not fit.
    """
    if settings.max_latency is None:
        return ingredients, None
    held = held_study(settings.storage, settings.resolved_name)
    if held is not None and records.DEFINITION in held.user_attrs:
        same_definition(held, ingredients.definition)
    latency = study_latency(held, settings, ingredients.bench)
    space = study_space(settings, ingredients.bench, latency)
    check_sampler(settings, space)
    return replace(ingredients, space=space), latency


def _hold_finals(
    study: optuna.Study,
    settings: SearchSettings,
    space: SearchSpace,
    engine: Engine,
    progress: Progress,
) -> None:
    """Retrain the finalists, then the answer once more, and train what it is compared with.

    Which of them are too slow is known once they are retrained; others then take part as well.
    A search that asks for fewer finalists or seeds than the study has goes on with the study's.
    """
    record = read_study(study, settings.storage)
    goal = record.goal.joined(Goal.of(settings))
    keep_goal(study, goal)
    record = replace(record, goal=goal)
    finals = Finals(record.definition, goal.n_seeds)
    chosen = choose_finalists(record, goal.n_finalists)
    run_finals(study, chosen, finals, engine, progress)
    record = read_study(study, settings.storage)
    while further := further_finalists(record, chosen, goal.n_finalists):
        progress.say(f"finals: {len(further)} more, in the place of those that are too slow")
        run_finals(study, further, finals, engine, progress)
        chosen, record = [*chosen, *further], read_study(study, settings.storage)
    confirm_answer(study, record, engine, progress)
    References(study, engine, space, progress).run(record)


def _trials(
    study: optuna.Study, settings: SearchSettings, ingredients: Ingredients, progress: Progress
) -> TrialSetup:
    """What the study's trials are made of; says what of its queue is missing or made otherwise."""
    attributes = study.user_attrs
    asked = records.read_definition(study)
    proxy_map = records.read_proxy_map(attributes)
    space, cost = ingredients.space, parse_objective(settings.objective)
    queue = make_queue(asked, space, proxy_map)
    study.set_user_attr(records.QUEUE_NOTES, queue.notes)
    for role, note in queue.notes.items():
        progress.say(f"{role}: {note}")
    return TrialSetup(
        space=space,
        baselines=queue.layouts,
        plan=settings.training,
        seed=settings.seed,
        sampler=settings.sampler,
        pruner=settings.pruner,
        concurrency=settings.concurrency,
        proxies=proxy_map.scores if proxy_map else {},
        fidelity=settings.fidelity,
        replicates=settings.replicates,
        switches=read_switches(attributes),
        gammas=settings.gammas,
        trainings=queue.trainings,
        cost=(lambda layout: COSTS[cost](ingredients.bench.costs(layout))) if cost else None,
    )


def _keep_sampler_version(
    study: optuna.Study, settings: SearchSettings, space: SearchSpace, progress: Progress
) -> None:
    """Write down which version of the sampler proposes; say so where another one began the study.

    Earlier versions are not kept, so such a study goes on otherwise than it would have.
    """
    first = len(study.get_trials(deepcopy=False))
    newest = version_of(settings.sampler, is_ruled=space.choices.is_ruled)
    held = records.read_sampler_versions(study.user_attrs) or {0: 1}
    former = held[max(held)]
    if first and (former == newest or first >= settings.n_trials):
        return
    if first:
        progress.say(
            f"this version's {settings.sampler} sampler may propose otherwise than the one that "
            f"began the study: trials from {first} on need not be what that one would have proposed"
        )
    versions = {str(number): made for number, made in (held | {first: newest}).items()}
    study.set_user_attr(records.SAMPLER_VERSIONS, versions)


def _prepare(
    study: optuna.Study, bench: Workbench, settings: SearchSettings, progress: Progress
) -> None:
    """Compute the frozen states and choose the pooling, once for the study's whole life."""
    stored = study.user_attrs.get(records.POOLING)
    if stored is not None:
        held = records.POOLINGS.validate_python(stored)
        bench.settle_pooling(PoolingChoice(Pooling(held.pooling), held.scores))
    progress.start("frozen states", 2)
    progress.advance(f"frozen states of {len(bench.train.labels)} training examples")
    progress.advance(f"frozen states of {len(bench.validation.labels)} validation examples")
    for name, split in (("training", bench.train), ("validation", bench.validation)):
        if split.states.place is Place.NOWHERE:
            progress.say(
                f"the frozen states of the {name} split need {split.states.n_bytes / GIB:.1f} GiB "
                f"and may take {settings.memory:g}: every batch runs the whole backbone instead, "
                "with the same scores, more slowly (--memory, --train-size)"
            )
    choice = bench.pooling_choice
    progress.say(choice.describe())
    progress.finish()
    record = records.PoolingRecord(choice.pooling.value, dict(choice.scores))
    study.set_user_attr(records.POOLING, records.POOLINGS.dump_python(record, mode="json"))


def _store_proxy_map(study: optuna.Study, bench: Workbench, seed: int, progress: Progress) -> None:
    if records.PROXY_MAP in study.user_attrs:
        return
    progress.start("proxy map", 1)
    with bench.profile.of(Work.PROXIES):
        computed = compute_proxy_map(bench, seed)
    study.set_user_attr(records.PROXY_MAP, records.PROXY_MAPS.dump_python(computed, mode="json"))
    progress.finish()
