"""What ``plan`` works out, on a tiny backbone."""

from dataclasses import replace

import pytest

from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.timing import prepare_timing
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Kind
from placement_search.study.equal_budget import EVENLY_SPREAD, GREEDY
from placement_search.study.lora_baseline import LORA
from placement_search.study.outline import Outline, _connections, _n_searched, _queue, outline
from placement_search.study.settings import SearchSettings
from placement_search.study.spaces import study_space
from placement_search.study.starts import StartLayout
from tests.tiny_spaces import N_NODES, N_RANK_8, bound, space_file
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
    roles = {baseline.role for baseline in _queue(SETTINGS, space, n_nodes).layouts}

    assert {EVENLY_SPREAD, GREEDY, LORA, "head only", "random 6"} <= roles


@pytest.mark.slow
def test_trials_are_baselines_then_layouts_from_elsewhere_then_proposals(bench: Workbench) -> None:
    """As many as there are of each, as far as --n-trials lets them begin."""
    start = StartLayout("2>1:bottleneck(rank=4)", "other", "s", "f", "accuracy", 0.5, 1)
    settings = replace(SETTINGS, n_finalists=0, proxy_map=False, start_from={"start: o": start})
    n_baselines = len(outline(settings, bench, 0).queue.layouts) - 1

    def counts(n_trials: int) -> tuple[int, int, int]:
        made = outline(replace(settings, n_trials=n_trials), bench, 0)
        return made.n_baselines, made.n_starts, made.durations.n_searched

    assert counts(n_baselines - 1) == (n_baselines - 1, 0, 0)
    assert counts(n_baselines + 1) == (n_baselines, 1, 0)
    assert counts(n_baselines + 4) == (n_baselines, 1, 3)


def test_layouts_that_are_evaluated_before_are_not_proposed_again() -> None:
    """Of a small space some are baselines, and no more than the others are left to a sampler."""
    space = bound(space_file(kinds=["sequential"], connections={"at_most": 1}))
    n_layouts = space.extent.n_layouts

    assert _n_searched(space, space.extent, 0) == n_layouts
    assert _n_searched(space, space.extent, 2) == n_layouts - 2


@pytest.mark.parametrize("has_map", [True, False])
def test_the_greedy_baseline_is_counted_where_there_will_be_a_map(has_map: bool) -> None:
    """Without a map a note says why it is missing, as the search will."""
    queue = _queue(replace(SETTINGS, proxy_map=has_map), bound(), N_NODES)

    assert (GREEDY in {each.role for each in queue.layouts}) == has_map
    assert (GREEDY in queue.notes) != has_map


@pytest.mark.parametrize(
    ("changes", "limit", "fewest", "most"),
    [
        ({}, None, 1, 3),
        ({"kinds": ["parallel"], "tied": "blocks"}, None, 12, 24),
        ({"kinds": ["parallel"], "tied": "blocks"}, 12 * N_RANK_8, 12, 12),
        ({"kinds": ["long_range", "recurrent"], "symmetric": True}, None, 2, 6),
    ],
    ids=str,
)
def test_connections_that_come_together_are_each_counted(
    changes: dict[str, object], limit: int | None, fewest: int, most: int
) -> None:
    """A choice among ties is one in each of twelve blocks."""
    space = bound(space_file(**changes), limit)
    found = _connections(space, space.extent)

    assert (found.fewest, found.most, found.is_exact) == (fewest, most, True)


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
