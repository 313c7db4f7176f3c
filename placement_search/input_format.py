"""What a backbone takes as input; said by backbones, met by tasks. Loads no torch."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TextFormat:
    """A backbone that reads token ids.

    Args:
        folder: Holds the tokenizer; None for a model that came without one.
        vocabulary: Token ids lie below it.
        max_tokens: Most tokens that one text may have, special ones included.
    """

    folder: Path | None
    vocabulary: int
    max_tokens: int


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """A backbone that sees images.

    Args:
        folder: Holds the image processor; None for plain resizing and scaling.
        height: Pixels.
        width: Pixels.
        n_channels: 1 for grey, 3 for colours.
        mean: What is subtracted from brightness within [0, 1], by channel.
        std: What the difference is divided by, by channel.
    """

    folder: Path | None
    height: int
    width: int
    n_channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """A backbone that hears waveforms.

    Args:
        n_samples: Length of made-up waveforms; real ones are not read yet.
    """

    n_samples: int


InputFormat = TextFormat | ImageFormat | AudioFormat
