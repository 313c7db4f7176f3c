"""What backbones take as input, as their files say."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from placement_search.backbones.families import FAMILIES
from placement_search.backbones.formats import input_format_of
from placement_search.errors import BackboneError
from placement_search.input_format import AudioFormat, ImageFormat, TextFormat
from tests.tiny_backbones import BACKBONES


def write(folder: Path, name: str, settings: dict[str, Any]) -> None:
    """A JSON file."""
    (folder / name).write_text(json.dumps(settings))


def image_format(folder: Path | None, family: str = "vit", **config: Any) -> ImageFormat:
    """The format of a vision model."""
    form = input_format_of(SimpleNamespace(**config), FAMILIES[family], folder)
    assert isinstance(form, ImageFormat)
    return form


def text_format(folder: Path | None, family: str, **config: Any) -> TextFormat:
    """The format of a text model."""
    form = input_format_of(SimpleNamespace(vocab_size=9, **config), FAMILIES[family], folder)
    assert isinstance(form, TextFormat)
    return form


def test_images_are_scaled_to_minus_one_and_one_by_default() -> None:
    """Size and channels come from the configuration."""
    form = image_format(None, image_size=8, num_channels=1)

    assert form == ImageFormat(None, 8, 8, 1, (0.5,), (0.5,))


def test_an_image_size_may_be_a_pair() -> None:
    """Height comes first."""
    form = image_format(None, image_size=(8, 16))

    assert (form.height, form.width, form.n_channels) == (8, 16, 3)


@pytest.mark.parametrize(
    ("processor", "size"),
    [
        ({"size": {"height": 4, "width": 6}}, (4, 6)),
        ({"size": 5}, (5, 5)),
        ({"size": {"shortest_edge": 9}}, (9, 9)),
        ({"size": {"shortest_edge": 9}, "crop_size": {"height": 7, "width": 7}}, (7, 7)),
        ({"size": {"shortest_edge": 9}, "crop_size": 7, "do_center_crop": False}, (9, 9)),
        ({}, (8, 8)),
    ],
)
def test_a_processors_size_counts_where_the_model_takes_any(
    tmp_path: Path, processor: dict[str, Any], size: tuple[int, int]
) -> None:
    """DINOv2 was trained on 518 pixels and is fed 224; ViT knows its own size only."""
    write(tmp_path, "preprocessor_config.json", {"do_resize": True} | processor)
    flexible = image_format(tmp_path, "dinov2", image_size=8)
    fixed = image_format(tmp_path, "vit", image_size=8)

    assert (flexible.height, flexible.width) == size
    assert (fixed.height, fixed.width) == (8, 8)
    assert flexible.folder == tmp_path


@pytest.mark.parametrize(
    "size", [{"longest_edge": 224}, [8], "big", 0, {"height": "4", "width": 6}, [[4], 4]]
)
def test_a_size_that_says_no_size_is_refused(size: object, tmp_path: Path) -> None:
    """With what was said."""
    write(tmp_path, "preprocessor_config.json", {"size": size})

    with pytest.raises(BackboneError, match="the size of images must be"):
        image_format(tmp_path, "dinov2", image_size=8)


def test_scaling_comes_from_the_processor(tmp_path: Path) -> None:
    """By channel; one number stands for all."""
    write(tmp_path, "preprocessor_config.json", {"image_mean": [0.1, 0.2, 0.3], "image_std": 0.4})
    form = image_format(tmp_path, image_size=8)

    assert (form.mean, form.std) == ((0.1, 0.2, 0.3), (0.4, 0.4, 0.4))


def test_a_processor_may_leave_brightness_as_it_is(tmp_path: Path) -> None:
    """Then nothing is subtracted, and it is divided by one."""
    settings = {"do_normalize": False, "image_mean": [0.1, 0.2, 0.3]}
    write(tmp_path, "preprocessor_config.json", settings)
    form = image_format(tmp_path, image_size=8)

    assert (form.mean, form.std) == ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))


def test_scaling_for_other_channels_is_refused(tmp_path: Path) -> None:
    """The error names the entry and its value."""
    write(tmp_path, "preprocessor_config.json", {"image_mean": [0.1, 0.2, 0.3]})

    with pytest.raises(
        BackboneError, match=r"image_mean.*each of 1 channels, got \[0.1, 0.2, 0.3\]"
    ):
        image_format(tmp_path, image_size=8, num_channels=1)


def test_texts_are_as_long_as_there_are_positions() -> None:
    """RoBERTa's count from behind the padding token; T5's have no end."""
    assert text_format(None, "bert", max_position_embeddings=512).max_tokens == 512
    roberta = text_format(None, "roberta", max_position_embeddings=514, pad_token_id=1)
    assert roberta.max_tokens == 512
    assert text_format(None, "t5").max_tokens == 512
    assert text_format(None, "deberta-v2", max_position_embeddings=-1).max_tokens == 512


@pytest.mark.parametrize(
    ("said", "wanted"), [(128, 128), (1e30, 512), (4096, 512), (None, 512), (-1, 512)]
)
def test_a_tokenizer_may_want_shorter_texts(
    tmp_path: Path, said: float | None, wanted: int
) -> None:
    """But none that the model has no positions for."""
    write(tmp_path, "tokenizer_config.json", {"model_max_length": said})
    form = text_format(tmp_path, "bert", max_position_embeddings=512)

    assert (form.max_tokens, form.folder) == (wanted, tmp_path)


def test_a_folder_without_tokenizer_is_none(tmp_path: Path) -> None:
    """Tasks then say that there is none."""
    assert text_format(tmp_path, "bert", max_position_embeddings=8).folder is None


def test_positions_that_a_family_calls_otherwise_are_found() -> None:
    """GPT-2's are n_positions; every text may be as long as the format says."""
    for name in ("gpt2", "roberta", "bert", "deberta-v2"):
        backbone = BACKBONES[name]()
        form = backbone.input_format
        assert isinstance(form, TextFormat)
        inputs = {k: v[:, :1].repeat(1, form.max_tokens) for k, v in _inputs(name).items()}

        assert form.max_tokens == (22 if name == "roberta" else 24)
        assert backbone.graph.run(inputs).shape[1] == form.max_tokens


def _inputs(name: str) -> dict[str, Any]:
    return dict(BACKBONES[name]().made_up_inputs(1, seed=0))


def test_waveforms_are_long_enough_for_sixteen_frames() -> None:
    """Through convolutions of any length and stride."""
    backbone = BACKBONES["wav2vec2"]()

    assert isinstance(backbone.input_format, AudioFormat)
    assert backbone.graph.run(backbone.made_up_inputs(1, seed=0)).shape[1] == 16


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    """With its path."""
    (tmp_path / "tokenizer_config.json").write_text("{")

    with pytest.raises(BackboneError, match=r"tokenizer_config.json can't be read"):
        text_format(tmp_path, "bert", max_position_embeddings=8)


def test_a_processor_beside_a_tokenizer_is_found(tmp_path: Path) -> None:
    """Transformers 5 writes both into one file, which comes first there, too."""
    nested = {"image_processor": {"size": 8, "image_mean": 0.25, "image_std": 0.5}}
    write(tmp_path, "processor_config.json", {"processor_class": "CLIPProcessor"} | nested)
    alone = image_format(tmp_path, image_size=8, num_channels=1)
    write(tmp_path, "preprocessor_config.json", {"image_mean": 0.75})

    assert alone == ImageFormat(tmp_path, 8, 8, 1, (0.25,), (0.5,))
    assert image_format(tmp_path, image_size=8, num_channels=1) == alone
