"""What a study evaluates first: its baselines, then layouts from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from placement_search.errors import LayoutError, StudyError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES, check_places
from placement_search.places import Places
from placement_search.space.search_space import SearchSpace
from placement_search.space.training import TrainingChoice
from placement_search.study.adapted_starts import adapted
from placement_search.study.baselines import (
    RANDOM,
    Baseline,
    baseline_notes,
    make_baselines,
)
from placement_search.study.definition import NEWEST_BASELINES, WHOLE_BUDGET, StudyDefinition
from placement_search.study.equal_budget import (
    GREEDY_PROXY,
    EqualBudget,
    equal_budget_baselines,
)
from placement_search.study.lora_baseline import lora_baseline
from placement_search.study.records import ProxyMap
from placement_search.study.seeds import derive_seed
from placement_search.study.starts import StartLayout, adapted_role


@dataclass(frozen=True, slots=True)
class Queue:
    """The layouts to evaluate first, with their roles.

    Args:
        layouts: First to last, no two alike that are trained alike.
        notes: By role, why a layout is missing, what it lacks, or why it can't be the answer.
        trainings: By role, how those from elsewhere are trained; the others as baselines are.
    """

    layouts: tuple[Baseline, ...]
    notes: dict[str, str]
    trainings: dict[str, TrainingChoice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a queue hangs on beside the space and the proxies.

    Args:
        n_nodes: Nodes of the backbone.
        n_random: Random layouts among the baselines.
        seed: The study's.
        plan: How the study trains where the space does not say.
        start_from: Layouts from elsewhere, by role.
        baseline_set: Which baselines, see `StudyDefinition`.
    """

    n_nodes: int
    n_random: int
    seed: int
    plan: TrainingPlan
    start_from: Mapping[str, StartLayout]
    baseline_set: int = NEWEST_BASELINES


def make_queue(asked: StudyDefinition, space: SearchSpace, proxy_map: ProxyMap | None) -> Queue:
    """The queue of a study, which depends on its definition and its proxy map alone."""
    scores = proxy_map.scores.get(GREEDY_PROXY) if proxy_map else None
    wanted = Wanted(
        asked.backbone.n_nodes,
        asked.n_random,
        asked.seed,
        asked.training,
        asked.start_from,
        asked.baseline_set,
    )
    return queue_of(wanted, space, scores)


def queue_of(wanted: Wanted, space: SearchSpace, scores: Sequence[Sequence[float]] | None) -> Queue:
    """The queue of a study that there may not be yet.

    Args:
        wanted: What it hangs on.
        space: The study's.
        scores: ``GREEDY_PROXY`` by ``[source][target]``; None where the study has no proxy map.
    """
    n_nodes, seed = wanted.n_nodes, derive_seed(wanted.seed, "baselines")
    more = _equal_budget(wanted, space, scores, seed)
    lora, lora_notes = _lora(wanted, space)
    further = (*lora, *more.baselines)
    number = wanted.baseline_set
    baselines = make_baselines(space, n_nodes, wanted.n_random, seed, further, number)
    notes = baseline_notes(space, n_nodes, number)
    notes |= _few_random(baselines, wanted.n_random, notes.pop(RANDOM, ""))
    notes |= lora_notes | more.notes
    starts = _starts(wanted, space, baselines)
    return Queue((*baselines, *starts.layouts), starts.notes | notes, starts.trainings)


def check_starts(
    starts: Mapping[str, StartLayout], n_nodes: int, places: Places, backbone: str
) -> None:
    """Check that a backbone has every node that the layouts connect, and that their modules fit.

    Raises:
        StudyError: Naming every layout of which one does not hold.
    """
    wrong: list[str] = []
    for role, start in starts.items():
        try:
            layout = parse_layout(start.layout, MODULE_TYPES)
            layout.check_nodes(n_nodes)
            check_places(layout, places)
        except LayoutError as error:
            wrong.append(f"  {role} (study {start.study!r}): {error}")
    if wrong:
        head = (
            f"--start-from takes layouts whose nodes exist on {backbone!r}, 0 to {n_nodes - 1}, "
            "and whose modules fit there:"
        )
        cure = "Leave it out, or take a layout of a backbone that is built alike."
        raise StudyError("\n".join([head, *wrong, cure]))


