"""Backbones from disk: whole, in float32, identified by all that they compute."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ViTConfig, ViTModel

from placement_search.backbones.loading import EMBEDDED_FOLDER, as_backbone, load_backbone
from placement_search.errors import BackboneError


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


def test_a_truncated_file_is_refused(folder: Path) -> None:
    """The error names the folder and what is wrong."""
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:1000])

    with pytest.raises(BackboneError, match="can't be loaded as a model"):
        load_backbone(str(folder))


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
