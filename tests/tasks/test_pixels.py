"""Images as pixel values."""

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.TiffImagePlugin import SAMPLEFORMAT

from placement_search.errors import TaskError
from placement_search.input_format import ImageFormat, TextFormat
from placement_search.tasks.contents import decoded
from placement_search.tasks.loading import load_task
from tests.tasks.tiny_data import parquet, picture, pixels_of, png, read

PLAIN = ImageFormat(None, 8, 8, 1, (0.0,), (1.0,))


def images_of(folder: Path, images: list[Image.Image], form: ImageFormat) -> torch.Tensor:
    """Pixel values of a data set of these images, in their order."""
    encoded = [png(image) for image in images]
    rows: dict[str, list[Any]] = {
        "image": encoded,
        "label": ["ab"[n % 2] for n in range(len(images))],
    }
    for split in ("train", "validation", "test"):
        parquet(folder / f"{split}.parquet", rows)
    return load_task(str(folder), form).train.inputs["pixel_values"]


def processor_folder(folder: Path, **settings: Any) -> Path:
    """An image processor as ViT models bring it."""
    known = {
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5],
        "image_processor_type": "ViTImageProcessor",
        "image_std": [0.25],
        "resample": 2,
        "rescale_factor": 1 / 255,
        "size": {"height": 8, "width": 8},
    }
    folder.mkdir()
    (folder / "preprocessor_config.json").write_text(json.dumps(known | settings))
    return folder


def test_without_a_processor_images_are_resized_and_scaled(tmp_path: Path) -> None:
    """Brightness less the mean, over the deviation."""
    form = ImageFormat(None, 8, 8, 1, (0.5,), (0.25,))
    images = [picture(shade) for shade in (0, 100)]
    expected = torch.tensor(np.stack([pixels_of(image.convert("L")) for image in images]))

    assert torch.allclose(images_of(tmp_path, images, form)[:, 0], (expected - 0.5) / 0.25)


@pytest.mark.parametrize("n_channels", [1, 3])
@pytest.mark.parametrize("has_processor", [True, False])
@pytest.mark.parametrize("mode", ["L", "RGB", "P", "RGBA", "LA", "1"])
def test_images_of_every_mode_take_the_backbones_shape(
    mode: str, has_processor: bool, n_channels: int, tmp_path: Path
) -> None:
    """Grey or in colours, of any size, with or without an image processor."""
    folder = None
    if has_processor:
        folder = processor_folder(
            tmp_path / "model", image_mean=[0.5] * n_channels, image_std=[0.25] * n_channels
        )
    form = ImageFormat(folder, 8, 8, n_channels, (0.5,) * n_channels, (0.25,) * n_channels)
    images = [picture(255, size, mode) for size in ((8, 8), (20, 9))]
    pixels = images_of(tmp_path / "mine", images, form)

    assert pixels.shape == (2, n_channels, 8, 8)
    assert pixels.dtype == torch.float32
    assert torch.allclose(pixels, torch.full_like(pixels, 2.0))


def test_a_processor_and_plain_scaling_agree_where_nothing_is_resized(tmp_path: Path) -> None:
    """The embedded backbone sees the same with its processor and without."""
    images = [picture(shade) for shade in (3, 77, 200)]
    form = ImageFormat(processor_folder(tmp_path / "model"), 8, 8, 1, (0.5,), (0.25,))
    plain = ImageFormat(None, 8, 8, 1, (0.5,), (0.25,))

    assert torch.allclose(
        images_of(tmp_path / "a", images, form), images_of(tmp_path / "b", images, plain), atol=1e-6
    )


def test_the_processors_own_settings_count(tmp_path: Path) -> None:
    """Cropping, for one, is nothing that plain resizing could know."""
    folder = processor_folder(
        tmp_path / "model",
        image_processor_type="CLIPImageProcessor",
        size={"shortest_edge": 16},
        do_center_crop=True,
        crop_size={"height": 8, "width": 8},
        do_convert_rgb=True,
    )
    image = Image.new("L", (16, 16), 0)
    image.paste(255, (4, 4, 12, 12))
    form = ImageFormat(folder, 8, 8, 1, (0.5,), (0.25,))
    pixels = images_of(tmp_path / "mine", [image, image], form)

    assert torch.allclose(pixels, torch.full_like(pixels, 2.0))


def test_a_processor_of_another_size_is_refused(tmp_path: Path) -> None:
    """With what the backbone takes and what the processor gives."""
    folder = processor_folder(tmp_path / "model", size={"height": 6, "width": 6})
    form = ImageFormat(folder, 8, 8, 1, (0.5,), (0.25,))
    with pytest.raises(TaskError, match=r"\(1, 8, 8\), and the image processor .* \(1, 6, 6\)"):
        images_of(tmp_path / "mine", [picture(), picture(1)], form)


