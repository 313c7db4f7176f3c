"""Descriptions are tried before use, and what does not fit names the key at fault."""

from typing import Any

import pytest
import torch

from placement_search.backbones.families import Family, Holds, Pooling, Returns
from placement_search.backbones.fingerprint import fingerprint
from placement_search.backbones.loading import as_backbone
from placement_search.errors import BackboneError
from placement_search.input_format import TextFormat
from tests.backbones.outsiders import Own, tiny_opt
from tests.tiny_backbones import BACKBONES, tiny_bert

FORM = TextFormat(None, vocabulary=50, max_tokens=16)
OPT: dict[str, Any] = {
    "blocks": "decoder.layers",
    "middle": "self_attn",
    "holds": Holds.UPDATE,
    "inputs": "input_ids",
    "is_causal": True,
}
BERT: dict[str, Any] = OPT | {
    "blocks": "encoder.layer", "middle": "attention", "holds": Holds.STATE, "is_causal": False
}  # fmt: skip


@pytest.mark.parametrize("name", BACKBONES)
def test_every_family_of_the_table_passes_as_a_description(name: str) -> None:
    """So the trial refuses none that is right, and each line of the table is tried by it."""
    known = BACKBONES[name]()
    described = as_backbone(known.graph.model, name, family=known.graph.family)

    assert described.width == known.width
    assert described.facts.fingerprint != known.facts.fingerprint


@pytest.mark.parametrize("name", ["vit", "bert", "beit", "t5", "gpt_neox", "wav2vec2"])
def test_half_precision_passes_too(name: str) -> None:
    """Rounding is no misfit."""
    known = BACKBONES[name]()
    known.graph.model.bfloat16()

    assert as_backbone(known.graph.model, name, family=known.graph.family).width == known.width


def test_a_module_of_ones_own_is_a_backbone() -> None:
    """Without any configuration, if it says where its states are and what it reads."""
    family = Family("blocks", "norm", Holds.STATE)

    backbone = as_backbone(Own(), "own", family=family, input_format=FORM)

    assert (backbone.n_nodes, backbone.width, backbone.facts.model_type) == (5, 8, "Own")
    assert backbone.poolings == (Pooling.MEAN,)


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"blocks": "decoder.layer"}, "no module 'decoder.layer'.* as blocks"),
        ({"middle": "attention"}, "no module 'attention'.* as middle; it holds self_attn"),
        ({"norm": "decoder.norm"}, "no module 'decoder.norm'.* as norm"),
        ({"entry": "encoder"}, "no module 'encoder'.* as entry"),
        ({"holds": Holds.STATE}, "holds: .*'self_attn'; try update"),
        ({"middle": "self_attn_layer_norm"}, "middle or holds: .*does not carry the state"),
        ({"middle": "self_attn_layer_norm", "holds": Holds.INPUT}, "middle: .*before the first"),
        ({"middle": "fc1"}, "middle or holds: states can't be added to"),
        ({"returns": Returns.PAIR}, "returns: passes can't start"),
        ({"norm": "decoder.embed_tokens"}, "inputs or options: the model does not run"),
        ({"inputs": "pixel_values"}, "says no image_size"),
        ({"loads": "OPTForCausalLM"}, "OPTForCausalLM is the backbone, got OPTModel"),
        ({"is_causal": False}, "is_causal: tokens see none of those after them; say true"),
    ],
)
def test_a_wrong_key_of_a_pre_norm_family_is_named(change: dict[str, Any], key: str) -> None:
    """OPT is described with one mistake after another."""
    with pytest.raises(BackboneError, match=key):
        as_backbone(tiny_opt(), "opt", family=Family(**(OPT | change)))


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"holds": Holds.UPDATE}, "holds: .*'attention'; try state"),
        ({"middle": "intermediate", "holds": Holds.INPUT}, "middle or holds"),
        ({"middle": "output"}, "middle: .*behind the last"),
        ({"is_causal": True}, "is_causal: true is said, .* see those after them; say false"),
    ],
)
def test_a_wrong_key_of_a_post_norm_family_is_named(change: dict[str, Any], key: str) -> None:
    """BERT is described with one mistake after another."""
    with pytest.raises(BackboneError, match=key):
        as_backbone(tiny_bert().graph.model, "bert", family=Family(**(BERT | change)))


def test_blocks_that_run_in_another_order_are_refused() -> None:
    """A list that the model walks backwards is no stream in the list's order."""

    class Backwards(Own):
        def forward(self, input_ids: Any, attention_mask: Any = None) -> Any:
            del attention_mask
            state = self.embed(input_ids)
            for block in reversed(self.blocks):
                state = block(state)
            return state

    with pytest.raises(BackboneError, match=r"blocks: .*ran in order \[1, 0\]"):
        as_backbone(
            Backwards(), "x", family=Family("blocks", "norm", Holds.STATE), input_format=FORM
        )


@pytest.mark.parametrize("is_causal", [False, True])
def test_tokens_that_see_no_others_may_be_called_either(is_causal: bool) -> None:
    """Nothing in the model tells which it is."""
    model = Own()
    for name, weight in model.named_parameters():
        if name.endswith("mix.weight"):
            torch.nn.init.zeros_(weight)
    family = Family("blocks", "norm", Holds.STATE, is_causal=is_causal)

    assert as_backbone(model, "own", family=family, input_format=FORM).n_nodes == 5


def test_a_stream_that_ends_before_the_output_is_refused() -> None:
    """An addition has to reach the final states."""

    class Deaf(Own):
        def forward(self, input_ids: Any, attention_mask: Any = None) -> Any:
            return super().forward(input_ids, attention_mask).detach() + self.embed(input_ids)

    with pytest.raises(BackboneError, match=r"at node 0 .*changes nothing"):
        as_backbone(Deaf(), "x", family=Family("blocks", "norm", Holds.STATE), input_format=FORM)


def test_the_trial_leaves_no_trace() -> None:
    """Neither hooks nor gradients nor other weights, also where it fails."""
    model = tiny_opt()
    before = fingerprint(model.state_dict())

    as_backbone(model, "opt", family=Family(**OPT))
    with pytest.raises(BackboneError):
        as_backbone(model, "opt", family=Family(**(OPT | {"holds": Holds.STATE})))

    hooks = sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())
    assert hooks == 0
    assert not any("forward" in vars(module) for module in model.modules())
    assert fingerprint(model.state_dict()) == before
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.is_grad_enabled()


def test_a_model_without_configuration_says_what_it_reads() -> None:
    """The error says how."""
    with pytest.raises(BackboneError, match="as_backbone takes an input_format"):
        as_backbone(Own(), "own", family=Family("blocks", "norm", Holds.STATE))


def test_weights_wider_than_adapters_are_refused() -> None:
    """The cure is named, and the model stays as it was."""
    model = tiny_bert().graph.model.double()

    with pytest.raises(BackboneError, match=r"mine has float64: call model.float\(\) first"):
        as_backbone(model, "mine")
