"""What a study evaluates first: its baselines, then layouts from elsewhere."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from placement_search.errors import LayoutError, StudyError
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES, check_places
from placement_search.places import Places
from placement_search.space.search_space import SearchSpace
from placement_search.study.baselines import (
    RANDOM,
    Baseline,
    baseline_notes,
    make_baselines,
    without_repeats,
)
from placement_search.study.definition import NEWEST_BASELINES, StudyDefinition
from placement_search.study.equal_budget import (
    GREEDY_PROXY,
    EqualBudget,
    equal_budget_baselines,
)
from placement_search.study.lora_baseline import lora_baseline
from placement_search.study.records import ProxyMap
from placement_search.study.seeds import derive_seed
from placement_search.study.starts import StartLayout


@dataclass(frozen=True, slots=True)
class Queue:
    """The layouts to evaluate first, with their roles.

    Args:
        layouts: First to last, no two alike.
        notes: By role, why a layout is missing, what it lacks, or why it can't be the answer.
    """

    layouts: tuple[Baseline, ...]
    notes: dict[str, str]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a queue hangs on beside the space and the proxies.

    Args:
        n_nodes: Nodes of the backbone.
        n_random: Random layouts among the baselines.
        seed: The study's.
        start_from: Layouts from elsewhere, by role.
        baseline_set: Which baselines, see `StudyDefinition`.
    """

    n_nodes: int
    n_random: int
    seed: int
    start_from: Mapping[str, StartLayout]
    baseline_set: int = NEWEST_BASELINES


def make_queue(asked: StudyDefinition, space: SearchSpace, proxy_map: ProxyMap | None) -> Queue:
    """The queue of a study, which depends on its definition and its proxy map alone."""
    scores = proxy_map.scores.get(GREEDY_PROXY) if proxy_map else None
    wanted = Wanted(
        asked.backbone.n_nodes, asked.n_random, asked.seed, asked.start_from, asked.baseline_set
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
    starts = [
        Baseline(role, parse_layout(start.layout, MODULE_TYPES))
        for role, start in wanted.start_from.items()
    ]
    queued = without_repeats([*baselines, *starts])
    notes = _few_random(baselines, wanted.n_random) | baseline_notes(space, n_nodes, number)
    notes |= lora_notes | more.notes
    return Queue(tuple(queued), _notes(starts, queued, space) | notes)


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


def _few_random(baselines: Sequence[Baseline], n_random: int) -> dict[str, str]:
    """A note where draws from a small space repeated each other or another baseline."""
    n_new = sum(baseline.role.startswith(RANDOM) for baseline in baselines)
    if n_new >= n_random:
        return {}
    return {
        RANDOM: f"{n_new} of {n_random}, since the others drew what is a baseline already; finals "
        "draw as many as are missing of the answer's size, as far as the space has them"
    }


def _notes(starts: list[Baseline], queued: list[Baseline], space: SearchSpace) -> dict[str, str]:
    """Which layouts from elsewhere are no new ones, and why others are not admitted."""
    roles = {baseline.layout.id: baseline.role for baseline in queued}
    notes: dict[str, str] = {}
    for start in starts:
        objections = space.objections(start.layout)
        if roles[start.layout.id] != start.role:
            notes[start.role] = f"is the same layout as “{roles[start.layout.id]}”"
        elif objections:
            notes[start.role] = f"can't be the answer: {'; '.join(objections)}"
    return notes
