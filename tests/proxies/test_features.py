"""Feature norms of sub-layers, and the proxy that they give."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from placement_search.backbones.loading import Backbone, fingerprint
from placement_search.proxies import FEATURE_PROXIES, FeatureProxy
from placement_search.proxies.feature_norm import feature_norm
from placement_search.proxies.features import feature_norms
from tests.tiny_backbones import BACKBONES, tiny_bert, tiny_vit

NORMS = torch.tensor([0.5, 2.0, 1.0, 4.0], dtype=torch.float64)
LAST_MAP = "layers.2.mlp.fc2"
"""Of the tiny vision backbone; it gives what the last sub-layer adds."""


@pytest.fixture(params=FEATURE_PROXIES)
def proxy(request: pytest.FixtureRequest) -> FeatureProxy:
    """Each proxy in turn."""
    return FEATURE_PROXIES[request.param]


def norms_of(backbone: Backbone) -> Tensor:
    return feature_norms(backbone, backbone.made_up_inputs(4, seed=1))


def hooks(backbone: Backbone) -> int:
    modules = backbone.graph.model.modules()
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in modules)


@pytest.mark.parametrize("name", ["vit", "bert", "t5", "gpt_neox", "hubert", "llama", "modernbert"])
def test_every_sub_layer_has_a_norm(name: str) -> None:
    """In every way of wiring a block; one for each step from node to node."""
    backbone = BACKBONES[name]()
    norms = norms_of(backbone)

    assert norms.shape == (backbone.n_nodes - 1,)
    assert torch.isfinite(norms).all()
    assert (norms > 0).all()


@pytest.mark.parametrize("make", [tiny_vit, tiny_bert])
def test_the_backbone_is_left_as_it_was(make: Callable[[], Backbone]) -> None:
    """Same weights, mode and random state, no hook, and the same norms again."""
    backbone = make()
    before, state = fingerprint(backbone.graph.model.state_dict()), torch.random.get_rng_state()
    first, second = norms_of(backbone), norms_of(backbone)

    assert torch.equal(first, second)
    assert fingerprint(backbone.graph.model.state_dict()) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert hooks(backbone) == 0
    assert not backbone.graph.model.training


def test_a_sub_layers_scale_does_not_matter() -> None:
    """Doubling what a pre-norm sub-layer adds doubles both of its norms."""
    backbone = tiny_vit()
    before = norms_of(backbone)
    weights = backbone.graph.model.state_dict()
    with torch.no_grad():
        for name in ("weight", "bias"):
            weights[f"{LAST_MAP}.{name}"].mul_(2)

    # The last sub-layer, so that all others read what they read before. Float32.
    torch.testing.assert_close(norms_of(backbone), before, rtol=1e-4, atol=0)


def test_padding_does_not_count() -> None:
    """Norms are means over real tokens: longer padding changes nothing but what random draws."""
    backbone = tiny_bert()
    made = backbone.made_up_inputs(3, seed=1)
    made["attention_mask"][:, 10:] = 0
    other = {name: tensor.clone() for name, tensor in made.items()}
    other["input_ids"][:, 10:] = 7

    # Random states of padded tokens get other norms, which masked attention multiplies by zero.
    torch.testing.assert_close(
        feature_norms(backbone, made), feature_norms(backbone, other), rtol=1e-5, atol=0
    )


def test_a_score_is_finite_and_positive_for_every_connection(proxy: FeatureProxy) -> None:
    """One number for each source and target."""
    scores = proxy(NORMS)

    assert scores.shape == (5, 5)
    assert torch.isfinite(scores).all()
    assert (scores > 0).all()


def test_a_score_is_its_formula() -> None:
    """A parallel connection has its own sub-layer's; the ends of the stream have one side alone."""
    scores = feature_norm(NORMS)

    # A logarithm, a mean and an exponential of float64.
    assert scores.diagonal(1).tolist() == pytest.approx((1 / NORMS).tolist(), rel=1e-12)
    assert scores[0, 4].item() == pytest.approx((0.5 * 4) ** -0.5, rel=1e-12)
    assert scores[2, 0].item() == pytest.approx(1, rel=1e-12)
    assert scores[4, 1].item() == pytest.approx(2, rel=1e-12)
    assert scores[4, 0].item() == pytest.approx(4**-0.25, rel=1e-12)


def test_the_least_aligned_sub_layer_is_the_best_place() -> None:
    """Low norms come first, as in the paper."""
    scores = feature_norm(NORMS)

    # Equal to itself but for the rounding of an exponential.
    assert scores[0, 1].item() == pytest.approx(scores.max().item(), rel=1e-12)
