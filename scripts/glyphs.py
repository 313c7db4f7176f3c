"""Glyphs drawn at random: the pictures that the embedded backbone learns from.

A class is one to three Bézier strokes, an alphabet is a set of classes, and a picture is one
class drawn once more by an unsteady hand: the control points wobble, an affine map turns, shears,
stretches and moves them, and the pen has its own width, softness and ink. The pen is white on
black, as in scikit-learn's digits. Everything is drawn from the generator given, so a seed and a
torch version fix every picture.
"""

import math
from dataclasses import dataclass

import torch
from torch import Generator, Tensor

IMAGE_SIZE = 16
MAX_STROKES = 3
POINTS_PER_STROKE = 20


@dataclass(frozen=True, slots=True)
class Alphabet:
    """The control points of every class.

    Attributes:
        controls: Shape ``(n_classes, MAX_STROKES, 4, 2)``: x and y of each cubic stroke's four
            control points; the strokes of a class fill ``[-1, 1]`` along their longer side.
        is_drawn: Shape ``(n_classes, MAX_STROKES)``, boolean: which strokes the class has.
    """

    controls: Tensor
    is_drawn: Tensor

    @property
    def n_classes(self) -> int:
        """How many classes the alphabet has."""
        return self.controls.shape[0]


@dataclass(frozen=True, slots=True)
class Hand:
    """How unsteadily a class is drawn; every range is drawn from uniformly.

    Attributes:
        wobble: Standard deviation of each control point, in units of the glyph's half-width.
        half_width: Half the glyph's longer side, as a share of half the picture.
        stretch: Largest absolute logarithm of the ratio of height to width.
        turn: Largest turn either way, radians.
        shear: Largest absolute shear, x per y.
        pen: Half the pen's width, pixels.
        softness: Length over which the pen's edge fades, pixels.
        ink: Brightness of the pen, within ``[0, 1]``.
    """

    wobble: float = 0.06
    half_width: tuple[float, float] = (0.45, 0.95)
    stretch: float = 0.3
    turn: float = math.radians(15)
    shear: float = 0.2
    pen: tuple[float, float] = (0.4, 1.8)
    softness: tuple[float, float] = (0.2, 0.6)
    ink: tuple[float, float] = (0.75, 1.0)


def draw_alphabet(n_classes: int, generator: Generator) -> Alphabet:
    """Invent ``n_classes`` classes of one to three strokes, half of the strokes joined.

    Raises:
        ValueError: If ``n_classes`` is below 1.
    """
    if n_classes < 1:
        raise ValueError(f"an alphabet needs at least 1 class, got {n_classes}")
    controls = 2 * torch.rand(n_classes, MAX_STROKES, 4, 2, generator=generator) - 1
    n_strokes = torch.randint(1, MAX_STROKES + 1, (n_classes, 1), generator=generator)
    is_drawn = torch.arange(MAX_STROKES) < n_strokes
    is_joined = torch.rand(n_classes, MAX_STROKES, generator=generator) < 0.5
    for stroke in range(1, MAX_STROKES):
        starts, ends = controls[:, stroke, 0], controls[:, stroke - 1, 3]
        controls[:, stroke, 0] = torch.where(is_joined[:, stroke, None], ends, starts)
    return Alphabet(_centred(controls, is_drawn), is_drawn)


def draw_glyphs(
    alphabet: Alphabet, labels: Tensor, generator: Generator, hand: Hand | None = None
) -> Tensor:
    """Draw one picture per label.

    Args:
        alphabet: The classes.
        labels: Shape ``(n,)``, classes of ``alphabet``.
        generator: Where the hand's unsteadiness comes from.
        hand: How unsteady; the default is the embedded backbone's.

    Returns:
        Shape ``(n, 1, IMAGE_SIZE, IMAGE_SIZE)``, brightness within ``[0, 1]``.
    """
    hand = hand or Hand()
    controls = alphabet.controls[labels]
    controls = controls + hand.wobble * torch.randn(controls.shape, generator=generator)
    points = _placed(_curve_points(controls), alphabet.is_drawn[labels], hand, generator)
    return _inked(points, alphabet.is_drawn[labels], hand, generator)


