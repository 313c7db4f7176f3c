"""Pictures drawn onto a black canvas: shrunk or enlarged, turned and moved."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

CANVAS_SIZE = 16
"""Height and width of a canvas, pixels."""

BRIGHTNESS_LEVELS = 256


@dataclass(frozen=True, slots=True)
class Placement:
    """Where each of n pictures goes on its canvas; all arrays have shape ``(n,)``.

    Attributes:
        width: Width and height of the drawn picture, pixels.
        right: The picture's centre, pixels to the right of the canvas's centre.
        down: The same, pixels downwards.
        turn: Anticlockwise turn about the picture's centre, degrees.
    """

    width: np.ndarray
    right: np.ndarray
    down: np.ndarray
    turn: np.ndarray

    @classmethod
    def centred(cls, n: int, width: float) -> "Placement":
        """``n`` upright pictures of one width in the middle of their canvases."""
        zeros = np.zeros(n)
        return cls(width=np.full(n, width), right=zeros, down=zeros, turn=zeros)


def drawn(pictures: Tensor, placement: Placement) -> Tensor:
    """Each picture on its own canvas, interpolated bilinearly.

    Brightness is rounded to 1/256, so that the last bit of a machine's sine can't change a data
    set, nor its fingerprint; enlarging scikit-learn's 17 grey levels twofold loses nothing.

    Args:
        pictures: Shape ``(n, height, width)``, brightness within ``[0, 1]``.
        placement: Where each goes; a picture that leaves its canvas is cut off.

    Returns:
        Shape ``(n, 1, CANVAS_SIZE, CANVAS_SIZE)``, float32 within ``[0, 1]``.
    """
    n = len(pictures)
    maps = torch.from_numpy(_canvas_to_picture(placement))
    grid = affine_grid(maps, [n, 1, CANVAS_SIZE, CANVAS_SIZE], align_corners=False)
    canvases = grid_sample(pictures[:, None].double(), grid, align_corners=False)
    return ((canvases * BRIGHTNESS_LEVELS).round() / BRIGHTNESS_LEVELS).clamp(0, 1).float()


def _canvas_to_picture(placement: Placement) -> np.ndarray:
    """Affine maps from canvas to picture, both spanning ``[-1, 1]``: shape ``(n, 2, 3)``."""
    angle = placement.turn * (math.pi / 180)
    cosine, sine = np.cos(angle), np.sin(angle)
    turn_back = np.stack([cosine, -sine, sine, cosine], axis=1).reshape(-1, 2, 2)
    centre = np.stack([placement.right, placement.down], axis=1)[:, :, None]
    half_width = placement.width[:, None, None] / 2
    enlarge = turn_back * (CANVAS_SIZE / 2) / half_width
    return np.concatenate([enlarge, -turn_back @ centre / half_width], axis=2)
