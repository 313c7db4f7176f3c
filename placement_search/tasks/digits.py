"""Four tasks made from scikit-learn's digits: their class, place, turn and number.

The 1797 images are split once and every canvas of a split is made from that split's images alone,
so no handwriting of the test split is ever trained on. Where a split holds fewer images than its
canvases need, images come again at other places or turns. Every choice is drawn from a numpy
generator with a fixed seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from placement_search.tasks.canvas import CANVAS_SIZE, Placement, drawn
from placement_search.tasks.metrics import METRICS
from placement_search.tasks.raw import Canvases, RawSplit, RawTask
from placement_search.tasks.target import Target

SPLIT_SIZES: Mapping[str, int] = {"train": 800, "validation": 400, "test": 597}
"""Digit images of each split."""

CANVASES: Mapping[str, int] = {"train": 800, "validation": 800, "test": 1194}
"""Canvases of each split, of every task but the digits themselves."""

N_ROWS_OF_CELLS = 4
N_TURNS = 16
TURN_JITTER = 0.4
"""Largest departure from a bin's middle, in bins; 0.5 would let neighbours touch."""

TURNABLE_DIGITS = (3, 4, 6, 7)
"""Digits whose turn can be told; docs/decisions/0004-rotation-digits.md has the measurement."""

LARGEST_COUNT = 6
N_ROWS_OF_COUNTED = 3

_SPLITTING_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class DigitImages:
    """Some of scikit-learn's digit images.

    Attributes:
        images: Shape ``(n, 8, 8)``, float32 brightness within ``[0, 1]``.
        digits: Shape ``(n,)``, int64: which digit each image shows.
    """

    images: Tensor
    digits: Tensor

    def __len__(self) -> int:
        return len(self.digits)

    def chosen(self, indices: np.ndarray) -> "DigitImages":
        """The images at ``indices``, in that order."""
        return DigitImages(self.images[indices], self.digits[indices])


Drawing = Callable[[DigitImages, int, np.random.Generator], RawSplit]
"""Makes that many canvases from a split's images."""


def load_digit_splits() -> dict[str, DigitImages]:
    """The digit images by split, each class spread over the splits in proportion to their sizes."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.from_numpy(pixels / 16).float().reshape(-1, 8, 8)
    everything = DigitImages(images, torch.from_numpy(labels).long())
    rng = np.random.default_rng(_SPLITTING_SEED)
    order = _stratified_order(labels, rng)
    ends = np.cumsum(list(SPLIT_SIZES.values()))[:-1]
    parts = np.split(order, ends)
    return {
        name: everything.chosen(rng.permutation(part))
        for name, part in zip(SPLIT_SIZES, parts, strict=True)
    }


def digits() -> RawTask:
    """Which of the ten digits is shown, enlarged to fill the canvas."""
    examples = {split: _enlarged(images) for split, images in load_digit_splits().items()}
    return _task("digits", tuple("0123456789"), examples)


def digits_location() -> RawTask:
    """In which of 4x4 cells of the canvas a digit of 8x8 pixels lies."""
    cells = range(1, N_ROWS_OF_CELLS + 1)
    names = tuple(f"row {row}, column {column}" for row in cells for column in cells)
    return _task("digits-location", names, _canvases(_located, seed=1))


def digits_rotation() -> RawTask:
    """By which multiple of 22.5 degrees a digit is turned anticlockwise."""
    names = tuple(f"{360 / N_TURNS * turn:g} degrees" for turn in range(N_TURNS))
    return _task("digits-rotation", names, _canvases(_turned, seed=2))


def digits_count() -> RawTask:
    """How many small digits are strewn over the canvas."""
    names = tuple(str(count) for count in range(1, LARGEST_COUNT + 1))
    return _task("digits-count", names, _canvases(_counted, seed=3))


def _task(name: str, label_names: tuple[str, ...], examples: Mapping[str, RawSplit]) -> RawTask:
    train, validation, test = (examples[split] for split in SPLIT_SIZES)
    target, metric = Target.SINGLE_LABEL, METRICS["accuracy"]
    return RawTask(name, target, label_names, metric, train, validation, test)


def _split(canvases: Tensor, labels: np.ndarray) -> RawSplit:
    return RawSplit(Canvases(canvases.numpy()), labels)


def _stratified_order(digits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A random order in which every stretch holds each class in proportion: shape ``(n,)``."""
    quantiles = np.empty(len(digits))
    for digit in np.unique(digits):
        members = np.flatnonzero(digits == digit)
        quantiles[members] = (rng.permutation(len(members)) + 0.5) / len(members)
    return np.argsort(quantiles, kind="stable")


