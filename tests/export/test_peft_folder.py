"""A layout as a PEFT folder: the hidden states that PEFT gives are ours, or there is no folder."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor, nn

from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.loading import as_backbone
from placement_search.errors import ExportError, OutputError
from placement_search.export.peft_folder import check_peft, write_peft
from placement_search.modules import parse_layout
from tests.tiny_backbones import BACKBONES, tiny_bert

# What peft 0.21 asks of transformers 5.23 is deprecated there.
pytestmark = pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")

NAMES = ("bert", "vit", "llama", "gpt2")
WITH_NORM = ("clip", "beit")
"""Backbones whose class gives hidden states from before the norm that the head reads behind."""
DOCUMENT = Path(__file__).parents[2] / "docs" / "peft.md"
MIXED = "0>1:lora(rank=2)+1>2:lora(rank=5,linears=output)+2>3:lora(alpha=3,rank=2,linears=inputs)"
MASKED = "0>1:lora(kept=0.5,mask=random,rank=2)+2>3:lora(kept=0.3,mask=magnitude,rank=4)"


def trained(name: str, notation: str) -> AdaptedBackbone:
    """A layout with random weights."""
    model = AdaptedBackbone(BACKBONES[name](), parse_layout(notation), 3)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return model


def states_of(model: nn.Module, inputs: dict[str, Tensor]) -> Tensor:
    """Final hidden states that a model gives by itself."""
    states: Tensor = model(**inputs).last_hidden_state
    return states


def config_of(folder: Path) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((folder / "adapter_config.json").read_text())
    return config


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("notation", ["4>5:lora(linears=query_value)", MIXED, MASKED])
@torch.no_grad()
def test_peft_gives_our_hidden_states(name: str, notation: str, tmp_path: Path) -> None:
    """It loads the folder without a warning about it, for GPT-2's transposed maps too."""
    peft = pytest.importorskip("peft")
    model = trained(name, notation)
    base = copy.deepcopy(model.backbone.graph.model)
    inputs = model.backbone.made_up_inputs(3, seed=0)
    write_peft(model, tmp_path)
    loaded = peft.PeftModel.from_pretrained(base, str(tmp_path)).eval()
    ours = model.hidden_states(inputs)

    torch.testing.assert_close(states_of(loaded, inputs), ours, rtol=1e-4, atol=1e-5)
    assert not torch.allclose(model.backbone.graph.run(inputs), ours, atol=1e-2)


@pytest.mark.parametrize("name", NAMES)
@torch.no_grad()
def test_peft_merges_it_into_the_weights(name: str, tmp_path: Path) -> None:
    """As its users do before they serve a model."""
    peft = pytest.importorskip("peft")
    model = trained(name, MIXED)
    base = copy.deepcopy(model.backbone.graph.model)
    inputs = model.backbone.made_up_inputs(3, seed=0)
    write_peft(model, tmp_path)
    merged = peft.PeftModel.from_pretrained(base, str(tmp_path)).merge_and_unload()

    torch.testing.assert_close(
        states_of(merged, inputs), model.hidden_states(inputs), rtol=1e-3, atol=1e-4
    )


def test_the_configuration_names_each_map_in_full(tmp_path: Path) -> None:
    """The commonest rank and alpha stand alone, exceptions by name; all of it sorted."""
    write_peft(trained("bert", MIXED), tmp_path)
    text = (tmp_path / "adapter_config.json").read_text()
    config = json.loads(text)

    assert text == json.dumps(config, indent=2, sort_keys=True) + "\n"
    assert config["target_modules"] == sorted(config["target_modules"])
    assert "encoder.layer.1.attention.self.query" in config["target_modules"]
    assert (config["r"], config["rank_pattern"]) == (2, {"encoder.layer.0.output.dense": 5})
    assert config["lora_alpha"] == 16
    assert config["alpha_pattern"] == {
        f"encoder.layer.1.attention.self.{name}": 3 for name in ("key", "query", "value")
    }


def test_one_rank_needs_no_patterns(tmp_path: Path) -> None:
    """Servers that drop patterns then still serve the layout."""
    write_peft(trained("llama", "0>1:lora(rank=4)+2>3:lora(rank=4)"), tmp_path)
    config = config_of(tmp_path)

    assert (config["r"], config["rank_pattern"], config["alpha_pattern"]) == (4, {}, {})
    assert config["fan_in_fan_out"] is False


def test_the_head_lies_beside(tmp_path: Path) -> None:
    """PEFT has no place for it; its file says which features it reads."""
    model = trained("bert", "0>1:lora(rank=4)")
    *_, path = write_peft(model, tmp_path)
    with safe_open(path, "pt") as file:
        metadata, weight = file.metadata(), file.get_tensor("weight")

    assert path.name == "head.safetensors"
    assert metadata == {
        "pooling": "cls", "layout_id": model.layout.id, "owner": f"layout {model.layout.id}",
    }  # fmt: skip
    assert torch.equal(weight, model.head.weight)


