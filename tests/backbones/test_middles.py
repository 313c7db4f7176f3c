"""The state between two sub-layers, against what a block makes of it alone."""

from collections.abc import Mapping

import pytest
import torch
from torch import Tensor, nn

from placement_search.backbones.loading import Backbone
from tests.tiny_backbones import BACKBONES

POST_NORM: Mapping[str, tuple[str, str]] = {
    "bert": ("output.dense", "output.LayerNorm"),
    "roberta": ("output.dense", "output.LayerNorm"),
    "xlm-roberta": ("output.dense", "output.LayerNorm"),
    "camembert": ("output.dense", "output.LayerNorm"),
    "electra": ("output.dense", "output.LayerNorm"),
    "deberta-v2": ("output.dense", "output.LayerNorm"),
    "distilbert": ("ffn.lin2", "output_layer_norm"),
    "hubert": ("feed_forward.output_dense", "final_layer_norm"),
    "wav2vec2": ("feed_forward.output_dense", "final_layer_norm"),
}
"""The last linear module of the second sub-layer, and the norm after the sum."""
PRE_NORM: Mapping[str, str] = {
    "vit": "mlp.fc2",
    "deit": "mlp.fc2",
    "dinov2": "mlp.fc2",
    "dinov2 with registers": "mlp.fc2",
    "beit": "mlp.fc2",
    "beit, first token": "mlp.fc2",
    "clip": "mlp.fc2",
    "modernbert": "mlp.Wo",
    "t5": "layer.1.DenseReluDense.wo",
    "gpt2": "mlp.c_proj",
    "llama": "mlp.down_proj",
    "mistral": "mlp.down_proj",
    "qwen2": "mlp.down_proj",
    "qwen3": "mlp.down_proj",
    "gpt_neox, in sequence": "mlp.dense_4h_to_h",
    "hubert, stable": "feed_forward.output_dense",
    "wav2vec2, stable": "feed_forward.output_dense",
}
"""The last linear module of the second sub-layer."""
UNTRIED = {"embedded", "deberta-v2, convolution", "gpt_neox", "phi"}
"""A copy of another, one with a convolution behind its first block, and the fused ones."""


class Adding:
    """A visitor that adds a tensor at one node and keeps every state."""

    def __init__(self, node: int, added: Tensor | None) -> None:
        self.node, self.added = node, added
        self.states: dict[int, Tensor] = {}

    def addition(self, node: int, _state: Tensor) -> Tensor | None:
        """The tensor, at its node."""
        return self.added if node == self.node else None

    def passed(self, node: int, state: Tensor) -> None:
        """Keep the state."""
        self.states[node] = state


def states(backbone: Backbone, node: int, added: Tensor | None = None) -> dict[int, Tensor]:
    """States at every node, with ``added`` at one."""
    visitor = Adding(node, added)
    with torch.no_grad(), backbone.graph.visited(visitor, range(backbone.n_nodes)):
        backbone.graph.run(backbone.made_up_inputs(3, seed=0))
    return visitor.states


def silence(block: nn.Module, path: str) -> None:
    """Let a linear module give zeros."""
    for parameter in block.get_submodule(path).parameters():
        nn.init.zeros_(parameter)


def test_every_backbone_is_tried() -> None:
    """None is forgotten as the table grows."""
    assert PRE_NORM.keys() | POST_NORM.keys() | UNTRIED == BACKBONES.keys()


@pytest.mark.parametrize("block", range(3))
@pytest.mark.parametrize("name", PRE_NORM)
def test_a_pre_norm_block_without_its_second_half_gives_its_middle(name: str, block: int) -> None:
    """Also with an addition there, which flows on as it is.

    The tolerance is that of a float32 sum in another order.
    """
    backbone = BACKBONES[name]()
    silence(backbone.graph.blocks[block], PRE_NORM[name])
    middle = 2 * block + 1
    bare = states(backbone, middle)
    added = torch.randn(bare[middle].shape, generator=torch.Generator().manual_seed(1))
    changed = states(backbone, middle, added)

    assert not torch.allclose(bare[middle], bare[middle - 1], atol=1e-3)
    torch.testing.assert_close(bare[middle + 1], bare[middle], rtol=0, atol=0)
    torch.testing.assert_close(changed[middle], bare[middle] + added, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(changed[middle + 1], changed[middle], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("block", range(3))
@pytest.mark.parametrize("name", POST_NORM)
def test_a_post_norm_block_without_its_second_half_norms_its_middle(name: str, block: int) -> None:
    """Also with an addition there."""
    backbone = BACKBONES[name]()
    linear, norm = POST_NORM[name]
    silence(backbone.graph.blocks[block], linear)
    last_norm = backbone.graph.blocks[block].get_submodule(norm)
    nn.init.constant_(last_norm.get_parameter("weight"), 3.0)
    middle = 2 * block + 1
    bare = states(backbone, middle)
    added = torch.randn(bare[middle].shape, generator=torch.Generator().manual_seed(1))
    changed = states(backbone, middle, added)

    torch.testing.assert_close(bare[middle + 1], last_norm(bare[middle]), rtol=0, atol=0)
    torch.testing.assert_close(changed[middle], bare[middle] + added, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(changed[middle + 1], last_norm(changed[middle]), rtol=0, atol=0)


def test_the_second_half_reads_the_addition() -> None:
    """In BEiT, where only a norm's input carries the state, as in a block of its twin by hand."""
    backbone = BACKBONES["beit"]()
    block = backbone.graph.blocks[1]
    bare = states(backbone, 3)
    added = torch.randn(bare[3].shape, generator=torch.Generator().manual_seed(1))

    changed = states(backbone, 3, added)

    with torch.no_grad():
        middle = bare[3] + added
        norm, mlp = block.get_submodule("layernorm_after"), block.get_submodule("mlp")
        by_hand = middle + block.get_parameter("lambda_2") * mlp(norm(middle))
    torch.testing.assert_close(changed[4], by_hand, rtol=1e-5, atol=1e-5)
