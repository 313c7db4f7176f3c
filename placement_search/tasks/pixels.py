"""Images made into what a vision backbone takes: pixel values of its size, normalised."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from placement_search.errors import TaskError
from placement_search.input_format import ImageFormat
from placement_search.tasks.contents import decoded
from placement_search.tasks.raw import Canvases, Content, Images

N_AT_ONCE = 128
"""Images that are decoded at the same time."""

PROCESSOR_FILES = ("preprocessor_config.json", "processor_config.json")

Processor = Callable[[Sequence[Image.Image]], Tensor]
"""From images of the backbone's mode to ``(n, n_channels, height, width)``, normalised."""


def image_inputs(content: Content, form: ImageFormat, process: Processor) -> dict[str, Tensor]:
    """The pixel values of one split.

    Args:
        content: Images or canvases.
        form: What the backbone takes.
        process: As `processor` gives it.

    Returns:
        ``pixel_values``, float32 of shape ``(n, n_channels, height, width)``.

    Raises:
        TaskError: If the image processor gives another shape.
    """
    if isinstance(content, Canvases):
        return {"pixel_values": canvas_pixels(content, form)}
    if not isinstance(content, Images):
        raise TypeError(f"expected images, got {type(content).__name__}")
    mode = "L" if form.n_channels == 1 else "RGB"
    pixels = torch.empty((len(content), form.n_channels, form.height, form.width))
    for start in range(0, len(content), N_AT_ONCE):
        part = content.encoded[start : start + N_AT_ONCE]
        found = process([decoded(encoded, mode=mode) for encoded in part])
        _check_shape(found, form)
        pixels[start : start + len(part)] = found
    return {"pixel_values": pixels}


def processor(form: ImageFormat) -> Processor:
    """The backbone's own image processor, or plain resizing and scaling if it came without one.

    Always Pillow's arithmetic, whether torchvision is installed or not.

    Raises:
        TaskError: If the folder holds one that can't be loaded, or one that needs torchvision.
    """
    if form.folder is None or not any((form.folder / name).is_file() for name in PROCESSOR_FILES):
        return lambda images: _plain(images, form)
    loaded = _loaded(form.folder)

    def process(images: Sequence[Image.Image]) -> Tensor:
        try:
            found = loaded(images=list(images), do_convert_rgb=False, return_tensors="pt")
        except ValueError as error:
            raise TaskError(f"the image processor in {form.folder} fails: {error}") from error
        pixels: Tensor = found["pixel_values"]
        return pixels

    return process


def canvas_pixels(canvases: Canvases, form: ImageFormat) -> Tensor:
    """Grey pictures, resized bilinearly and repeated for colours where the backbone wants that.

    Args:
        canvases: Brightness within [0, 1].
        form: Size, channels and scaling.

    Returns:
        Shape ``(n, n_channels, height, width)``, float32.
    """
    pixels = torch.from_numpy(canvases.pixels)
    size = (form.height, form.width)
    if pixels.shape[2:] != size:
        pixels = interpolate(pixels, size, mode="bilinear", antialias=True).clamp(0, 1)
    return _scaled(pixels.expand(-1, form.n_channels, -1, -1), form)


def _loaded(folder: Path) -> Callable[..., Mapping[str, Tensor]]:
    # Takes 1.4 s to import, which texts and embedded tasks can do without.
    from transformers import AutoImageProcessor  # noqa: PLC0415

    try:
        found = AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, backend="pil"
        )
    except (OSError, ValueError, KeyError, ImportError, TypeError) as error:
        raise TaskError(f"no image processor can be loaded from {folder}: {error}") from error
    if found.backend != "pil":
        raise TaskError(f"the image processor in {folder} has no form that works with Pillow alone")
    loaded: Callable[..., Mapping[str, Tensor]] = found
    return loaded


def _plain(images: Sequence[Image.Image], form: ImageFormat) -> Tensor:
    size = (form.width, form.height)
    resized = [np.asarray(image.resize(size, Image.Resampling.BILINEAR)) for image in images]
    pixels = torch.from_numpy(np.stack(resized)).float() / 255
    channels_first = pixels.unsqueeze(1) if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2)
    return _scaled(channels_first, form)


def _scaled(pixels: Tensor, form: ImageFormat) -> Tensor:
    """Brightness within [0, 1] less the backbone's mean, over its deviation; same shape."""
    mean, std = (torch.tensor(v).reshape(-1, 1, 1) for v in (form.mean, form.std))
    return ((pixels - mean) / std).contiguous()


def _check_shape(pixels: Tensor, form: ImageFormat) -> None:
    wanted = (form.n_channels, form.height, form.width)
    if tuple(pixels.shape[1:]) != wanted:
        raise TaskError(
            f"the backbone takes images of (channels, height, width) {wanted}, and the image "
            f"processor in {form.folder} gives {tuple(pixels.shape[1:])}"
        )
