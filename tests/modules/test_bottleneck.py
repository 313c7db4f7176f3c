import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from placement_search.modules.bottleneck import ACTIVATIONS, TYPE, Bottleneck
from placement_search.places import Place

WIDTH = 6


def made(**given: bool | float | str) -> Bottleneck:
    """A bottleneck of rank 3 with random weights in every parameter."""
    module = Bottleneck(TYPE.complete({"rank": 3, **given}), Place(WIDTH))
    generator = torch.Generator().manual_seed(0)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module


def states() -> Tensor:
    return torch.randn((2, 5, WIDTH), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_adds_what_the_formula_says(activation: str) -> None:
    """``s · U(act(D(norm(h))))``, with a fixed ``s``."""
    module = made(activation=activation, scale=0.5)
    norm, act = module.norm, ACTIVATIONS[activation]()
    act.load_state_dict(module.activation.state_dict())
    assert isinstance(norm, nn.LayerNorm)
    normed = functional.layer_norm(states(), (WIDTH,), norm.weight, norm.bias)
    inner = act(normed @ module.down.weight.T + module.down.bias)
    expected = 0.5 * (inner @ module.up.weight.T + module.up.bias)

    torch.testing.assert_close(module(states()), expected)


def test_without_its_norm_it_reads_the_state_itself() -> None:
    """With a linear activation twice the state then gives twice the addition."""
    module = made(norm=False, activation="identity")
    nn.init.zeros_(module.down.bias)
    nn.init.zeros_(module.up.bias)

    torch.testing.assert_close(module(2 * states()), 2 * module(states()))


def test_with_its_norm_the_size_of_a_state_does_not_matter() -> None:
    """Layers whose states differ in size get adapters of one strength."""
    # LayerNorm's 1e-5 under the root is 1e-5 of a unit variance, and a hundredth of that here.
    torch.testing.assert_close(made()(100 * states()), made()(10 * states()), rtol=1e-4, atol=1e-4)


def test_a_fixed_scale_is_no_parameter() -> None:
    """It stands in the layout, so weights do not repeat it."""
    module = made(scale=0.5)

    assert "scale" not in dict(module.named_parameters())
    assert "scale" not in module.state_dict()


def test_a_scale_per_channel_is_learned_from_its_start() -> None:
    """One factor per channel, all of them the setting's value before training."""
    module = Bottleneck(TYPE.complete({"scale": 0.25, "scale_per_channel": True}), Place(WIDTH))

    assert isinstance(module.scale, nn.Parameter)
    assert torch.equal(module.scale.data, torch.full((WIDTH,), 0.25))


@pytest.mark.parametrize(
    ("given", "n_parameters"),
    [
        ({"rank": 8}, 1224),
        ({"rank": 8, "norm": False}, 1096),
        ({"rank": 8, "scale_per_channel": True}, 1288),
        ({"rank": 1, "norm": False}, 193),
        ({"rank": 8, "activation": "rational"}, 1234),
    ],
)
def test_parameters_are_counted_as_on_paper(
    given: dict[str, bool | float | str], n_parameters: int
) -> None:
    """Width 64: 2·64·r for the maps, r + 64 for their biases, 2·64 for the norm, 64 for scales."""
    assert TYPE.count(TYPE.complete(given), Place(64)) == n_parameters
