"""What a backbone takes as input, read from its configuration and the files beside it."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from placement_search.backbones.families import Family
from placement_search.errors import BackboneError
from placement_search.input_format import AudioFormat, ImageFormat, InputFormat, TextFormat

TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json")
PROCESSOR_FILE = "preprocessor_config.json"
JOINT_FILE = "processor_config.json"
"""Where transformers 5 writes an image processor that has a tokenizer beside it."""
N_MADE_UP_TOKENS = 16
"""Length of made-up texts, and of made-up waveforms in frames."""
DEFAULT_MAX_TOKENS = 512
"""For models whose positions have no end, such as T5, which was trained on this many."""


def input_format_of(config: object, family: Family, folder: Path | None) -> InputFormat:
    """What a model takes as input.

    Args:
        config: The model's configuration.
        family: Its family, which names the input.
        folder: Where tokenizer or image processor may lie; None for a model without files.

    Raises:
        BackboneError: If the configuration does not say it, or a file can't be read.
    """
    if family.inputs == "pixel_values":
        return _image_format(config, family, folder)
    if family.inputs == "input_values":
        return AudioFormat(_n_samples(_said(config, "conv_kernel"), _said(config, "conv_stride")))
    with_tokenizer = folder is not None and any((folder / f).is_file() for f in TOKENIZER_FILES)
    return TextFormat(
        folder=folder if with_tokenizer else None,
        vocabulary=int(_said(config, "vocab_size")),
        max_tokens=_max_tokens(config, family, folder),
    )


def _max_tokens(config: object, family: Family, folder: Path | None) -> int:
    positions = getattr(config, "max_position_embeddings", None)
    limits = [int(positions) if positions and int(positions) > 0 else DEFAULT_MAX_TOKENS]
    if family.positions_after_padding:
        limits[0] -= int(getattr(config, "pad_token_id", None) or 0) + 1
    said = _read_json(folder, "tokenizer_config.json").get("model_max_length")
    # Tokenizers without a limit say 1e30.
    if isinstance(said, int | float) and 1 <= said < math.inf:
        limits.append(int(said))
    return min(limits)


def _n_samples(kernels: list[int], strides: list[int]) -> int:
    """Samples that convolutions turn into `N_MADE_UP_TOKENS` frames."""
    n_samples = N_MADE_UP_TOKENS
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=True):
        n_samples = (n_samples - 1) * stride + kernel
    return n_samples


def _image_format(config: object, family: Family, folder: Path | None) -> ImageFormat:
    n_channels = int(getattr(config, "num_channels", 3))
    processor = _image_processor(folder)
    height, width = _size(config, family, processor)
    is_scaled = bool(processor.get("do_normalize", True))
    return ImageFormat(
        folder=folder if processor else None,
        height=height,
        width=width,
        n_channels=n_channels,
        mean=_by_channel(processor, "image_mean", 0.5 if is_scaled else 0.0, n_channels),
        std=_by_channel(processor, "image_std", 0.5 if is_scaled else 1.0, n_channels),
    )


def _image_processor(folder: Path | None) -> dict[str, Any]:
    """What is said of the image processor, in the file that transformers prefers; or nothing."""
    nested = _read_json(folder, JOINT_FILE).get("image_processor")
    return nested if isinstance(nested, dict) else _read_json(folder, PROCESSOR_FILE)


def _by_channel(
    processor: Mapping[str, Any], key: str, default: float, n_channels: int
) -> tuple[float, ...]:
    """One number for each channel.

    Raises:
        BackboneError: If the image processor gives another number of them.
    """
    if not processor.get("do_normalize", True) or processor.get(key) is None:
        return (default,) * n_channels
    given = processor[key]
    listed = given if isinstance(given, list) else [given] * n_channels
    values = tuple(float(each) for each in listed if isinstance(each, int | float))
    if len(values) != n_channels or len(listed) != n_channels:
        raise BackboneError(
            f"{key} of the image processor needs a number for each of {n_channels} channels, "
            f"got {given}"
        )
    return values


def _size(config: object, family: Family, processor: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width: the configuration's where it is the only one that the model reads."""
    is_cropped = "crop_size" in processor and processor.get("do_center_crop", True)
    wanted = processor.get("crop_size" if is_cropped else "size")
    configured = getattr(config, "image_size", None)
    if configured is not None and (wanted is None or not family.any_size):
        wanted = configured
    if wanted is None:
        _said(config, "image_size")
    return _pair(wanted)


def _pair(size: Any) -> tuple[int, int]:  # noqa: ANN401 - whatever JSON holds
    """Height and width.

    Raises:
        BackboneError: If the size does not say them.
    """
    given = [size, size]
    if isinstance(size, Mapping):
        edge = size.get("shortest_edge")
        given = [size.get("height", edge), size.get("width", edge)]
    elif isinstance(size, list | tuple):
        given = list(size)
    if len(given) != 2 or not all(isinstance(each, int | float) and each >= 1 for each in given):
        raise BackboneError(
            f"the size of images must be one number, two, a height and a width or a shortest edge, "
            f"each at least 1; got {size!r}"
        )
    return int(given[0]), int(given[1])


def _said(config: object, key: str) -> Any:  # noqa: ANN401 - whatever a configuration holds
    """An entry of a configuration.

    Raises:
        BackboneError: If it is missing.
    """
    value = getattr(config, key, None)
    if value is None:
        raise BackboneError(
            f"{type(config).__name__} says no {key}, which models of this input have; a described "
            "family names its own as inputs, and as_backbone takes an input_format"
        )
    return value


def _read_json(folder: Path | None, name: str) -> dict[str, Any]:
    """What a JSON file holds; empty where there is none.

    Raises:
        BackboneError: If it is no JSON object.
    """
    if folder is None or not (folder / name).is_file():
        return {}
    try:
        held = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BackboneError(f"{folder / name} can't be read: {error}") from error
    if not isinstance(held, dict):
        raise BackboneError(f"{folder / name} must hold a JSON object")
    return held
