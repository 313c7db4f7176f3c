"""How long a search would take, from short trainings of two of its layouts."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

from placement_search.evaluation.evaluate import (
    Evaluation,
    begin,
    from_frozen_states,
    new_population,
)
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.population import scores_on
from placement_search.evaluation.subsets import part_size
from placement_search.evaluation.timing import Timing
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.space.search_space import SearchSpace
from placement_search.study.course import Course
from placement_search.study.equal_budget import GREEDY_PROXY
from placement_search.study.layout_proxies import MAX_LAYOUTS, layout_proxies
from placement_search.study.progress import Silence
from placement_search.study.proxy_map import compute_proxy_map
from placement_search.study.samplers import NEED_SWITCHES
from placement_search.study.settings import SearchSettings
from placement_search.study.switches import learn_switches

MAX_MAP = 2 * 10**9
"""Of n² · width³, which the time of a map goes with: up to here it is made, by the clock.

The embedded backbone has 1.6e8, and its map takes 3 to 4 seconds on one core.
"""


@dataclass(frozen=True, slots=True)
class Durations:
    """Estimated seconds, of layouts that train one after another and are never pruned.

    Args:
        n_queued: Trials that begin of those that are queued first.
        n_searched: Trials that begin of those that the sampler proposes, whatever the seconds.
        cheap_trial: A trial, with all its trainings, of a layout that costs little.
        dear_trial: One of a layout that costs much.
        preparation: Frozen states, once for a study.
        proxies: The proxy map, and layout proxies of the trials.
        switches: Training all connections at once, where the sampler asks for it.
        search: All trials, as far as limits on steps and seconds let them begin.
        finals: Finalists, baselines, the answer once more and random layouts of its size, over all
            seeds, each scored at its end, and the frozen states of the test split.
        left_out: What is not counted.
    """

    n_queued: int
    n_searched: int
    cheap_trial: float
    dear_trial: float
    preparation: float
    proxies: float
    switches: float
    search: float
    finals: float
    left_out: tuple[str, ...]

    @property
    def total(self) -> float:
        """Of the whole search."""
        return self.preparation + self.proxies + self.switches + self.search + self.finals


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds of a layout that trains alone.

    Args:
        epoch: One pass over all training examples, without scores.
        score: One pass over the validation split.
        test: One pass over the test split.
    """

    epoch: float
    score: float
    test: float

    def trial(self, course: Course, layout: Layout, *, is_searched: bool) -> float:
        """A whole trial; one that is not searched skips parts of the data."""
        legs = course.legs(layout, 0, 1 if is_searched else course.n_reports)
        reports = course.plan.reports_per_epoch * self.score
        return sum(
            leg.request.plan.epochs * (self.epoch / leg.request.one_in + reports) for leg in legs
        )

    def final(self, plan: TrainingPlan) -> float:
        """A retraining, which is scored at its end alone, on both splits."""
        return plan.epochs * self.epoch + self.score + self.test


def pace_of(timing: Timing, bench: Workbench, layout: Layout, plan: TrainingPlan) -> Pace:
    """How fast a layout trains, after one epoch that warms up.

    Args:
        timing: The short copy that it trains on.
        bench: What that is a copy of.
        layout: What to train.
        plan: How.
    """
    short, task = timing.bench, bench.task
    alone = replace(plan, epochs=2, reports_per_epoch=1)
    population = new_population(short)
    member = begin(population, short, Evaluation(layout, 0, alone, is_final=True))
    population.run_epoch()
    seconds = _seconds(population.run_epoch)
    population.leave(member)
    split = short.validation
    # The second epoch has ended with a score, which warmed up.
    score = _seconds(lambda: scores_on([member.model], from_frozen_states, short, split))
    per_example = score / len(split.labels)
    return Pace(
        epoch=max(0.0, seconds - score) / timing.share,
        score=per_example * len(task.validation),
        test=per_example * len(task.test),
    )


