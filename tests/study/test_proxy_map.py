"""Proxy maps of a tiny backbone: what they hold, and that they leave everything as it was."""

import pytest
import torch

from placement_search.backbones.loading import fingerprint
from placement_search.evaluation.workbench import Workbench
from placement_search.proxies import GRADIENT_PROXIES, PROXIES
from placement_search.proxies.gradients import plan_of, planned_map
from placement_search.study.proxy_map import (
    MEMORY_LIMIT,
    N_BATCHES,
    N_RANDOM_HEADS,
    compute_proxy_map,
    gradient_scores,
    random_head_of,
    stream_of,
)
from placement_search.study.records import PROXY_MAPS, ProxyMap
from tests.tiny_backbones import tiny_bert
from tests.tiny_task import tiny_bench, tiny_text_task


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """A tiny vision backbone on its task."""
    return tiny_bench()


@pytest.fixture(scope="module")
def computed(bench: Workbench) -> ProxyMap:
    """Its map from all 48 training examples."""
    return compute_proxy_map(bench, seed=0)


def test_every_proxy_scores_every_connection(computed: ProxyMap) -> None:
    """Finite, by source and target."""
    assert tuple(computed.scores) == PROXIES
    for grid in computed.scores.values():
        assert torch.tensor(grid).shape == (7, 7)
        assert torch.tensor(grid).isfinite().all()


def test_scores_are_those_of_all_examples_with_the_probed_head(
    bench: Workbench, computed: ProxyMap
) -> None:
    """Looking at parts and at other heads does not move them."""
    stream = stream_of(bench, torch.arange(48))
    plain = gradient_scores(planned_map(stream, plan_of(stream, MEMORY_LIMIT)).whole)

    for name, grid in plain.items():
        # Sums of float32 in another order; a numerical rank may step by one.
        atol = 1.0 if name == "numerical_rank" else 0.0
        torch.testing.assert_close(
            torch.tensor(computed.scores[name]), torch.tensor(grid), rtol=1e-3, atol=atol
        )


def test_the_spread_says_how_stable_each_proxy_is(computed: ProxyMap) -> None:
    """A rank correlation between batches for each proxy, and between heads where one has a part."""
    spread = computed.spread

    assert spread is not None
    assert spread.n_batches == N_BATCHES
    assert spread.n_heads == 1 + N_RANDOM_HEADS
    assert tuple(spread.between_batches) == PROXIES
    assert spread.between_heads.keys() == spread.random_head.keys() == GRADIENT_PROXIES.keys()
    found = [*spread.between_batches.values(), *spread.between_heads.values()]
    assert all(value is not None and -1 <= value < 1 for value in found)


def test_a_map_can_be_stored_and_old_maps_still_read(computed: ProxyMap) -> None:
    """Studies made before the spread was measured have none."""
    stored = PROXY_MAPS.dump_python(computed, mode="json")
    old = {name: value for name, value in stored.items() if name != "spread"}

    assert PROXY_MAPS.validate_python(stored) == computed
    assert PROXY_MAPS.validate_python(old).spread is None


@pytest.mark.slow
def test_the_same_seed_gives_the_same_map(bench: Workbench, computed: ProxyMap) -> None:
    """Another one has other random heads."""
    again, other = (compute_proxy_map(bench, seed) for seed in (0, 1))

    assert again.scores == computed.scores
    assert again.spread == computed.spread
    assert other.spread != computed.spread


def test_a_map_leaves_the_backbone_and_random_state_as_they_were(bench: Workbench) -> None:
    """No bit, no hook, no mode and no draw."""
    model = bench.backbone.graph.model
    before, state = fingerprint(model.state_dict()), torch.random.get_rng_state()
    compute_proxy_map(bench, seed=0)

    assert fingerprint(model.state_dict()) == before
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not model.training
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("n_examples", [1, 3])
def test_a_map_of_few_examples_says_what_it_can(n_examples: int) -> None:
    """There are no more batches than examples; texts are cut to their lengths."""
    computed = compute_proxy_map(Workbench(tiny_bert(), tiny_text_task()), 0, n_examples)

    assert computed.spread is not None
    assert computed.spread.n_batches == n_examples
    assert (computed.spread.between_batches["effective_rank"] is None) == (n_examples == 1)


def test_a_random_heads_logits_vary_by_about_one(bench: Workbench) -> None:
    """Whatever the features' scale; seeds draw different ones."""
    features = bench.train.states.features[bench.pooling]
    logits = random_head_of(bench, 0).logits(features)

    assert logits.mean(0).abs().max() < 1e-4
    assert 0.1 < logits.std() < 10
    assert not torch.equal(logits, random_head_of(bench, 1).logits(features))