def _equal_budget(
    wanted: Wanted, space: SearchSpace, scores: Sequence[Sequence[float]] | None, seed: int
) -> EqualBudget:
    """None where the study was made before there were any."""
    if wanted.baseline_set < 2:
        return EqualBudget((), {})
    return equal_budget_baselines(
        space, MODULE_TYPES, wanted.n_nodes, scores, seed, wanted.baseline_set
    )


def _lora(wanted: Wanted, space: SearchSpace) -> tuple[tuple[Baseline, ...], dict[str, str]]:
    """None where the study was made before there was one."""
    return lora_baseline(space.places, MODULE_TYPES) if wanted.baseline_set >= 3 else ((), {})


def _few_random(baselines: Sequence[Baseline], n_random: int, only: str) -> dict[str, str]:
    """A note where draws from a small space repeated each other or another baseline.

    Args:
        baselines: Of the study.
        n_random: How many were drawn.
        only: Why there can be no more than one; empty where there can be.
    """
    n_new = sum(baseline.role.startswith(RANDOM) for baseline in baselines)
    if n_new >= n_random:
        return {}
    if only and n_new <= 1:
        return {RANDOM: only}
    return {
        RANDOM: f"{n_new} of {n_random}, since the others drew what is a baseline already; finals "
        "draw as many as are missing of the answer's size, as far as the space has them"
    }


@dataclass(frozen=True, slots=True)
class _Start:
    """A layout from elsewhere, or made of one.

    Args:
        role: Its role.
        layout: It.
        there: How the one from elsewhere was trained, as far as is known.
        origin: The role of the one that it is made of; empty for that itself.
        said: What it has of that one; empty likewise.
    """

    role: str
    layout: Layout
    there: TrainingPlan
    origin: str = ""
    said: str = ""


def _starts(wanted: Wanted, space: SearchSpace, baselines: Sequence[Baseline]) -> Queue:
    """The layouts from elsewhere, but for those that are queued already and trained alike."""
    plan, nearest = wanted.plan, space.training.nearest
    usual = nearest(plan.learning_rate, plan.weight_decay)
    roles = {usual.id_with(each.layout.id): each.role for each in baselines}
    layouts: list[Baseline] = []
    notes: dict[str, str] = {}
    trainings: dict[str, TrainingChoice] = {}
    for start in _all_starts(wanted, space):
        role, layout, there = start.role, start.layout, start.there
        training = nearest(there.learning_rate, there.weight_decay)
        first = roles.setdefault(training.id_with(layout.id), role)
        if first == role:
            layouts.append(Baseline(role, layout))
            trainings[role] = training
        if start.origin:
            notes[start.origin] += f"; its places are tried with the space's modules, “{first}”"
        told = _said(space, layout) if first == role else f"is the same layout as “{first}”"
        other = _other_training(there, plan.with_choice(training))
        if said := "; ".join(filter(None, [start.said, told, other])):
            notes[role] = said
    return Queue(tuple(layouts), notes, trainings)


def _all_starts(wanted: Wanted, space: SearchSpace) -> list[_Start]:
    """Those given first, then what is made of the ones that the space lacks."""
    given = [
        _Start(
            role, parse_layout(start.layout, MODULE_TYPES), wanted.plan.with_choice(start.training)
        )
        for role, start in wanted.start_from.items()
    ]
    if wanted.baseline_set < WHOLE_BUDGET:
        return given
    found = ((start, adapted(space, start.layout)) for start in given)
    return given + [
        replace(
            start,
            role=adapted_role(start.role),
            layout=made.layout,
            origin=start.role,
            said=made.said.format(start.role),
        )
        for start, made in found
        if made
    ]


def _said(space: SearchSpace, layout: Layout) -> str:
    """Why a layout from elsewhere is not admitted; empty where it is."""
    objections = space.objections(layout)
    return f"can't be the answer: {'; '.join(objections)}" if objections else ""


def _other_training(there: TrainingPlan, here: TrainingPlan) -> str:
    """Which training settings of a file are not those that its layout has here; or empty."""
    named = (
        ("learning rate", there.learning_rate, here.learning_rate),
        ("weight decay", there.weight_decay, here.weight_decay),
    )
    other = [
        f"{what} {ours:g} instead of {theirs:g}" for what, theirs, ours in named if ours != theirs
    ]
    return f"is trained otherwise than where it was found: {', '.join(other)}" if other else ""
