"""What a connection means, against a residual stream written out by hand."""

import pytest
import torch
from torch import Tensor, nn
from transformers import ViTConfig, ViTModel

from placement_search.adapted.model import AdaptedBackbone, needed_nodes, start_node
from placement_search.adapted.states import bare_states
from placement_search.backbones.loading import as_backbone, load_backbone
from placement_search.modules import parse_layout
from tests.tiny_backbones import BACKBONES

GRAPH = load_backbone().graph
"""Of 25 nodes."""


def by_hand(model: ViTModel, adapters: dict[str, nn.Module], pixels: Tensor) -> Tensor:
    """The second pass of ``1>1 + 0>1 + 0>3 + 4>2``, block by block, without any hook."""
    first: list[Tensor] = []
    hidden = model.embeddings(pixels)
    first.append(hidden)
    for block in model.layers:
        hidden = hidden + block.attention(block.layernorm_before(hidden))[0]
        first.append(hidden)
        hidden = hidden + block.mlp(block.layernorm_after(hidden))
        first.append(hidden)
    hidden = start = model.embeddings(pixels)
    for index, block in enumerate(model.layers):
        hidden = hidden + block.attention(block.layernorm_before(hidden))[0]
        if index == 0:
            hidden = hidden + adapters["1>1"](hidden) + adapters["0>1"](start)
        if index == 1:
            hidden = hidden + adapters["0>3"](start)
        hidden = hidden + block.mlp(block.layernorm_after(hidden))
        if index == 0:
            hidden = hidden + adapters["4>2"](first[4])
    normed: Tensor = model.layernorm(hidden)
    return normed


def test_a_layout_is_the_formula_of_its_connections() -> None:
    """Sequential reads before additions, the others after; all at one node are summed.

    The tolerance is that of float32 sums in another order.
    """
    torch.manual_seed(0)
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        image_size=8, patch_size=4, num_channels=1, initializer_range=0.2,
    )  # fmt: skip
    vit = ViTModel(config, add_pooling_layer=False)
    backbone = as_backbone(vit, "tiny")
    layout = parse_layout("1>1:bottleneck+0>1:bottleneck+0>3:bottleneck+4>2:bottleneck")
    model = AdaptedBackbone(backbone, layout, 2)
    for parameter in model.adapters.parameters():
        nn.init.normal_(parameter, std=0.3)
    named = {
        f"{c.source}>{c.target}": module
        for c, module in zip(layout.connections, model.adapters, strict=True)
    }
    pixels = torch.randn(3, 1, 8, 8)

    hidden = model.hidden_states({"pixel_values": pixels})

    torch.testing.assert_close(hidden, by_hand(vit, named, pixels), rtol=1e-5, atol=1e-5)


def test_a_pass_starts_at_its_lowest_target() -> None:
    """Below the lowest target nothing runs, and sources down there come from the cache."""
    layout = parse_layout("2>7:bottleneck+9>12:bottleneck")

    assert start_node(layout, GRAPH) == 7
    assert needed_nodes(layout, GRAPH) == {2, 7}


def test_a_frozen_first_pass_is_read_from_the_cache() -> None:
    """A recurrent source above the start is cached with a frozen first pass, and live otherwise."""
    frozen = parse_layout("20>5:bottleneck+8>9:bottleneck")
    carried = parse_layout("20>5:bottleneck+8>9:bottleneck|first_pass=adapted")

    assert needed_nodes(frozen, GRAPH) == {5, 20}
    assert needed_nodes(carried, GRAPH) == {5, 8, 9}


def test_the_head_alone_runs_no_block() -> None:
    """A layout without connections starts at the last node."""
    assert start_node(parse_layout("none"), GRAPH) == 24


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("bert", "intermediate.dense"),
        ("distilbert", "ffn.lin1"),
        ("hubert", "feed_forward.intermediate_dense"),
    ],
)
@torch.no_grad()
def test_a_state_is_what_flows_on_behind_a_norm_that_is_scaled(name: str, reader: str) -> None:
    """``h' + A(h')`` with the scaled norm's ``h'``, where it makes the state, too."""
    backbone = BACKBONES[name]()
    model = AdaptedBackbone(backbone, parse_layout("2>3:hadamard+3>3:bottleneck(rank=2)"), 2)
    (_, scale), (_, adapter) = model.wired
    scale.get_parameter("factors.1").fill_(3.0)
    for parameter in adapter.parameters():
        nn.init.normal_(parameter, std=0.3)
    inputs, read = backbone.made_up_inputs(2, seed=0), list[Tensor]()
    state = 3.0 * bare_states(backbone, inputs, [3])[3]
    block = backbone.graph.blocks[1].get_submodule(reader)
    handle = block.register_forward_pre_hook(lambda _, given: read.append(given[0]))
    model.eval().hidden_states(inputs)
    handle.remove()

    torch.testing.assert_close(read[0], state + adapter(state))
