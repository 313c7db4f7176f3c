"""What is said of unknown architectures: their modules, the nearest family, and the cure."""

import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from torch import nn

from placement_search.backbones.family_file import read_family
from placement_search.backbones.loading import as_backbone, load_backbone
from placement_search.errors import BackboneError
from tests.backbones.outsiders import Own, tiny_opt


def complaint(model: nn.Module) -> str:
    """What is said of a loaded model."""
    with pytest.raises(BackboneError) as caught:
        as_backbone(model, "x")
    return str(caught.value)


def test_an_unknown_architecture_is_shown_with_its_blocks() -> None:
    """Type, class, lists of modules with lengths and children, and both ways to describe it."""
    message = complaint(tiny_opt())

    assert "'opt'" in message and "OPTModel" in message and "did you mean 'gpt2'" in message
    assert "decoder.layers: 3 of OPTDecoderLayer, each with self_attn" in message
    assert "--family" in message and "docs/families.md" in message


def test_a_folder_is_told_the_same_without_reading_weights(tmp_path: Path) -> None:
    """The weights' file may as well be empty."""
    tiny_opt().save_pretrained(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"")

    with pytest.raises(BackboneError) as caught:
        load_backbone(str(tmp_path))

    assert "decoder.layers: 3 of OPTDecoderLayer" in str(caught.value)


def test_the_draft_is_a_file_that_works(tmp_path: Path) -> None:
    """For a model whose names say what they are."""
    draft = re.search(r"A draft.*?:\n(.*)", complaint(tiny_opt()), re.DOTALL)
    assert draft is not None
    path = tmp_path / "draft.yaml"
    path.write_text(draft[1])

    assert yaml.safe_load(draft[1])["blocks"] == "decoder.layers"
    assert as_backbone(tiny_opt(), "x", family=read_family(path)).n_nodes == 7


def test_an_encoder_that_might_be_a_decoder_is_drafted_as_an_encoder() -> None:
    """Its configuration has a cache, as BERT's has."""

    class Encoder(Own):
        config = SimpleNamespace(use_cache=True, is_decoder=False)

    message = complaint(Encoder())

    assert "poolings: [mean]" in message
    assert "is_causal" not in message and "use_cache" not in message


def test_models_without_lists_of_modules_get_no_draft() -> None:
    """There is nothing to guess from."""
    message = complaint(nn.Linear(2, 2))

    assert "'Linear'" in message and "draft" not in message and "--family" in message


def test_of_several_lists_the_longest_is_drafted() -> None:
    """Lists within blocks are left out."""
    model = Own(n_blocks=4)
    model.heads = nn.ModuleList(nn.Linear(8, 2) for _ in range(2))
    model.blocks[0].parts = nn.ModuleList(nn.Linear(8, 2) for _ in range(9))
    message = complaint(model)

    assert "blocks: 4 of Block" in message and "heads: 2 of Linear" in message
    assert "parts: 9" not in message
    assert "\n  blocks: blocks\n" in message