def durations(
    settings: SearchSettings,
    space: SearchSpace,
    bench: Workbench,
    timing: Timing,
    ends: tuple[Layout, Layout],
    counts: tuple[int, int | None],
) -> Durations:
    """How long a search with these settings would take.

    Args:
        settings: What would be asked for.
        space: The search space.
        bench: Backbone and data.
        timing: A short copy of it.
        ends: A layout that costs little, and one that costs much.
        counts: Layouts that are queued first, and the most that there are to search; None for no
            end of them.
    """
    plan, task = settings.training, bench.task
    course = Course(plan, settings.fidelity, settings.replicates)
    paces = [pace_of(timing, bench, layout, plan) for layout in ends]
    cheap, dear = (p.trial(course, ends[0], is_searched=True) for p in paces)
    queued = sum(p.trial(course, ends[0], is_searched=False) for p in paces) / 2
    n_queued, n_searched = _n_trials(settings, course, counts, len(task.train))
    search = n_queued * queued + n_searched * (cheap + dear) / 2
    n_random = settings.n_random * (1 + len(settings.start_from))
    n_finals = settings.n_finalists + n_queued + 1 + n_random
    final = sum(pace.final(plan) for pace in paces) / 2
    test_states = timing.cache_seconds * len(task.test) / (len(task.train) + len(task.validation))
    proxies = _proxy_seconds(settings, timing, ends, n_queued + n_searched)
    switches = _switch_seconds(settings, space, timing)
    if settings.max_seconds is not None:  # which the switches count for, too
        search = min(search, max(0.0, settings.max_seconds - switches))
    return Durations(
        n_queued=n_queued,
        n_searched=n_searched,
        cheap_trial=cheap,
        dear_trial=dear,
        preparation=timing.cache_seconds,
        proxies=proxies or 0.0,
        switches=switches,
        search=search,
        finals=n_finals * settings.n_seeds * final + test_states if settings.n_finalists else 0.0,
        left_out=_left_out(settings, is_mapped=proxies is not None),
    )


def _n_trials(
    settings: SearchSettings, course: Course, counts: tuple[int, int | None], n_train: int
) -> tuple[int, int]:
    """How many trials begin of those that are queued and of those that are searched."""
    n_queued = min(counts[0], settings.n_trials)
    n_searched = settings.n_trials - n_queued
    n_searched = n_searched if counts[1] is None else min(n_searched, counts[1])
    if settings.max_steps is None:
        return n_queued, n_searched
    whole, first = (
        sum(
            leg.request.plan.epochs
            * course.plan.steps_per_epoch(part_size(n_train, leg.request.one_in))
            for leg in course.legs(Layout(), 0, first_report)
        )
        for first_report in (1, course.n_reports)
    )
    left = settings.max_steps - _switch_steps(settings, n_train)
    if left <= 0:
        return 0, 0
    n_paid = min(n_queued, math.ceil(left / first))
    n_paid += math.ceil(max(0, left - n_paid * first) / whole)
    # A trial begins by what those of some numbers before it took.
    n_begun = n_paid + settings.concurrency - 1
    n_queued = min(n_queued, n_begun)
    return n_queued, min(n_searched, n_begun - n_queued)


def _switch_steps(settings: SearchSettings, n_train: int) -> int:
    """Training steps of the switches, which count as those of trials do."""
    if settings.sampler not in NEED_SWITCHES:
        return 0
    return settings.training.epochs * settings.training.steps_per_epoch(n_train)


def _proxy_seconds(
    settings: SearchSettings, timing: Timing, ends: tuple[Layout, Layout], n_trials: int
) -> float | None:
    """Of the map and the layouts' proxies; None where a map takes too long to try."""
    backbone, bench = timing.bench.backbone, timing.bench
    if not settings.proxy_map:
        return 0.0
    if backbone.n_nodes**2 * backbone.width**3 > MAX_MAP:
        return None
    whole = _seconds(lambda: compute_proxy_map(bench, settings.seed))
    at_once = settings.training.batch_size
    each = [
        _seconds(partial(layout_proxies, bench, layout, settings.seed, at_once)) for layout in ends
    ]
    return whole + min(n_trials, MAX_LAYOUTS) * sum(each) / len(each)


def _switch_seconds(settings: SearchSettings, space: SearchSpace, timing: Timing) -> float:
    """Of training all connections at once; which ones a proxy would choose is all the same."""
    if settings.sampler not in NEED_SWITCHES:
        return 0.0
    plan = settings.training
    n_steps = math.ceil(len(timing.bench.task.train) / plan.batch_size)
    one = replace(plan, epochs=1, reports_per_epoch=min(plan.reports_per_epoch, n_steps))
    n_nodes = timing.bench.backbone.n_nodes
    alike = {GREEDY_PROXY: [[1.0] * n_nodes for _ in range(n_nodes)]}
    learned = learn_switches(timing.bench, space, one, settings.seed, alike, Silence())
    return plan.epochs * learned.seconds / timing.share


def _left_out(settings: SearchSettings, *, is_mapped: bool) -> tuple[str, ...]:
    """What `durations` does not count."""
    said = {
        "what --pruner saves": settings.pruner != "none",
        "what trials save that train together (--concurrency)": settings.concurrency > 1,
        "what --workers save": settings.workers > 1,
        "--full-fine-tuning": settings.full_fine_tuning and settings.n_finalists > 0,
        "the proxy map, which `placement-search map` times": not is_mapped,
        "the report and the export": True,
    }
    return tuple(what for what, is_so in said.items() if is_so)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started
