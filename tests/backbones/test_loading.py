"""Backbones from disk: whole, in float32, identified by all that they compute."""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

from placement_search.backbones.loading import EMBEDDED_FOLDER, as_backbone, load_backbone
from placement_search.backbones.settings import ModelSettings
from placement_search.errors import BackboneError
from tests.backbones.outsiders import Own
from tests.tiny_backbones import AUDIO, BACKBONES, tiny

CONFIGURATION = """
from transformers import PretrainedConfig

class Config(PretrainedConfig):
    model_type = "mine"
    hidden_size: int = 8
    vocab_size: int = 50
"""
MODELING = """
from transformers import PreTrainedModel
from tests.backbones.outsiders import Own
from .configuration_mine import Config

class Mine(PreTrainedModel):
    config_class = Config

    def __init__(self, config):
        super().__init__(config)
        self.own = Own()
        self.post_init()

    def forward(self, input_ids, attention_mask=None):
        return self.own(input_ids)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the embedded backbone, to change."""
    return Path(shutil.copytree(EMBEDDED_FOLDER, tmp_path / "model"))


def rewrite(folder: Path, change: dict[str, object]) -> None:
    """Change entries of the configuration."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))


def test_a_copy_is_the_same_backbone(folder: Path) -> None:
    """Where the files lie is no part of the fingerprint."""
    assert load_backbone(str(folder)).facts.fingerprint == load_backbone().facts.fingerprint


@pytest.mark.parametrize("change", [{"num_attention_heads": 2}, {"layer_norm_eps": 1e-3}])
def test_another_configuration_is_another_backbone(folder: Path, change: dict[str, object]) -> None:
    """The same weights under other settings compute something else."""
    rewrite(folder, change)

    assert load_backbone(str(folder)).facts.fingerprint != load_backbone().facts.fingerprint


@pytest.mark.parametrize(
    "change", [{"id2label": {"0": "cat"}}, {"output_attentions": True}, {"initializer_range": 0.5}]
)
def test_what_decides_no_state_is_no_part_of_the_fingerprint(
    folder: Path, change: dict[str, object]
) -> None:
    """The names of a head's classes, for one, which a base model does not have."""
    rewrite(folder, change)

    assert load_backbone(str(folder)).facts.fingerprint == load_backbone().facts.fingerprint


def test_another_image_format_is_another_backbone(folder: Path) -> None:
    """Images scaled otherwise give other states."""
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"image_mean": [0.1]}))

    assert load_backbone(str(folder)).facts.fingerprint != load_backbone().facts.fingerprint


def test_missing_weights_are_refused(folder: Path) -> None:
    """They would start at random values, differently each time; the error names them."""
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if ".3." not in name}
    save_file(kept, folder / "model.safetensors", {"format": "pt"})

    with pytest.raises(BackboneError, match=r"lacks \d+ of the model's weights.*\.3\."):
        load_backbone(str(folder))


def test_what_only_pre_training_reads_may_be_missing(tmp_path: Path) -> None:
    """Fine-tuned audio models lack the vector that stands in for masked frames."""
    BACKBONES["wav2vec2"]().graph.model.save_pretrained(tmp_path)  # type: ignore[operator]
    weights = load_file(tmp_path / "model.safetensors")
    del weights["masked_spec_embed"]
    save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    once, again = (load_backbone(str(tmp_path)).facts.fingerprint for _ in range(2))

    assert once == again