def documented() -> Callable[..., Tensor]:
    """The function of the page on PEFT."""
    (code,) = re.findall(r"```python\n(def logits.*?)```", DOCUMENT.read_text(), re.DOTALL)
    space: dict[str, Any] = {}
    exec("import torch\nfrom safetensors import safe_open\n" + code, space)  # noqa: S102 - our page
    found: Callable[..., Tensor] = space["logits"]
    return found


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=() if name in (*NAMES, *WITH_NORM) else pytest.mark.slow)
        for name in BACKBONES
    ],
)
@torch.no_grad()
def test_the_head_read_as_documented_gives_our_logits(name: str, tmp_path: Path) -> None:
    """With every pooling, on padded texts, and behind the final norm where there is one."""
    peft = pytest.importorskip("peft")
    model = trained(name, "0>1:lora(rank=2)+2>3:lora(rank=4)")
    backbone = model.backbone
    inputs = backbone.made_up_inputs(3, seed=0)
    if "input_ids" in inputs:
        inputs["attention_mask"] = (torch.arange(16) < torch.tensor([[16], [9], [4]])).long()
    mask = backbone.graph.token_mask(inputs)
    base = copy.deepcopy(backbone.graph.model)
    for model.pooling in backbone.poolings:
        *_, head = write_peft(model, tmp_path)
        loaded = peft.PeftModel.from_pretrained(copy.deepcopy(base), str(tmp_path)).eval()

        torch.testing.assert_close(
            documented()(loaded, head, inputs, mask), model(inputs), rtol=1e-4, atol=1e-4
        )


def test_the_same_layout_gives_the_same_bytes(tmp_path: Path) -> None:
    """Metadata included, which safetensors writes in any order."""
    model = trained("clip", MIXED)
    written = {
        tuple(path.read_bytes() for path in write_peft(model, tmp_path / str(number)))
        for number in range(6)
    }

    assert len(written) == 1


def test_a_head_behind_a_norm_says_which(tmp_path: Path) -> None:
    """Others say nothing of one."""
    named = {}
    for name in ("bert", *WITH_NORM):
        *_, path = write_peft(trained(name, "0>1:lora(rank=4)"), tmp_path / name)
        with safe_open(path, "pt") as file:
            named[name] = file.metadata().get("norm")

    assert named == {"bert": None, "clip": "post_layernorm", "beit": "pooler.layernorm"}


@pytest.mark.parametrize(
    ("notation", "connection"),
    [
        ("0>1:lora(rank=4)+3>9:bottleneck+4>5:hadamard", "3>9:bottleneck"),
        ("0>1:lora(rank=4)+2>3:hadamard", "2>3:hadamard"),
        ("1>2:adapter_bias", "1>2:adapter_bias"),
        ("1>2:adapter_bias(kept=0.5,mask=random)", "1>2:adapter_bias"),
        ("0>1:lora(gate=true)", r"0>1:lora\(gate=true,rank=8\), .*without a gate"),
        ("none", "without connections"),
    ],
)
def test_other_connections_are_refused(notation: str, connection: str, tmp_path: Path) -> None:
    """The first one is named, before anything is trained or written."""
    backbone = BACKBONES["embedded"]()
    layout = parse_layout(notation)

    with pytest.raises(ExportError, match=f"PEFT can't express .*{connection}"):
        check_peft(layout, backbone.places)
    with pytest.raises(ExportError, match=connection):
        write_peft(AdaptedBackbone(backbone, layout, 2), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("head", [None, b"", save({"weight": torch.zeros(1)})])
def test_an_adapter_of_something_else_is_not_replaced(head: bytes | None, tmp_path: Path) -> None:
    """PEFT's own has no head, and a head that is not ours says no layout."""
    (tmp_path / "adapter_model.safetensors").write_bytes(b"theirs")
    if head is not None:
        (tmp_path / "head.safetensors").write_bytes(head)
    model = trained("llama", "0>1:lora(rank=4)")

    with pytest.raises(OutputError, match=r"an adapter of something else.*--peft"):
        write_peft(model, tmp_path)
    assert (tmp_path / "adapter_model.safetensors").read_bytes() == b"theirs"


def test_a_former_export_is_replaced(tmp_path: Path) -> None:
    """As those of layouts are; that of another owner is not, the layout's id if none is said."""
    model = trained("llama", "0>1:lora(rank=4)")
    paths = write_peft(model, tmp_path)
    assert write_peft(model, tmp_path) == paths
    before = [path.read_bytes() for path in paths]

    with pytest.raises(OutputError, match=rf"of another owner, layout {model.layout.id};.*--peft"):
        write_peft(trained("llama", "2>3:lora(rank=4)"), tmp_path)
    with pytest.raises(OutputError, match=r"of another owner.*--peft"):
        write_peft(model, tmp_path, owner="study mine")
    assert [path.read_bytes() for path in paths] == before


def test_a_name_that_ends_as_another_does_is_refused(tmp_path: Path) -> None:
    """PEFT compares the ends of names, and would adapt both."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = tiny_bert().graph.model

    bert = tiny_bert().graph.model
    bert.twin = Twice()
    bert.twin.encoder = bert.twin.inner.encoder
    model = AdaptedBackbone(as_backbone(bert, "twins"), parse_layout("0>1:lora"), 2)

    with pytest.raises(ExportError, match=r"change twin\.\S+ as well, whose name ends as"):
        write_peft(model, tmp_path / "out")
