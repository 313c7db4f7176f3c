"""Columns of texts and images read as such, and what is wrong with them."""

import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import BITSPERSAMPLE, TiffImageFile

from placement_search.tasks.columns import Columns
from placement_search.tasks.faults import Fault, shortened
from placement_search.tasks.raw import Content, Images, Texts

NO_TEXT = "a text must not be missing or empty"
NO_IMAGE = "an image must be a readable image file"

BROKEN = (
    UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError,
    struct.error, TypeError, RuntimeError, KeyError,
)  # fmt: skip
"""What Pillow raises on files that are no images, not whole, or that it can't turn or convert."""

FULL_RANGE = ("PNG", "PPM")
"""Formats whose levels reach 65535 where Pillow reads them as 32-bit integers."""

MODES = ("L", "RGB")
"""What backbones take: grey or colours."""


def read_content(
    table: Mapping[str, Sequence[object]], columns: Columns, folder: Path, split: str
) -> tuple[Content, list[Fault]]:
    """Texts or images of one split.

    Args:
        table: Values of each column.
        columns: Which columns are meant.
        folder: What relative paths of images start from.
        split: Its name, for faults.
    """
    if columns.image is not None:
        return _read_images(table[columns.image], columns.image, folder, split)
    names = [name for name in (columns.text, columns.text_pair) if name is not None]
    faults = [
        Fault(NO_TEXT, split, row, name, repr(text))
        for name in names
        for row, text in enumerate(table[name])
        if not isinstance(text, str) or not text.strip()
    ]
    first, *second = (tuple(str(text) for text in table[name]) for name in names)
    return Texts(first, second[0] if second else None), faults


def decoded(encoded: bytes, *, mode: str) -> Image.Image:
    """An image file's picture, the right way up.

    Args:
        encoded: The file's content.
        mode: ``L`` for grey, ``RGB`` for colours; transparency is dropped, 16 bits become 8.

    Raises:
        OSError: If it is no image or not whole; so do the others of `BROKEN`.
    """
    upright = _upright(encoded)
    return upright if upright.mode == mode else upright.convert(mode)


def _upright(encoded: bytes) -> Image.Image:
    """The picture as its camera was held, in a mode that converts to those of `MODES`."""
    image = Image.open(io.BytesIO(encoded))
    image.load()
    _check_depth(image)
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        # Pillow scales native 32-bit integers only, not 16 bits of either byte order.
        return upright.convert("I").point(lambda level: level / 256).convert("L")
    return upright.convert("RGBA") if upright.mode in {"P", "LA", "PA"} else upright


def _check_depth(image: Image.Image) -> None:
    """Levels of 8 or 16 bits tell which of them is white; of other numbers that is not known.

    Raises:
        ValueError: If there are no such levels.
    """
    is_deep = image.mode == "F" or (image.mode.startswith("I") and not _has_16_bits(image))
    if is_deep:
        raise ValueError(
            f"its levels must be whole numbers of 8 or 16 bits, none below 0, and Pillow's mode "
            f"{image.mode} of a {image.format} file is of others; convert it"
        )


def _has_16_bits(image: Image.Image) -> bool:
    """Whether an image of whole numbers, of which Pillow's mode tells little, has 16 bits."""
    if not isinstance(image, TiffImageFile):
        return image.mode != "I" or image.format in FULL_RANGE
    is_wide = image.tag_v2[BITSPERSAMPLE] == (16,)
    return is_wide and not (image.mode == "I" and _lowest(image) < 0)


def _lowest(image: Image.Image) -> float:
    return cast("tuple[float, float]", image.getextrema())[0]


def _read_images(
    values: Sequence[object], column: str, folder: Path, split: str
) -> tuple[Images, list[Fault]]:
    encoded: list[bytes] = []
    faults: list[Fault] = []
    for row, value in enumerate(values):
        content = b""
        try:
            content = _content_of(value, folder)
            _check(content)
        except BROKEN as error:
            got = "nothing" if value is None else f"{_told(value)}{error}"
            faults.append(Fault(NO_IMAGE, split, row, column, got))
        encoded.append(content)
    return Images(tuple(encoded)), faults


def _content_of(value: object, folder: Path) -> bytes:
    """The bytes of an image file, given as such, or by its path, or as the hub stores both."""
    if isinstance(value, dict):
        value = value["path"] if value.get("bytes") is None else value["bytes"]
    if isinstance(value, bytes):
        return value
    if not isinstance(value, str) or not value:
        raise ValueError("no image is given")
    return (folder / value).read_bytes()


def _check(content: bytes) -> None:
    """Decode it all, and convert it as any backbone may need it."""
    upright = _upright(content)
    for mode in MODES:
        upright.convert(mode)


def _told(value: object) -> str:
    path = value.get("path") if isinstance(value, dict) else value
    return f"{shortened(path)}: " if isinstance(path, str) else ""
