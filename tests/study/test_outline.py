"""What ``plan`` works out, on a tiny backbone."""

from dataclasses import replace

import pytest

from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.timing import prepare_timing
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Kind
from placement_search.modules import MODULE_TYPES
from placement_search.study.baselines import make_baselines
from placement_search.study.equal_budget import EVENLY_SPREAD, GREEDY, equal_budget_baselines
from placement_search.study.lora_baseline import LORA, lora_baseline
from placement_search.study.outline import Outline, outline
from placement_search.study.settings import SearchSettings
from placement_search.study.spaces import study_space
from tests.tiny_task import tiny_bench

SETTINGS = SearchSettings(
    max_params="900", max_flops="1.5x", training=TrainingPlan(epochs=2, batch_size=16)
)


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return tiny_bench()


@pytest.fixture(scope="module")
def made(bench: Workbench) -> Outline:
    return outline(SETTINGS, bench, 6)


@pytest.mark.slow
def test_the_space_is_the_studys(made: Outline, bench: Workbench) -> None:
    """With the same budget; what a budget keeps out is no candidate."""
    assert made.space.choices == study_space(SETTINGS, bench).choices
    assert made.n_by_kind == {
        Kind.SEQUENTIAL: 7, Kind.PARALLEL: 6, Kind.LONG_RANGE: 15, Kind.RECURRENT: 0,
    }  # fmt: skip
    assert made.n_layouts is not None


@pytest.mark.slow
def test_the_sample_is_of_the_space_and_within_its_range(made: Outline) -> None:
    """With all costs that can be counted."""
    assert len(made.sample) == 6
    for each in (*made.sample, made.cheap, made.dear):
        assert made.space.contains(each.layout)
        assert each.costs.flops_factor is not None and each.costs.flops_factor <= 1.5
        low, high = made.cheap.costs.n_parameters, made.dear.costs.n_parameters
        assert low <= each.costs.n_parameters <= high <= 900


@pytest.mark.slow
def test_the_search_takes_its_trials_and_its_finals(made: Outline, bench: Workbench) -> None:
    """And nothing for finals that are not held."""
    times = made.durations
    without = outline(replace(SETTINGS, n_finalists=0), bench, 0).durations

    assert times.search == pytest.approx(32 * (times.cheap_trial + times.dear_trial) / 2)
    assert times.total == pytest.approx(times.preparation + times.search + times.finals)
    assert min(times.cheap_trial, times.dear_trial, times.preparation, times.finals) > 0
    assert without.finals == 0


def test_the_finals_of_baselines_at_equal_budget_are_counted(
    made: Outline, bench: Workbench
) -> None:
    """Beside the finalists: the named ones, random ones, and as many of the answer's size."""
    times, space = made.durations, made.space
    scores = [[1.0] * bench.backbone.n_nodes] * bench.backbone.n_nodes
    n_nodes = bench.backbone.n_nodes
    lora, _ = lora_baseline(space.places, MODULE_TYPES)
    further = (*lora, *equal_budget_baselines(space, MODULE_TYPES, n_nodes, scores).baselines)
    baselines = make_baselines(space, n_nodes, SETTINGS.n_random, SETTINGS.seed, further)
    n_layouts = SETTINGS.n_finalists + len(baselines) + SETTINGS.n_random

    assert {EVENLY_SPREAD, GREEDY, LORA} <= {baseline.role for baseline in baselines}
    mean = (times.cheap_trial + times.dear_trial) / 2
    assert times.finals == pytest.approx(n_layouts * SETTINGS.n_seeds * mean)


@pytest.mark.slow
def test_latency_is_counted_where_it_is_limited(bench: Workbench) -> None:
    """By a limit that nothing exceeds: the sample's factors are there."""
    settings = replace(SETTINGS, max_flops=None, max_latency="1000x")

    assert all(s.costs.latency_factor for s in outline(settings, bench, 2).sample)


def test_timing_prepares_nothing_of_the_bench_itself() -> None:
    """A copy with a share of the examples is what is timed."""
    bench = tiny_bench()
    timing = prepare_timing(bench, batch_size=16)

    assert {"train", "validation", "test", "pooling_choice"}.isdisjoint(vars(bench))
    assert timing.share == 1
    assert len(timing.bench.train.labels) == 48