def _canvases(draw: Drawing, seed: int) -> dict[str, RawSplit]:
    """Each split's canvases, drawn from its own images and its own random numbers."""
    return {
        split: draw(images, CANVASES[split], np.random.default_rng([seed, number]))
        for number, (split, images) in enumerate(load_digit_splits().items())
    }


def _enlarged(images: DigitImages) -> RawSplit:
    placement = Placement.centred(len(images), width=CANVAS_SIZE)
    return _split(drawn(images.images, placement), images.digits.numpy())


def _located(images: DigitImages, n_canvases: int, rng: np.random.Generator) -> RawSplit:
    """Digits of 8x8 pixels, moved by whole pixels: two steps along each axis to a cell."""
    cells = _balanced(N_ROWS_OF_CELLS**2, n_canvases, rng)
    rows, columns = np.divmod(cells, N_ROWS_OF_CELLS)
    down, right = 2 * np.stack([rows, columns]) + rng.integers(0, 2, (2, n_canvases)) - 4.0
    width = np.full(n_canvases, 8.0)
    placement = Placement(width=width, right=right, down=down, turn=np.zeros(n_canvases))
    pictures = images.chosen(_repeated(len(images), n_canvases, rng)).images
    return _split(drawn(pictures, placement), cells)


def _turned(images: DigitImages, n_canvases: int, rng: np.random.Generator) -> RawSplit:
    """Digits of 12x12 pixels, so that a turned one loses next to nothing at the corners."""
    bins = _balanced(N_TURNS, n_canvases, rng)
    jitter = rng.uniform(-TURN_JITTER, TURN_JITTER, n_canvases)
    turn = (bins + jitter) * 360 / N_TURNS
    zeros = np.zeros(n_canvases)
    placement = Placement(width=np.full(n_canvases, 12.0), right=zeros, down=zeros, turn=turn)
    turnable = images.chosen(_showing(images, TURNABLE_DIGITS))
    pictures = turnable.chosen(_repeated(len(turnable), n_canvases, rng)).images
    return _split(drawn(pictures, placement), bins)


def _counted(images: DigitImages, n_canvases: int, rng: np.random.Generator) -> RawSplit:
    """Digits of 4 to 5.2 pixels, each somewhere within its own one of 3x3 cells."""
    counts = 1 + _balanced(LARGEST_COUNT, n_canvases, rng)
    n_cells = N_ROWS_OF_COUNTED**2
    cells = rng.permuted(np.tile(np.arange(n_cells), (n_canvases, 1)), axis=1)
    cells = cells[:, :LARGEST_COUNT].reshape(-1)
    pictures = images.chosen(rng.integers(0, len(images), len(cells))).images
    layers = drawn(pictures, _within_cells(cells, rng))
    layers = layers.reshape(n_canvases, LARGEST_COUNT, 1, CANVAS_SIZE, CANVAS_SIZE)
    is_shown = torch.from_numpy(np.arange(LARGEST_COUNT) < counts[:, None])
    canvases = (layers * is_shown[:, :, None, None, None]).sum(dim=1).clamp(max=1)
    return _split(canvases, counts - 1)


def _within_cells(cells: np.ndarray, rng: np.random.Generator) -> Placement:
    cell_width = CANVAS_SIZE / N_ROWS_OF_COUNTED
    width = rng.uniform(4.0, 5.2, len(cells))
    slack = (cell_width - width) / 2
    rows_and_columns = np.stack(np.divmod(cells, N_ROWS_OF_COUNTED))
    jitter = slack * rng.uniform(-1, 1, (2, len(cells)))
    middle = (N_ROWS_OF_COUNTED - 1) / 2
    down, right = (rows_and_columns - middle) * cell_width + jitter
    return Placement(width=width, right=right, down=down, turn=np.zeros(len(cells)))


def _showing(images: DigitImages, wanted: Sequence[int]) -> np.ndarray:
    """Indices of the images that show one of the wanted digits."""
    return np.flatnonzero(np.isin(images.digits.numpy(), wanted))


def _balanced(n_classes: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Labels in random order, each class as often as any other or once more: shape ``(n,)``."""
    return rng.permutation(np.arange(n) % n_classes)


def _repeated(n_images: int, n: int, rng: np.random.Generator) -> np.ndarray:
    """Indices in random order, each image as often as any other or once more: shape ``(n,)``."""
    return rng.permutation(n_images)[np.arange(n) % n_images]