def test_a_truncated_file_is_refused(folder: Path) -> None:
    """The error names the folder and what is wrong."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(BackboneError, match="can't be loaded as a model"):
        load_backbone(str(folder))


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "embedded"])
def test_a_saved_backbone_is_the_same_from_its_folder(name: str, tmp_path: Path) -> None:
    """Of every family: facts but for the name, and what it computes.

    The tolerance is that of float32 over weights that lie in memory otherwise.
    """
    made = BACKBONES[name]()
    made.graph.model.save_pretrained(tmp_path)  # type: ignore[operator]

    loaded = load_backbone(str(tmp_path))

    inputs = made.made_up_inputs(2, seed=0)
    assert dataclasses.replace(loaded.facts, id=made.facts.id) == made.facts
    assert loaded.folder == tmp_path
    torch.testing.assert_close(
        loaded.graph.run(inputs), made.graph.run(inputs), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("bert", "BertForSequenceClassification"),
        ("roberta", "RobertaForMaskedLM"),
        ("gpt2", "GPT2LMHeadModel"),
        ("wav2vec2", "Wav2Vec2ForCTC"),
        ("beit", "BeitForImageClassification"),
    ],
)
def test_a_checkpoint_with_a_head_gives_its_backbone(name: str, whole: str, tmp_path: Path) -> None:
    """Heads and poolers are left out; a norm that is needed is not."""
    model = with_head(name, whole)
    model.save_pretrained(tmp_path)

    loaded = load_backbone(str(tmp_path))

    inputs = loaded.made_up_inputs(2, seed=0)
    part = as_backbone(model.base_model, name)
    torch.testing.assert_close(
        loaded.graph.run(inputs), part.graph.run(inputs), rtol=1e-5, atol=1e-5
    )


def test_a_t5_checkpoint_gives_its_encoder(tmp_path: Path) -> None:
    """The decoder is left out."""
    model = with_head("t5", "T5ForConditionalGeneration")
    model.save_pretrained(tmp_path)

    loaded = load_backbone(str(tmp_path))

    inputs = loaded.made_up_inputs(2, seed=0)
    expected = model.get_encoder()(**inputs).last_hidden_state
    assert loaded.facts.architecture == "T5EncoderModel"
    torch.testing.assert_close(loaded.graph.run(inputs), expected, rtol=1e-5, atol=1e-5)


def with_head(name: str, whole: str) -> Any:
    """A model with a head and other weights than the tiny backbone of its configuration."""
    settings = BACKBONES[name]().graph.model.config.to_dict()  # type: ignore[union-attr, operator]
    torch.manual_seed(1)
    architecture = getattr(transformers, whole)
    is_whole_t5 = {"is_encoder_decoder": True} if name == "t5" else {}
    return architecture(architecture.config_class(**(settings | is_whole_t5))).eval()


def test_the_vision_half_of_clip_is_a_backbone(tmp_path: Path) -> None:
    """Loaded from a whole CLIP checkpoint, it computes what that does."""
    torch.manual_seed(0)
    vision = BACKBONES["clip"]().graph.model.config.to_dict()  # type: ignore[union-attr, operator]
    text = {
        "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
        "intermediate_size": 16, "vocab_size": 20, "bos_token_id": 0, "eos_token_id": 1,
    }  # fmt: skip
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)
    model = transformers.CLIPModel(config).eval()
    model.save_pretrained(tmp_path)

    backbone = load_backbone(str(tmp_path))

    inputs = backbone.made_up_inputs(2, seed=0)
    expected = model.vision_model(**inputs).pooler_output
    assert backbone.facts.architecture == "CLIPVisionModel"
    torch.testing.assert_close(backbone.graph.run(inputs)[:, 0], expected)


@pytest.mark.slow
def test_bfloat16_is_another_backbone(folder: Path) -> None:
    """Rounded weights compute something else; facts say so."""
    backbone = load_backbone(ModelSettings(model=str(folder), dtype="bfloat16"))

    assert (backbone.facts.dtype, backbone.dtype) == ("bfloat16", torch.bfloat16)
    assert backbone.facts.fingerprint != load_backbone().facts.fingerprint
    assert backbone.graph.run(backbone.made_up_inputs(2, seed=0)).isfinite().all()


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ('{"model_type": "vitt"}', r"model_type 'vitt'.*transformers .* \(did you mean 'vit'\?\)"),
        ('{"hidden_size": 3}', "model_type 'None'"),
        ('{"model_type": "vit", "hidden_size": "wide"}', "can't be loaded as a model"),
        ("[]", "model_type"),
        ('{"model_type": "vit", "num_attention_heads": 0}', "can't be loaded as a model"),
        ('{"model_type": "vit", "id2label": ["a", "b"]}', "can't be loaded as a model"),
        ('{"model_type": "vitt", "auto_map": 5}', "model_type 'vitt'"),
        ("{", "can't be loaded as a model"),
    ],
)
def test_a_broken_configuration_is_refused(folder: Path, config: str, complaint: str) -> None:
    """The error names the folder and what is wrong."""
    (folder / "config.json").write_text(config)

    with pytest.raises(BackboneError, match=complaint) as caught:
        load_backbone(str(folder))
    assert str(folder) in str(caught.value)


def test_code_that_comes_with_a_model_runs_only_if_trusted(folder: Path) -> None:
    """The error names the code and the option."""
    rewrite(folder, {"model_type": "mine", "auto_map": {"AutoModel": "modeling_mine.Mine"}})

    with pytest.raises(BackboneError, match=r"modeling_mine.Mine.*--trust-remote-code"):
        load_backbone(str(folder))


def test_trusted_code_is_a_backbone_once_described(tmp_path: Path) -> None:
    """A model whose class lies in its folder."""
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "configuration_mine.py").write_text(CONFIGURATION)
    (folder / "modeling_mine.py").write_text(MODELING)
    config = {
        "model_type": "mine", "hidden_size": 8, "vocab_size": 50,
        "auto_map": {"AutoConfig": "configuration_mine.Config", "AutoModel": "modeling_mine.Mine"},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    own = Own()
    weights = {f"own.{name}": tensor for name, tensor in own.state_dict().items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    family = tmp_path / "family.yaml"
    family.write_text("blocks: own.blocks\nmiddle: norm\nholds: state\ninputs: input_ids\n")

    backbone = load_backbone(
        ModelSettings(model=str(folder), trust_remote_code=True, family=str(family))
    )

    inputs = backbone.made_up_inputs(2, seed=0)
    torch.testing.assert_close(backbone.graph.run(inputs), own(**inputs), rtol=1e-5, atol=1e-5)


def test_half_precision_is_read_as_float32(folder: Path) -> None:
    """Adapters are float32, so the states that they read must be."""
    weights = load_file(folder / "model.safetensors")
    halves = {name: tensor.half() for name, tensor in weights.items()}
    save_file(halves, folder / "model.safetensors", {"format": "pt"})
    rewrite(folder, {"dtype": "float16"})

    backbone = load_backbone(str(folder))

    assert {p.dtype for p in backbone.graph.model.parameters()} == {torch.float32}


def test_a_model_of_ones_own_needs_no_image_format() -> None:
    """Size and channels come from its configuration."""
    config = ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        image_size=8, patch_size=4, num_channels=3,
    )  # fmt: skip
    backbone = as_backbone(ViTModel(config, add_pooling_layer=False), "mine")

    assert backbone.made_up_inputs(2, seed=0)["pixel_values"].shape == (2, 3, 8, 8)


def test_an_audio_model_that_shortens_its_states_is_refused() -> None:
    """Its convolutions at the end leave fewer tokens than the stream has."""
    with pytest.raises(BackboneError, match=r"Wav2Vec2Model ends in convolutions.*add_adapter"):
        tiny("Wav2Vec2", add_adapter=True, output_hidden_size=16, **AUDIO)


def test_a_pooler_makes_no_other_backbone() -> None:
    """It stands behind the states; ``AutoModel`` has one where loading leaves it out."""
    config = BertConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        vocab_size=50,
    )  # fmt: skip
    without, whole = BertModel(config, add_pooling_layer=False), BertModel(config)
    whole.load_state_dict(without.state_dict(), strict=False)
    prints = {as_backbone(model, "tiny").facts.fingerprint for model in (without, whole)}

    assert len(prints) == 1
