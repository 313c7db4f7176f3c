"""Folding: the bare model with other weights gives what the adapted one gives."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional

from placement_search.adapted.fold import folded_state
from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.loading import Backbone, as_backbone, fingerprint
from placement_search.errors import LayoutError
from placement_search.modules import parse_layout
from tests.tiny_backbones import BACKBONES

# Hadamard's shift needs biases, which the maps of the last two lack.
CASES = [
    *((name, "hadamard") for name in ("bert", "vit", "gpt2", "distilbert")),
    *((name, "lora(rank=2)") for name in ("bert", "gpt2", "llama", "phi")),
    *((name, "arc_inside(rank=3)") for name in ("bert", "vit", "gpt2", "deberta-v2")),
    ("bert", "both"),
    ("bert", "all"),
    *((name, "lora(kept=0.4,mask=random,rank=2)") for name in ("bert", "gpt2")),
]


def around_attention(backbone: Backbone, module: str) -> str:
    step = backbone.graph.family.sublayers
    both = ["hadamard", "lora(rank=2)"]
    # LoRA on a map to queries reads what the projection before it made.
    modules = {"both": both, "all": [*both, "arc_inside(rank=3)"]}.get(module, [module])
    return "+".join(
        f"{node}>{node + 1}:{each}"
        for node in range(0, backbone.n_nodes - 1, step)
        for each in modules
    )


def trained(name: str, module: str) -> AdaptedBackbone:
    """Around the attention of each block, moved in every parameter."""
    backbone = BACKBONES[name]()
    model = AdaptedBackbone(backbone, parse_layout(around_attention(backbone, module)), 2)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.adapters.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
        nn.init.normal_(model.head.weight, generator=generator)
    return model


@pytest.mark.parametrize(("name", "module"), CASES)
def test_the_folded_bare_model_gives_the_adapted_logits(name: str, module: str) -> None:
    """To the tolerance of float32, and the backbone itself stays as it was."""
    model = trained(name, module)
    graph = model.backbone.graph
    before = fingerprint(graph.model.state_dict())
    folded = copy.deepcopy(graph.model)
    folded.load_state_dict(folded_state(model))
    bare = AdaptedBackbone(as_backbone(folded, "folded"), parse_layout("none"), 2)
    bare.head = model.head
    inputs = model.backbone.made_up_inputs(4, seed=0)

    assert not torch.allclose(graph.run(inputs), bare.hidden_states(inputs), atol=1e-2)
    torch.testing.assert_close(bare(inputs), model(inputs), rtol=1e-4, atol=1e-4)
    assert fingerprint(graph.model.state_dict()) == before


@pytest.mark.parametrize(
    ("name", "notation", "reason"),
    [
        (
            "bert",
            "0>1:hadamard+1>2:adapter_bias",
            "1>2:adapter_bias can't be folded: no weights of",
        ),
        ("bert", "0>1:hadamard+2>2:bottleneck", "2>2:bottleneck.*adds to a state"),
        ("bert", "1>2:adapter_bias(kept=0.5,mask=random)", "can't be folded: no weights of"),
        ("llama", "0>1:hadamard", "layers.0.self_attn.o_proj has no bias to take its shift"),
        ("llama", "0>1:arc_inside", "layers.0.self_attn.q_proj has no bias to take its shift"),
    ],
)
def test_what_can_not_be_folded_is_named(name: str, notation: str, reason: str) -> None:
    """The first such connection, with the reason."""
    model = AdaptedBackbone(BACKBONES[name](), parse_layout(notation), 2)

    with pytest.raises(LayoutError, match=reason):
        folded_state(model)


def test_a_norm_that_uses_its_weight_otherwise_is_refused() -> None:
    """One whose factor is one plus its weight, say, is not scaled by scaling the weight."""

    class OffsetNorm(nn.LayerNorm):
        def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - its own name
            return functional.layer_norm(input, (16,), 1 + self.weight, self.bias)

    backbone = BACKBONES["bert"]()
    backbone.graph.blocks[0].attention.output.LayerNorm = OffsetNorm(16)  # type: ignore[union-attr]
    model = AdaptedBackbone(backbone, parse_layout("0>1:hadamard"), 2)
    nn.init.constant_(model.get_parameter("adapters.0.factors.1"), 2.0)

    with pytest.raises(LayoutError, match="LayerNorm does not use its weights as such modules do"):
        folded_state(model)
