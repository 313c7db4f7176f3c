"""What a search would be: the size of its space, a sample of it, what it costs, how long it takes.

Nothing is written, and nothing is trained but short epochs of two layouts and, where a sampler asks
for it, of all connections at once.
"""

import random
from collections import Counter
from dataclasses import dataclass

from placement_search.evaluation.timing import prepare_timing
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Kind, Layout, kind_of
from placement_search.space.cost_table import LayoutCosts, Price
from placement_search.space.extent import Extent, extent_of
from placement_search.space.search_space import SearchSpace
from placement_search.study.checks import check_sampler, check_settings
from placement_search.study.durations import Durations, durations
from placement_search.study.queue import Queue, Wanted, check_starts, queue_of
from placement_search.study.seeds import derive_seed
from placement_search.study.settings import SearchSettings
from placement_search.study.spaces import bound_space, measured_latency, study_budget
from placement_search.study.starts import is_start


@dataclass(frozen=True, slots=True)
class Sampled:
    """A layout of the space with its predicted costs."""

    layout: Layout
    costs: LayoutCosts


@dataclass(frozen=True, slots=True)
class Connections:
    """How many connections a layout has, where each of those that come together counts.

    Args:
        fewest: That a layout has.
        most: That a layout has.
        is_exact: Whether there are layouts of both; else no layout has fewer, or more.
    """

    fewest: int
    most: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Outline:
    """What a search would be.

    Args:
        space: The space on the backbone, within its budget.
        n_by_kind: Candidate connections by kind.
        extent: How many layouts it has, and how large they are.
        connections: How many connections a layout has.
        cheap: A layout that costs little.
        dear: A layout that costs much.
        sample: Random layouts.
        queue: What is evaluated first; the greedy baseline as a proxy would choose it that is the
            same everywhere.
        n_baselines: Trials that begin of its baselines.
        n_starts: Those that begin of its layouts from elsewhere, adapted ones among them.
        durations: How long it would take.
    """

    space: SearchSpace
    n_by_kind: dict[Kind, int]
    extent: Extent
    connections: Connections
    cheap: Sampled
    dear: Sampled
    sample: tuple[Sampled, ...]
    queue: Queue
    n_baselines: int
    n_starts: int
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
    queue = _queue(settings, space, backbone.n_nodes)
    n_taken = sum(space.contains(each.layout) for each in queue.layouts)
    counts = len(queue.layouts), _n_searched(space, extent, n_taken)
    times = durations(settings, space, bench, timing, (cheap, dear), counts)
    # Layouts from elsewhere come after the baselines.
    n_baselines = sum(not is_start(each.role) for each in queue.layouts)
    n_baselines = min(n_baselines, times.n_queued)
    return Outline(
        space=space,
        n_by_kind={kind: kinds[kind] for kind in Kind},
        extent=extent,
        connections=_connections(space, extent),
        cheap=Sampled(cheap, space.predicted(cheap)),
        dear=Sampled(dear, space.predicted(dear)),
        sample=tuple(Sampled(made, space.predicted(made)) for made in drawn.values()),
        queue=queue,
        n_baselines=n_baselines,
        n_starts=times.n_queued - n_baselines,
        durations=times,
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


def _queue(settings: SearchSettings, space: SearchSpace, n_nodes: int) -> Queue:
    """What is evaluated first, as far as it is known without a proxy map."""
    wanted = Wanted(
        n_nodes, settings.n_random, settings.seed, settings.training, settings.start_from
    )
    scores = [[1.0] * n_nodes for _ in range(n_nodes)] if settings.proxy_map else None
    return queue_of(wanted, space, scores)


def _connections(space: SearchSpace, extent: Extent) -> Connections:
    """How many connections layouts have: as many as groups, or as if each cost one parameter."""
    if len(space.pairs) == len(space.groups):
        return Connections(*extent.sizes, is_exact=extent.is_exact)
    one_each = Price((1,) * len(space.table.parameters.modules))
    counted = extent_of(space.choices, one_each)
    return Connections(*counted.parameters, is_exact=counted.is_exact)


def _n_searched(space: SearchSpace, extent: Extent, n_taken: int) -> int | None:
    """The most trials that a sampler can propose; None where there is no end of them.

    Args:
        space: What it proposes from.
        extent: Of the space.
        n_taken: Trials of the space's layouts that come before.
    """
    is_finite = extent.is_counted and not space.training.intervals
    return extent.n_layouts * space.training.n_listed - n_taken if is_finite else None