def _curve_points(controls: Tensor) -> Tensor:
    """Points along each cubic stroke: shape ``(n, MAX_STROKES, POINTS_PER_STROKE, 2)``."""
    t = torch.linspace(0, 1, POINTS_PER_STROKE)
    bernstein = torch.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], dim=1)
    return torch.einsum("tc,nscx->nstx", bernstein, controls)


def _extent(points: Tensor, is_drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest corner of the drawn points: each of shape ``(n, 2)``."""
    hidden = ~is_drawn[:, :, None, None]
    lowest = points.masked_fill(hidden, math.inf).amin(dim=(1, 2))
    highest = points.masked_fill(hidden, -math.inf).amax(dim=(1, 2))
    return lowest, highest


def _centred(controls: Tensor, is_drawn: Tensor) -> Tensor:
    """The same strokes, moved and scaled so that their longer side fills ``[-1, 1]``."""
    lowest, highest = _extent(_curve_points(controls), is_drawn)
    middle = ((lowest + highest) / 2)[:, None, None, :]
    half_width = ((highest - lowest) / 2).amax(dim=1)[:, None, None, None]
    return (controls - middle) / half_width


def _placed(points: Tensor, is_drawn: Tensor, hand: Hand, generator: Generator) -> Tensor:
    """Turned, sheared and stretched, then scaled and moved to a place where the glyph fits."""
    n = points.shape[0]
    turn = hand.turn * _signed(n, generator)
    shear = hand.shear * _signed(n, generator)
    stretch = torch.exp(hand.stretch * _signed(n, generator) / 2)
    cosine, sine = turn.cos(), turn.sin()
    turned = torch.stack([cosine, -sine, sine, cosine], dim=1).view(n, 2, 2)
    zero = torch.zeros(n)
    sheared = torch.stack([1 / stretch, shear, zero, stretch], dim=1).view(n, 2, 2)
    points = torch.einsum("nxy,nsty->nstx", turned @ sheared, points)

    lowest, highest = _extent(points, is_drawn)
    longer = ((highest - lowest) / 2).amax(dim=1, keepdim=True)
    half_width = _between(hand.half_width, n, generator)[:, None]
    scale = half_width / longer
    slack = 1 - scale * (highest - lowest) / 2
    target = slack * _signed(2 * n, generator).view(n, 2)
    shift = target - scale * (lowest + highest) / 2
    return scale[:, :, None, None] * points + shift[:, None, None, :]


def _inked(points: Tensor, is_drawn: Tensor, hand: Hand, generator: Generator) -> Tensor:
    """Pictures of the strokes: each pixel by its distance to the nearest drawn point."""
    n = points.shape[0]
    hidden = ~is_drawn[:, :, None, None]
    pixels = (points.masked_fill(hidden, math.inf) + 1) * (IMAGE_SIZE / 2) - 0.5
    pixels = pixels.flatten(1, 2)
    axis = torch.arange(IMAGE_SIZE, dtype=pixels.dtype)
    across = (pixels[:, :, 0, None] - axis).square()
    down = (pixels[:, :, 1, None] - axis).square()
    distance = (down[:, :, :, None] + across[:, :, None, :]).amin(dim=1).sqrt()
    pen = _between(hand.pen, n, generator)[:, None, None]
    softness = _between(hand.softness, n, generator)[:, None, None]
    ink = _between(hand.ink, n, generator)[:, None, None]
    return (ink * torch.sigmoid((pen - distance) / softness))[:, None]


def _between(bounds: tuple[float, float], n: int, generator: Generator) -> Tensor:
    lowest, highest = bounds
    return lowest + (highest - lowest) * torch.rand(n, generator=generator)


def _signed(n: int, generator: Generator) -> Tensor:
    return 2 * torch.rand(n, generator=generator) - 1