def test_a_processor_that_can_not_be_loaded_is_refused(tmp_path: Path) -> None:
    """A silent replacement would see other images than the backbone was trained on."""
    folder = processor_folder(tmp_path / "model", image_processor_type="NoSuchImageProcessor")
    form = ImageFormat(folder, 8, 8, 1, (0.5,), (0.25,))
    with pytest.raises(TaskError, match="no image processor can be loaded from"):
        images_of(tmp_path / "mine", [picture(), picture(1)], form)


def test_many_images_are_the_same_as_few(tmp_path: Path) -> None:
    """What is decoded together has no effect."""
    images = [picture(shade % 256) for shade in range(150)]
    pixels = images_of(tmp_path / "mine", images, PLAIN)

    assert torch.equal(pixels[-2:], images_of(tmp_path / "few", images[-2:], PLAIN))


def test_sixteen_bits_become_eight() -> None:
    """The upper ones, instead of all that is bright becoming white."""
    levels = np.array([[0, 256, 32768, 65535]], dtype=np.uint16)

    found = decoded(png(Image.fromarray(levels)), mode="L")

    assert np.asarray(found).tolist() == [[0, 1, 128, 255]]


def test_images_are_turned_as_their_camera_says() -> None:
    """A phone stores a portrait lying on its side."""
    image = Image.new("L", (4, 2), 0)
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", exif=exif)

    assert decoded(buffer.getvalue(), mode="RGB").size == (2, 4)


def test_images_on_a_backbone_of_texts_are_refused(tmp_path: Path) -> None:
    """The message says what it takes and what the data holds."""
    images = [picture(shade) for shade in range(20)]
    images_of(tmp_path, images, PLAIN)
    with pytest.raises(TaskError, match=r"takes texts, but data set .* holds images"):
        load_task(str(tmp_path), TextFormat(None, 10, 10))


def test_a_processor_beside_a_tokenizer_is_used(tmp_path: Path) -> None:
    """As transformers 5 writes it, inside the file of the whole."""
    folder = processor_folder(tmp_path / "model")
    path = folder / "preprocessor_config.json"
    nested = {"image_processor": json.loads(path.read_text()) | {"image_mean": [0.0]}}
    (folder / "processor_config.json").write_text(json.dumps(nested))
    path.unlink()
    form = ImageFormat(folder, 8, 8, 1, (0.0,), (0.25,))
    pixels = images_of(tmp_path / "mine", [picture(255), picture(255)], form)

    assert torch.allclose(pixels, torch.full_like(pixels, 4.0))


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_sixteen_bits_of_either_order_become_eight(mode: str) -> None:
    """TIFF files may hold the high byte first."""
    levels = np.array([[0, 256, 32768, 65535]], dtype=">u2")
    buffer = io.BytesIO()
    Image.frombytes("I;16B", (4, 1), levels.tobytes()).save(buffer, format="TIFF")

    found = decoded(buffer.getvalue(), mode=mode).convert("L")

    assert np.asarray(found).tolist() == [[0, 1, 128, 255]]


def saved_as(form: str, image: Image.Image) -> bytes:
    """An image as the content of a file of this form."""
    buffer = io.BytesIO()
    image.save(buffer, format=form)
    return buffer.getvalue()


def signed_tiff(levels: list[int]) -> bytes:
    """A TIFF file of one row of signed 16-bit levels, which Pillow reads and does not write."""
    unsigned = np.array([levels], dtype="<i2").view("<u2")
    buffer = io.BytesIO()
    Image.fromarray(unsigned).save(buffer, format="TIFF", tiffinfo={SAMPLEFORMAT: 2})
    return buffer.getvalue()


def test_sixteen_bits_that_are_read_as_more_become_eight() -> None:
    """Pillow gives integers of 32 bits for files of PGM, and for signed levels of TIFF."""
    levels = np.array([[0, 256, 32767]], dtype=np.uint16)
    contents = [saved_as("PPM", Image.fromarray(levels)), signed_tiff(levels[0].tolist())]

    assert [Image.open(io.BytesIO(each)).mode for each in contents] == ["I", "I"]
    assert [np.asarray(decoded(each, mode="L")).tolist() for each in contents] == [
        [[0, 1, 127]]
    ] * 2


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (saved_as("TIFF", Image.new("F", (8, 8), 0.5)), "mode F of a TIFF file"),
        (saved_as("PPM", Image.new("F", (8, 8), 0.5)), "mode F of a PPM file"),
        (saved_as("TIFF", Image.new("I", (8, 8), 200)), "mode I of a TIFF file"),
        (signed_tiff([-5, 5]), "mode I of a TIFF file"),
    ],
)
def test_levels_without_a_known_white_are_refused(
    content: bytes, said: str, tmp_path: Path
) -> None:
    """All of such an image would turn black, or white."""
    rows: dict[str, list[Any]] = {"image": [png(picture()), content] * 10, "label": ["a", "b"] * 10}
    with pytest.raises(TaskError, match=rf"train row 1, .* 8 or 16 bits, .*{said}"):
        read(parquet(tmp_path / "rows.parquet", rows))
