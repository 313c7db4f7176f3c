"""Families that users describe: the file, its mistakes, and the page about it."""

import dataclasses
import re
from pathlib import Path

import pytest
import torch

from placement_search.backbones.families import Family, Holds, Pooling
from placement_search.backbones.family_file import FamilyFile, read_family
from placement_search.backbones.loading import as_backbone, load_backbone
from placement_search.backbones.settings import ModelSettings
from placement_search.errors import BackboneError
from tests.backbones.outsiders import tiny_opt

PAGE = Path(__file__).parents[2] / "docs" / "families.md"


def example(language: str) -> str:
    """The page's example in a language."""
    match = re.search(rf"```{language}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert match is not None
    return match[1]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The page's YAML example as a file."""
    path = tmp_path / "opt.yaml"
    path.write_text(example("yaml"))
    return path


def test_the_pages_file_makes_an_unknown_architecture_a_backbone(
    file: Path, tmp_path: Path
) -> None:
    """From a folder, with `--family`; its states are the model's own."""
    model = tiny_opt()
    model.save_pretrained(tmp_path / "opt")

    backbone = load_backbone(ModelSettings(model=str(tmp_path / "opt"), family=str(file)))

    inputs = backbone.made_up_inputs(2, seed=0)
    assert (backbone.n_nodes, backbone.width) == (7, 16)
    assert backbone.poolings == (Pooling.LAST, Pooling.MEAN)
    expected = model(**inputs).last_hidden_state
    torch.testing.assert_close(backbone.graph.run(inputs), expected, rtol=1e-5, atol=1e-5)


def test_the_pages_python_does_the_same() -> None:
    """With a loaded model."""
    scope: dict[str, object] = {"model": tiny_opt()}

    exec(example("python"), scope)  # noqa: S102 - our own page

    assert getattr(scope["backbone"], "n_nodes", None) == 7


def test_the_page_says_every_key() -> None:
    """In its table, as the file and the Python value have them."""
    said = re.findall(r"^\| `(\w+)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)

    assert set(said) == FamilyFile.model_fields.keys()
    assert set(said) == {field.name for field in dataclasses.fields(Family)}


def test_a_file_leaves_out_what_is_usual(tmp_path: Path) -> None:
    """Defaults are those of `Family`; a fused block has null for its middle."""
    path = tmp_path / "family.yaml"
    path.write_text("blocks: layers\nmiddle: null\ninputs: input_ids\n")

    assert read_family(path) == Family("layers", None)


def test_all_mistakes_of_a_file_are_named_at_once(tmp_path: Path) -> None:
    """Each with key and value, unknown keys with the one that was meant."""
    path = tmp_path / "family.yaml"
    path.write_text("block: layers\nmiddle: 3\nholds: updates\ninputs: input_ids\npoolings: []\n")

    with pytest.raises(BackboneError) as caught:
        read_family(path)

    message = str(caught.value)
    assert str(path) in message
    assert "blocks: this key is missing" in message
    assert "block: unknown key (did you mean 'blocks'?)" in message
    assert "middle:" in message and "got 3" in message
    assert "holds:" in message and "'updates'" in message
    assert "poolings:" in message


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"blocks: [", "not YAML"),
        (b"\xff", "not YAML"),
        (b"[" * 3000, "not YAML"),
        (b"- layers", "holds a list; it must hold keys and values"),
        (b"", "is empty; it must hold keys and values"),
    ],
)
def test_what_is_no_description_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    """With the file's name."""
    path = tmp_path / "family.yaml"
    path.write_bytes(content)

    with pytest.raises(BackboneError, match=complaint) as caught:
        read_family(path)
    assert str(path) in str(caught.value)


def test_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """The last one would win, without a word."""
    path = tmp_path / "family.yaml"
    path.write_text("blocks: layers\nmiddle: null\ninputs: input_ids\nmiddle: attention\n")

    with pytest.raises(BackboneError, match="middle stands twice, in line 2 and in line 4"):
        read_family(path)


def test_a_missing_file_is_refused() -> None:
    """The error names the option."""
    with pytest.raises(BackboneError, match=r"--family takes a file; 'none\.yaml'"):
        read_family("none.yaml")


def test_another_description_is_another_backbone() -> None:
    """The same weights with other nodes are not the same to a study."""
    two = Family("decoder.layers", "self_attn", Holds.UPDATE, is_causal=True)
    one = Family("decoder.layers", None, is_causal=True)
    prints = {as_backbone(tiny_opt(), "x", family=f).facts.fingerprint for f in (two, one)}

    assert len(prints) == 2


@pytest.mark.parametrize("loads", ["AutoTokenizer", "set_seed", "NoSuchModel"])
def test_what_a_family_loads_is_a_class_of_models(file: Path, tmp_path: Path, loads: str) -> None:
    """Transformers holds much else."""
    tiny_opt().save_pretrained(tmp_path / "opt")
    file.write_text(f"{file.read_text()}\nloads: {loads}\n")

    with pytest.raises(BackboneError, match=f"no class of models '{loads}'"):
        load_backbone(ModelSettings(model=str(tmp_path / "opt"), family=str(file)))
