"""A layout in the backbone's own model, as code of the user's calls it."""

import pytest
import torch
from torch import Tensor, nn

from placement_search.adapted.model import AdaptedBackbone
from placement_search.modules import parse_layout
from tests.tiny_backbones import BACKBONES

N_REAL = 9
"""Tokens of the first text; the others are padding."""


def trained(name: str, notation: str) -> AdaptedBackbone:
    """A layout with random weights."""
    model = AdaptedBackbone(BACKBONES[name](), parse_layout(notation), 2).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.adapters.parameters():
        nn.init.normal_(parameter, std=0.5, generator=generator)
    return model


def texts(model: AdaptedBackbone) -> dict[str, Tensor]:
    """Two, the first of which ends early."""
    inputs = model.backbone.made_up_inputs(2, seed=0)
    inputs["attention_mask"][0, N_REAL:] = 0
    return inputs


@pytest.mark.parametrize("name", ["bert", "deberta-v2"])
@torch.no_grad()
def test_a_mask_by_position_is_a_mask_by_name(name: str) -> None:
    """A module that reads other tokens leaves padded ones out, however the model is called."""
    model = trained(name, "1>2:tiny_attention(width=4)")
    inputs = texts(model)
    wanted = model.hidden_states(inputs)
    with model.attached() as inner:
        by_position = inner(inputs["input_ids"], inputs["attention_mask"]).last_hidden_state
        by_name = inner(**inputs).last_hidden_state
        without = inner(inputs["input_ids"]).last_hidden_state

    assert torch.equal(by_position, wanted)
    assert torch.equal(by_name, wanted)
    assert not torch.allclose(without[0, :N_REAL], wanted[0, :N_REAL], atol=1e-3)


@torch.no_grad()
def test_what_is_added_to_padding_reaches_no_neighbour() -> None:
    """A convolution over the first state sees zeros there, as in every other pass."""
    model = trained("deberta-v2, convolution", "0>0:bottleneck(rank=2)")
    inputs = texts(model)
    wanted = model.hidden_states(inputs)
    with model.attached() as inner:
        within = inner(**inputs).last_hidden_state

    assert torch.equal(within[0, :N_REAL], wanted[0, :N_REAL])
