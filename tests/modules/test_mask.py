"""Masks: what is kept, by what, and what that costs."""

import pytest
import torch
from torch import nn

from placement_search.evaluation.evaluate import Evaluation, begin, evaluate, new_population
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Connection, Layout, make_module
from placement_search.module_type import Scalar
from placement_search.modules import MODULE_TYPES, count_parameters, parse_layout
from placement_search.modules.mask import KeptEntries
from placement_search.places import Places
from tests.tiny_task import tiny_bench

WIDTH = 16
PLAN = TrainingPlan(epochs=2, batch_size=16, learning_rate=1e-2)
MASKED = "1>2:bottleneck(kept=0.3,mask=snip,rank=4)+3>1:bottleneck(kept=0.2,mask=snip,rank=2)"


def entries_of(model: nn.Module) -> list[KeptEntries]:
    return [m for m in model.modules() if isinstance(m, KeptEntries)]


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """A tiny vision backbone on its task."""
    return tiny_bench()


def test_snip_sees_gradients_of_both_maps(bench: Workbench) -> None:
    """At a zero up map all scores would be zero, and all of one map would be kept."""
    member = begin(new_population(bench), bench, Evaluation(parse_layout(MASKED), 0, PLAN))
    first = entries_of(member.model)[0]
    down, up = first.mask.split(4 * WIDTH)

    assert 0 < down.sum() < 4 * WIDTH
    assert 0 < up.sum() < 4 * WIDTH
    assert int(first.mask.sum()) == round(0.3 * 8 * WIDTH)
    assert not first.is_waiting


def test_snip_chooses_by_the_data(bench: Workbench) -> None:
    """It is not the mask that magnitude gives, and another first batch gives another."""
    layout = parse_layout(MASKED)
    begun = [
        begin(new_population(bench), bench, Evaluation(layout, 0, PLAN, order_seed=order)).model
        for order in (0, 0, 1)
    ]
    one, same, other = (torch.cat([e.mask for e in entries_of(model)]) for model in begun)
    drawn = torch.cat([e.mask for e in entries_of(bench.adapted(layout, seed=0))])

    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert not torch.equal(one, drawn)


def test_snip_seeds_no_accelerator(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their generators are the user's, as the CPU's is."""
    seeds: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeds.append)
    before = torch.random.get_rng_state()
    begin(new_population(bench), bench, Evaluation(parse_layout(MASKED), 0, PLAN))

    assert seeds == []
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.slow
def test_a_masked_layout_trains_alone_as_in_company(bench: Workbench) -> None:
    """Others in the population change neither its mask nor its scores."""
    request = Evaluation(parse_layout(MASKED), 0, PLAN)
    alone = evaluate(bench, request, lambda _report, _score: None)
    population = new_population(bench)
    members = [
        begin(population, bench, each)
        for each in (Evaluation(parse_layout("0>1:bottleneck(gate=true)"), 5, PLAN), request)
    ]
    while not members[1].is_done:
        population.run_epoch()

    assert tuple(members[1].history) == alone.card.history
    for ours, theirs in zip(entries_of(members[1].model), entries_of(alone.model), strict=True):
        assert torch.equal(ours.mask, theirs.mask)


def test_masked_weights_cost_what_they_take(bench: Workbench) -> None:
    """Parameters are the kept ones; bytes are theirs and one for each entry of the mask."""
    whole, thin = (
        bench.costs(parse_layout(f"1>2:bottleneck(rank=4{more})"))
        for more in ("", ",mask=random,kept=0.25")
    )
    n_entries = 2 * 4 * WIDTH

    assert whole.n_adapter_parameters - thin.n_adapter_parameters == 0.75 * n_entries
    assert whole.n_bytes - thin.n_bytes == 4 * 0.75 * n_entries - n_entries


def test_large_sparse_is_a_bigger_rank_of_the_same_count() -> None:
    """SparseAdapter's Large-Sparse: four times the rank, a quarter kept."""
    small = make_module(MODULE_TYPES, "bottleneck", {"rank": 8, "norm": False}, "a test")
    given: dict[str, Scalar] = {"rank": 32, "norm": False, "mask": "snip", "kept": 0.25}
    large = make_module(MODULE_TYPES, "bottleneck", given, "a test")
    counts = [count_parameters(Layout((Connection(1, 2, s),)), Places(64)) for s in (small, large)]

    # Both have 2·64·8 weights and the up map's bias; the biases of the down maps differ.
    assert counts == [2 * 64 * 8 + 64 + 8, 2 * 64 * 8 + 64 + 32]


def test_what_is_masked_writes_a_little_where_others_do(bench: Workbench) -> None:
    """Proxies of layouts look at a small write, whose zeros are drawn where they are kept."""
    spec = make_module(MODULE_TYPES, "bottleneck", {"mask": "random", "kept": 0.5}, "a test")
    (entries,) = entries_of(bench.adapted(Layout((Connection(1, 2, spec),))))
    up_before = entries.dense().split(8 * WIDTH)[1]
    entries.fill_zeros(0.02, torch.Generator().manual_seed(0))
    up = entries.dense().split(8 * WIDTH)[1]

    assert not up_before.any()
    assert torch.equal(up != 0, entries.mask.split(8 * WIDTH)[1])
