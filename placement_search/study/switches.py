"""The switches of a study: all candidate connections trained at once, which of them are kept."""

from collections.abc import Mapping, Sequence

import optuna

from placement_search.engine.engine import Infeasible
from placement_search.engine.in_process import memory_errors_told
from placement_search.errors import StudyError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.switch_training import train_switches
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout, ModuleSpec
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.space.node_names import Pair
from placement_search.space.search_space import SearchSpace
from placement_search.study import records
from placement_search.study.equal_budget import GREEDY_PROXY
from placement_search.study.greedy import greedy_groups
from placement_search.study.progress import Progress
from placement_search.study.samplers.sampler import Scores
from placement_search.study.samplers.switch import by_fit
from placement_search.study.seeds import derive_seed
from placement_search.study.settings import SearchSettings
from placement_search.study.switch_record import SWITCH_RECORDS, SWITCHES, SwitchRecord

MAX_CANDIDATES = 64
"""Connections that train at once; those of most backbones' sub-layers, and few enough to learn."""


def check_switches(space: SearchSpace, *, is_mapped: bool) -> None:
    """Check that there are few enough connections, or a proxy that chooses among few enough.

    Raises:
        StudyError: If there are not.
    """
    if len(space.pairs) > MAX_CANDIDATES and not is_mapped:
        raise StudyError(
            f"--sampler switch trains at most {MAX_CANDIDATES} connections at once, "
            f"{space.name!r} has {len(space.pairs)}; narrow it, or leave --no-map out, so that a "
            "proxy chooses among them"
        )
    _check_groups(space)
    n_always = sum(len(space.groups[group]) for group in space.choices.always)
    if n_always > MAX_CANDIDATES:
        raise StudyError(
            f"--sampler switch trains at most {MAX_CANDIDATES} connections at once, and "
            f"{n_always} are always in layouts of {space.name!r}; name fewer, or take another "
            "sampler"
        )


def _check_groups(space: SearchSpace) -> None:
    fewest = min(space.group_sizes)
    if fewest > MAX_CANDIDATES:
        raise StudyError(
            f"--sampler switch trains at most {MAX_CANDIDATES} connections at once, and those of "
            f"{space.name!r} come together by {fewest} and more; leave tied or symmetric out, or "
            "take another sampler"
        )


def store_switches(
    study: optuna.Study,
    bench: Workbench,
    space: SearchSpace,
    settings: SearchSettings,
    progress: Progress,
) -> None:
    """Train the switches, once in a study's life; what an interruption stopped begins anew."""
    if SWITCHES in study.user_attrs:
        return
    proxy_map = records.read_proxy_map(study.user_attrs)
    choice = space.training.nearest(settings.training.learning_rate, settings.training.weight_decay)
    plan = settings.training.with_choice(choice)
    progress.start("switches", plan.n_reports)
    learned = learn_switches(
        bench, space, plan, settings.seed, proxy_map.scores if proxy_map else {}, progress
    )
    study.set_user_attr(SWITCHES, SWITCH_RECORDS.dump_python(learned, mode="json"))
    progress.say(learned.words)
    progress.finish()


def learn_switches(
    bench: Workbench,
    space: SearchSpace,
    plan: TrainingPlan,
    seed: int,
    proxies: Mapping[str, Scores],
    progress: Progress,
) -> SwitchRecord:
    """Train a space's candidate connections at once, each with the dearest module that fits there.

    Where a layout has one module for all connections, they are trained with one as well, where it
    fits: see `by_fit`.

    Args:
        bench: Backbone and data.
        space: Whose connections and modules they have.
        plan: How they are trained.
        seed: The study's.
        proxies: The proxy map's scores by proxy; read where there are more than `MAX_CANDIDATES`.
        progress: Is told every validation score.

    Raises:
        EvaluationError: If a loss or a score is not finite.
        StudyError: If there are too many connections, and no proxy, or too many for the memory.
    """
    check_switches(space, is_mapped=GREEDY_PROXY in proxies)
    pairs, words = _candidates(space, proxies)
    if space.is_module_shared:
        layout = _of_one_module(space, pairs)
        if len(layout.connections) < len(pairs):
            words += f", where {layout.connections[0].module.notation} fits"
    else:
        layout = _supernet(space, pairs, bench.backbone.places)
    request = Evaluation(layout, derive_seed(seed, "switches"), plan)
    try:
        with memory_errors_told():
            trained = train_switches(
                bench,
                request,
                lambda report, score: progress.advance(f"report {report}: {score:.4g}"),
            )
    except Infeasible as error:
        raise StudyError(
            f"{len(layout.connections)} connections can't be trained at once: {error}; begin "
            "another study with a smaller --batch-size, a narrower space or another sampler"
        ) from error
    named = [f"{c.source}>{c.target}" for c in layout.connections]
    return SwitchRecord(
        keep=dict(zip(named, trained.keep, strict=True)),
        candidates=words,
        score=trained.score,
        n_steps=trained.n_steps,
        seconds=trained.seconds,
    )


def _candidates(space: SearchSpace, proxies: Mapping[str, Scores]) -> tuple[list[Pair], str]:
    """The connections that train, and which they are, in words."""
    if len(space.pairs) <= MAX_CANDIDATES:
        return list(space.pairs), "all connections of the space"
    always = sorted(space.choices.always)
    order = greedy_groups(proxies[GREEDY_PROXY], space.groups, MAX_CANDIDATES, taken=always)
    pairs: list[Pair] = []
    for group in order:
        if len(pairs) + len(space.groups[group]) <= MAX_CANDIDATES:
            pairs += space.groups[group]
    return pairs, (
        f"the paper's greedy choice by {GREEDY_PROXY} of the {len(space.pairs):,} connections of "
        "the space"
    )


def _of_one_module(space: SearchSpace, pairs: Sequence[Pair]) -> Layout:
    """All candidates that one module fits in one layout, with that module."""
    groups = [n for n, group in enumerate(space.groups) if set(group) <= set(pairs)]
    module = by_fit(space, groups)[0]
    return space.layout_of([(n, module) for n in groups if space.choices.fits(n, module)])


def _supernet(space: SearchSpace, pairs: Sequence[Pair], places: Places) -> Layout:
    """All candidates in one layout; a connection where no module fits is left out."""
    modules = {pair: _dearest(space, pair, places) for pair in pairs}
    fitting = {pair: module for pair, module in modules.items() if module is not None}
    return space.layout(list(fitting), list(fitting.values()))


def _dearest(space: SearchSpace, pair: Pair, places: Places) -> ModuleSpec | None:
    place = places.at(*pair)
    for module in reversed(space.modules):
        described = MODULE_TYPES[module.type]
        if not described.misfit(described.complete(module.settings), place):
            return module
    return None
