"""What a search would be: the size of its space, a sample of it, what it costs, how long it takes.

Nothing is written, and nothing but two short epochs is trained.
"""

import random
from collections import Counter
from dataclasses import dataclass

from placement_search.evaluation.timing import Timing, prepare_timing
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Kind, Layout, kind_of
from placement_search.modules import MODULE_TYPES
from placement_search.space.cost_table import LayoutCosts
from placement_search.space.search_space import SearchSpace
from placement_search.study.baselines import Baseline, make_baselines
from placement_search.study.equal_budget import equal_budget_baselines
from placement_search.study.lora_baseline import lora_baseline
from placement_search.study.seeds import derive_seed
from placement_search.study.settings import SearchSettings
from placement_search.study.spaces import bound_space, measured_latency, study_budget


@dataclass(frozen=True, slots=True)
class Sampled:
    """A layout of the space with its predicted costs."""

    layout: Layout
    costs: LayoutCosts


@dataclass(frozen=True, slots=True)
class Durations:
    """Estimated seconds, of layouts that train one after another and are never pruned.

    Args:
        cheap_trial: One trial of a layout that costs little.
        dear_trial: One trial of a layout that costs much.
        preparation: Frozen states, once for a study.
        search: All trials.
        finals: Finalists, baselines and random layouts of the answer's size, over all seeds.
    """

    cheap_trial: float
    dear_trial: float
    preparation: float
    search: float
    finals: float

    @property
    def total(self) -> float:
        """Of the whole search."""
        return self.preparation + self.search + self.finals


@dataclass(frozen=True, slots=True)
class Outline:
    """What a search would be.

    Args:
        space: The space on the backbone, within its budget.
        n_by_kind: Candidate connections by kind.
        n_layouts: Layouts, exactly; None where there are too many to count under its rules.
        log10_size: Decimal logarithm of their number.
        cheap: A layout that costs little.
        dear: A layout that costs much.
        sample: Random layouts.
        durations: How long it would take.
    """

    space: SearchSpace
    n_by_kind: dict[Kind, int]
    n_layouts: int | None
    log10_size: float
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
        SpaceError: If file or budget does not fit the backbone.
    """
    space = _space(settings, bench)
    counted, kinds = space.n_layouts, Counter(kind_of(s, t) for s, t in space.pairs)
    cheap, dear = _extremes(space)
    generator = random.Random(derive_seed(settings.seed, "outline"))  # noqa: S311 - reproducible
    drawn = {(made := space.random_layout(generator)).id: made for _ in range(n_sampled)}
    timing = prepare_timing(bench, settings.training.batch_size)
    return Outline(
        space=space,
        n_by_kind={kind: kinds[kind] for kind in Kind},
        n_layouts=counted,
        log10_size=space.log10_size,
        cheap=Sampled(cheap, space.predicted(cheap)),
        dear=Sampled(dear, space.predicted(dear)),
        sample=tuple(Sampled(made, space.predicted(made)) for made in drawn.values()),
        durations=_durations(settings, space, timing, (cheap, dear)),
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


def _equal_budget(
    settings: SearchSettings, space: SearchSpace, bench: Workbench
) -> tuple[Baseline, ...]:
    """The baselines at equal budget; a greedy one by a proxy that is the same everywhere."""
    n_nodes = bench.backbone.n_nodes
    scores = [[1.0] * n_nodes for _ in range(n_nodes)] if settings.proxy_map else None
    return equal_budget_baselines(space, MODULE_TYPES, n_nodes, scores).baselines


def _durations(
    settings: SearchSettings, space: SearchSpace, timing: Timing, ends: tuple[Layout, Layout]
) -> Durations:
    plan = settings.training
    cheap, dear = (plan.epochs * timing.epoch_seconds(layout, plan) for layout in ends)
    mean = (cheap + dear) / 2
    n_nodes = timing.bench.backbone.n_nodes
    lora, _ = lora_baseline(space.places, MODULE_TYPES)
    further = (*lora, *_equal_budget(settings, space, timing.bench))
    n_baselines = len(make_baselines(space, n_nodes, settings.n_random, settings.seed, further))
    n_alike = settings.n_random
    n_finals = (settings.n_finalists + n_baselines + n_alike) * settings.n_seeds
    return Durations(
        cheap_trial=cheap,
        dear_trial=dear,
        preparation=timing.cache_seconds,
        search=settings.n_trials * mean,
        finals=n_finals * mean if settings.n_finalists else 0.0,
    )
