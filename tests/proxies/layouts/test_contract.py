"""What every proxy of a layout promises, over the whole table."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from placement_search.backbones.loading import Backbone, fingerprint
from placement_search.layout import Layout
from placement_search.modules import parse_layout
from placement_search.proxies.factors import FactorStream
from placement_search.proxies.layouts import LAYOUT_PROXIES, LayoutProxy
from placement_search.proxies.layouts.change_diversity import RIDGE
from placement_search.proxies.layouts.write import WRITE, write_layout
from tests.tiny_backbones import tiny_bert, tiny_vit

ALL_KINDS = "2>2:bottleneck(rank=2)+1>2:bottleneck(rank=2)+0>5:bottleneck+6>1:bottleneck(rank=4)"
LABELS = torch.tensor([0, 1, 2, 1, 0, 2])


@pytest.fixture(params=LAYOUT_PROXIES)
def proxy(request: pytest.FixtureRequest) -> LayoutProxy:
    """Each proxy in turn."""
    return LAYOUT_PROXIES[request.param]


@pytest.fixture(scope="module", params=[tiny_vit, tiny_bert])
def backbone(request: pytest.FixtureRequest) -> Backbone:
    """A pre-norm and a post-norm backbone."""
    make: Callable[[], Backbone] = request.param
    return make()


def stream_of(backbone: Backbone, batch_size: int = 4) -> FactorStream:
    """Six examples, with a head that is not zero."""
    inputs = backbone.made_up_inputs(6, seed=1)
    if "attention_mask" in inputs:
        lengths = torch.tensor([16, 9, 4, 12, 16, 5])
        inputs["attention_mask"] = (torch.arange(16) < lengths[:, None]).long()
    weight = torch.randn((3, backbone.width), generator=torch.Generator().manual_seed(2))

    def loss(features: Tensor, indices: Tensor) -> Tensor:
        return functional.cross_entropy(features @ weight.T, LABELS[indices], reduction="sum")

    return FactorStream(backbone, loss, backbone.poolings[0], inputs, batch_size)


def hooks(model: nn.Module) -> int:
    """Hooks and replaced forwards anywhere in a model."""
    return sum(
        len(m._forward_hooks) + len(m._forward_pre_hooks) + ("forward" in vars(m))
        for m in model.modules()
    )


@pytest.mark.parametrize(
    "notation", [ALL_KINDS, f"{ALL_KINDS}|first_pass=adapted", "3>3:bottleneck"]
)
def test_a_score_is_finite_positive_and_the_same_again(
    notation: str, proxy: LayoutProxy, backbone: Backbone
) -> None:
    """For all kinds of connections, both first passes; nothing is drawn anew."""
    layout = parse_layout(notation)
    first, second = (proxy(write_layout(stream_of(backbone), layout, 3)) for _ in range(2))

    assert 0 < first < float("inf")
    assert first == second


def test_no_connections_score_zero(proxy: LayoutProxy, backbone: Backbone) -> None:
    """The bare backbone changes nothing and has nothing to train."""
    assert proxy(write_layout(stream_of(backbone), Layout(), 0)) == 0


def test_the_backbone_is_left_as_it_was(proxy: LayoutProxy, backbone: Backbone) -> None:
    """Same weights, mode and random state; no hook, and no gradient anywhere."""
    model = backbone.graph.model
    before, state = fingerprint(model.state_dict()), torch.random.get_rng_state()
    proxy(write_layout(stream_of(backbone), parse_layout(ALL_KINDS), 0))

    assert fingerprint(model.state_dict()) == before
    assert torch.equal(torch.random.get_rng_state(), state)
    assert hooks(model) == 0
    assert not model.training
    assert all(parameter.grad is None for parameter in model.parameters())


def test_splitting_into_batches_changes_nothing(proxy: LayoutProxy, backbone: Backbone) -> None:
    """A score belongs to all examples together."""
    layout = parse_layout(ALL_KINDS)
    scores = [proxy(write_layout(stream_of(backbone, size), layout, 0)) for size in (1, 6)]

    # Float32 sums in another order; changes are differences of features.
    assert scores[0] == pytest.approx(scores[1], rel=1e-3)


def test_what_starts_at_zero_is_drawn_small(backbone: Backbone) -> None:
    """The write, and nothing else: the other half keeps its initial values."""
    layout = parse_layout("1>4:bottleneck(rank=8)")
    fresh = write_layout(stream_of(backbone), Layout(), 0)
    (adapter,) = write_layout(stream_of(backbone), layout, 0).model.adapters
    (other,) = write_layout(stream_of(backbone), layout, 1).model.adapters
    up = adapter.get_parameter("up.weight")

    assert not list(fresh.model.adapters.parameters())
    # 128 normal numbers: their deviation is within a quarter of the true one.
    assert up.std().item() == pytest.approx(WRITE, rel=0.25)
    assert not adapter.get_parameter("norm.bias").any()
    assert not torch.equal(up, other.get_parameter("up.weight"))


def test_factors_that_start_at_one_are_drawn_around_it(backbone: Backbone) -> None:
    """Shifts alone would change all examples alike."""
    layout = parse_layout("2>3:hadamard(norm=false)")
    (adapter,) = write_layout(stream_of(backbone), layout, 0).model.adapters
    factors = adapter.get_parameter("factors.0")

    # As many normal numbers as the backbone is wide, 16 at least: five deviations off are no luck.
    assert factors.mean().item() == pytest.approx(1, abs=5 * WRITE / len(factors) ** 0.5)
    assert factors.std().item() == pytest.approx(WRITE, rel=0.6)


def test_the_written_gradient_is_that_of_training(backbone: Backbone) -> None:
    """Against one plain backward pass through the attached layout."""
    stream = stream_of(backbone, batch_size=6)
    written = write_layout(stream, parse_layout(ALL_KINDS), 0)
    ((features, indices),) = written.features()
    (stream.loss(features, indices) / 6).backward()
    squares = [
        p.grad.square().sum() for p in written.model.adapters.parameters() if p.grad is not None
    ]
    expected = torch.stack(squares).sum().sqrt().item()

    # Float32.
    assert LAYOUT_PROXIES["written_gradient"](written) == pytest.approx(expected, rel=1e-5)


def test_alike_changes_have_no_diversity(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ends: one direction for all examples, and one for each."""
    written = write_layout(stream_of(backbone), parse_layout("1>4:bottleneck"), 0)
    kind = type(written)
    diversity = LAYOUT_PROXIES["change_diversity"]
    monkeypatch.setattr(kind, "changes", lambda _: torch.ones(6, 8).double())
    alike = diversity(written)
    monkeypatch.setattr(kind, "changes", lambda _: torch.eye(6).double())

    # Determinants of 6 x 6 matrices in float64.
    assert alike == pytest.approx(((6 + RIDGE) * RIDGE**5) ** (1 / 6), rel=1e-6)
    assert diversity(written) == pytest.approx(1 + RIDGE, rel=1e-9)
