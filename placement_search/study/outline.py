"""What a search would be: the size of its space, a sample of it, what it costs, how long it takes.

Nothing is written, and nothing is trained but short epochs of two layouts and, where a sampler asks
for it, of all connections at once.
"""

import random
from collections import Counter
from dataclasses import dataclass

from placement_search.evaluation.timing import prepare_timing
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Kind, Layout, kind_of, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.space.cost_table import LayoutCosts
from placement_search.space.extent import Extent
from placement_search.space.search_space import SearchSpace
from placement_search.study.baselines import Baseline, make_baselines, without_repeats
from placement_search.study.checks import check_sampler, check_settings
from placement_search.study.durations import Durations, durations
from placement_search.study.equal_budget import equal_budget_baselines
from placement_search.study.lora_baseline import lora_baseline
from placement_search.study.queue import check_starts
from placement_search.study.seeds import derive_seed
from placement_search.study.settings import SearchSettings
from placement_search.study.spaces import bound_space, measured_latency, study_budget


@dataclass(frozen=True, slots=True)
class Sampled:
    """A layout of the space with its predicted costs."""

    layout: Layout
    costs: LayoutCosts


@dataclass(frozen=True, slots=True)
class Outline:
    """What a search would be.

    Args:
        space: The space on the backbone, within its budget.
        n_by_kind: Candidate connections by kind.
        extent: How many layouts it has, and how large they are.
        cheap: A layout that costs little.
        dear: A layout that costs much.
        sample: Random layouts.
        durations: How long it would take.
    """

    space: SearchSpace
    n_by_kind: dict[Kind, int]
    extent: Extent
    cheap: Sampled
    dear: Sampled
    sample: tuple[Sampled, ...]
    durations: Durations


def outline(settings: SearchSettings, bench: Workbench, n_sampled: int) -> Outline:
    """Work out what a search with these settings would be.

    Args:
        settings: What would be asked for.
        bench: Its backbone and data.
        n_sampled: Random layouts to show.

    Raises:
        PlacementSearchError: For what a search would refuse.
    """
    check_settings(settings)
    backbone = bench.backbone
    settings.training.steps_per_epoch(len(bench.task.train))
    check_starts(settings.start_from, backbone.n_nodes, backbone.places, settings.model.model)
    space = _space(settings, bench)
    check_sampler(settings, space)
    extent, kinds = space.extent, Counter(kind_of(s, t) for s, t in space.pairs)
    cheap, dear = _extremes(space)
    generator = random.Random(derive_seed(settings.seed, "outline"))  # noqa: S311 - reproducible
    drawn = {(made := space.random_layout(generator)).id: made for _ in range(n_sampled)}
    timing = prepare_timing(bench, settings.training.batch_size)
    queued = _queued(settings, space, backbone.n_nodes)
    counts = len(queued), _n_searched(space, extent)
    return Outline(
        space=space,
        n_by_kind={kind: kinds[kind] for kind in Kind},
        extent=extent,
        cheap=Sampled(cheap, space.predicted(cheap)),
        dear=Sampled(dear, space.predicted(dear)),
        sample=tuple(Sampled(made, space.predicted(made)) for made in drawn.values()),
        durations=durations(settings, space, bench, timing, (cheap, dear), counts),
    )


def _space(settings: SearchSettings, bench: Workbench) -> SearchSpace:
    """The space with all costs counted; latency is measured where it is limited."""
    budget = study_budget(settings, bench.backbone.facts.n_parameters)
    latency = measured_latency(settings, bench) if budget.max_latency else None
    return bound_space(settings, bench, budget, latency, is_counted=True)


def _extremes(space: SearchSpace) -> tuple[Layout, Layout]:
    """A small layout of the cheapest module, and the dearest of a few large ones."""
    always, free = sorted(space.choices.always), space.choices.free
    n_least = space.at_least - len(always)
    # Trials are the quicker the higher their lowest target, and groups are sorted.
    cheap = [(group, 0) for group in (*always, *free[len(free) - n_least :])]
    last = len(space.modules) - 1
    wishes = [cheap]
    for module in range(last + 1):
        n_most = max(space.choices.most(module), space.at_least) - len(always)
        fitting = space.choices.fitting(module)
        wishes.append([(group, module) for group in (*always, *fitting[:n_most])])
    n_most = space.at_most - len(always)
    wishes.append([(group, last) for group in (*always, *free[:n_most])])
    layouts = [space.layout_of(space.choices.repaired(wished)) for wished in wishes]
    return min(layouts, key=space.cost), max(layouts, key=space.cost)


def _queued(settings: SearchSettings, space: SearchSpace, n_nodes: int) -> list[Baseline]:
    """What is evaluated first; the greedy choice by a proxy that is the same everywhere."""
    seed = derive_seed(settings.seed, "baselines")
    scores = [[1.0] * n_nodes for _ in range(n_nodes)] if settings.proxy_map else None
    equal = equal_budget_baselines(space, MODULE_TYPES, n_nodes, scores, seed).baselines
    lora, _ = lora_baseline(space.places, MODULE_TYPES)
    made = make_baselines(space, n_nodes, settings.n_random, seed, (*lora, *equal))
    starts = [
        Baseline(role, parse_layout(start.layout, MODULE_TYPES))
        for role, start in settings.start_from.items()
    ]
    return without_repeats([*made, *starts])


def _n_searched(space: SearchSpace, extent: Extent) -> int | None:
    """The most trials that a sampler can propose; None where there is no end of them."""
    is_finite = extent.is_exact and not space.training.intervals
    return extent.n_layouts * space.training.n_listed if is_finite else None
