"""What ``plan`` works out, on a tiny backbone."""

from dataclasses import replace

import pytest

from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.timing import prepare_timing
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Kind
from placement_search.study.equal_budget import EVENLY_SPREAD, GREEDY
from placement_search.study.lora_baseline import LORA
from placement_search.study.outline import Outline, _queued, outline
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
    assert made.extent.is_exact


@pytest.mark.slow
def test_the_sample_is_of_the_space_and_within_its_range(made: Outline) -> None:
    """With all costs that can be counted."""
    assert len(made.sample) == 6
    for each in (*made.sample, made.cheap, made.dear):
        assert made.space.contains(each.layout)
        assert each.costs.flops_factor is not None and each.costs.flops_factor <= 1.5
        low, high = made.extent.parameters
        assert low <= each.costs.n_parameters <= high <= 900


@pytest.mark.slow
def test_the_baselines_of_the_study_are_counted(made: Outline, bench: Workbench) -> None:
    """The named ones, those at equal budget, and random ones."""
    space, n_nodes = made.space, bench.backbone.n_nodes
    roles = {baseline.role for baseline in _queued(SETTINGS, space, n_nodes)}

    assert {EVENLY_SPREAD, GREEDY, LORA, "head only", "random 6"} <= roles


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
