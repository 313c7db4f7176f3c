"""How many train together: as many as pay and fit."""

import pytest
import torch

from placement_search.evaluation import population_size
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.population_size import best_population
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.modules import parse_layout
from tests.tiny_task import tiny_bench

PLAN = TrainingPlan(batch_size=16)
LAYOUT = parse_layout("0>1:bottleneck")


def size_where(monkeypatch: pytest.MonkeyPatch, seconds: dict[int, float], **given: int) -> int:
    """The size that is chosen where steps of each size take so long."""
    monkeypatch.setattr(population_size, "_seconds", lambda *args: seconds[args[-1]])
    return best_population(tiny_bench(), LAYOUT, PLAN, **{"most": 8, "free_bytes": 10**12, **given})


@pytest.mark.slow
def test_it_grows_while_doubling_pays(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four cost twice as much as two, which cost less than twice as much as one."""
    assert size_where(monkeypatch, {1: 1.0, 2: 1.2, 4: 2.4, 8: 4.8}) == 2
    assert size_where(monkeypatch, {1: 1.0, 2: 1.99}) == 1
    assert size_where(monkeypatch, {1: 1.0, 2: 1.0, 4: 1.0, 8: 1.0}) == 8


@pytest.mark.slow
def test_it_never_exceeds_what_is_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody could fill more places."""
    assert size_where(monkeypatch, {1: 1.0, 2: 1.0, 4: 1.0}, most=5) == 4
    assert size_where(monkeypatch, {}, most=1) == 1


@pytest.mark.slow
def test_it_stays_within_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of what is free holds what members keep for their backward passes."""
    kept = population_size._kept_bytes(tiny_bench(), LAYOUT, PLAN)
    free = dict.fromkeys((1, 2, 4, 8), 1.0)

    assert size_where(monkeypatch, free, free_bytes=2 * 3 * kept) == 2
    assert size_where(monkeypatch, free, free_bytes=0) == 1


@pytest.mark.slow
def test_deeper_backward_passes_keep_more() -> None:
    """A layout that starts at the top needs less memory than one that starts at the bottom."""
    bench: Workbench = tiny_bench()
    low, high = (
        population_size._kept_bytes(bench, parse_layout(text), PLAN)
        for text in ("0>1:bottleneck", "6>6:bottleneck")
    )

    assert low > high > population_size._kept_bytes(bench, Layout(), PLAN) > 0


def test_where_not_even_one_fits_layouts_find_out_for_themselves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Running out of memory while measuring ends no search."""

    def out_of_memory(*_: object) -> float:
        raise torch.OutOfMemoryError("too much")

    monkeypatch.setattr(population_size, "_seconds", out_of_memory)

    assert best_population(tiny_bench(), LAYOUT, PLAN, 8) == 1


@pytest.mark.slow
def test_it_is_measured() -> None:
    """On a real bench it gives a power of two."""
    assert best_population(tiny_bench(), LAYOUT, PLAN, 4) in {1, 2, 4}
