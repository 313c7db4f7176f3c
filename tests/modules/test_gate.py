"""The gate of a state module: a mean over real tokens."""

import torch
from torch import Tensor, nn

from placement_search.modules.bottleneck import TYPE, Bottleneck
from placement_search.modules.gate import GatedState
from placement_search.places import Place

WIDTH = 16


def made(*, is_causal: bool = False) -> GatedState:
    """A gated bottleneck with random weights in every parameter."""
    module = GatedState(Bottleneck(TYPE.complete({}), Place(WIDTH)), WIDTH, is_causal=is_causal)
    generator = torch.Generator().manual_seed(1)
    for parameter in module.parameters():
        nn.init.normal_(parameter, generator=generator)
    return module


def states(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def test_a_gate_is_the_mean_over_tokens() -> None:
    """``g`` = mean of ``sigmoid(w·h + b)``, one for each example."""
    module, given = made(), states(3, 7, WIDTH)
    opened = torch.sigmoid(given @ module.gate.weight.T + module.gate.bias)

    torch.testing.assert_close(module.strength(given), opened.mean(1, keepdim=True))
    torch.testing.assert_close(module(given), opened.mean(1, keepdim=True) * module.inner(given))


def test_padding_does_not_open_or_close_a_gate() -> None:
    """Padded tokens change nothing of what is added to real ones, whatever they hold."""
    gate, given = made(), states(3, 7, WIDTH)
    mask = torch.arange(7) < torch.tensor([[7], [4], [1]])
    strange = torch.where(mask.unsqueeze(-1), given, 1e3)

    assert torch.equal(gate.strength(given, mask), gate.strength(strange, mask))
    torch.testing.assert_close(gate.strength(given, mask)[1], gate.strength(given[1:2, :4])[0])


def test_a_causal_gate_sees_no_later_token() -> None:
    """A decoder's gate may not tell a token what follows; its last token has seen all."""
    module, given = made(is_causal=True), states(2, 7, WIDTH)
    other = torch.cat([given[:, :4], given[:, 4:] + 1], 1)

    torch.testing.assert_close(module(other)[:, :4], module(given)[:, :4])
    torch.testing.assert_close(module.strength(given)[:, -1], made().strength(given)[:, 0])
