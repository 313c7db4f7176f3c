r"""Writes a task that nothing of the search was made with, for the tabular benchmark.

    python -m benchmarks.placements.held_out --out runs/held-out
    python -m benchmarks.placements.build --data runs/held-out/digits-size --singles \
        --table runs/held-out/table.parquet --maps runs/held-out/maps.parquet
    python -m benchmarks.samplers --table runs/held-out/table.parquet \
        --maps runs/held-out/maps.parquet

`digits-size` asks how large a digit of scikit-learn's is, wherever it lies on a canvas of 16x16
pixels. It is written as Parquet with pictures, as any user's own data.
"""

import argparse
from pathlib import Path

import numpy as np
from datasets import ClassLabel, Dataset, Features, Image
from PIL import Image as Picture

from placement_search.tasks.canvas import CANVAS_SIZE, Placement, drawn
from placement_search.tasks.digits import CANVASES, DigitImages, load_digit_splits

WIDTHS = (5.0, 7.0, 9.0, 11.0, 13.0, 15.0)
JITTER = 0.6
"""Largest departure from a width, in pixels; 1 would let neighbours touch."""
SEED = 11


def sized(images: DigitImages, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Canvases with one digit each and the number of its width.

    Returns:
        Brightness within [0, 255], uint8, shape ``(n, 16, 16)``; labels, shape ``(n,)``.
    """
    labels = rng.permutation(np.arange(n) % len(WIDTHS))
    width = np.array(WIDTHS)[labels] + rng.uniform(-JITTER, JITTER, n)
    slack = np.maximum(0.0, (CANVAS_SIZE - width) / 2)
    right, down = slack * rng.uniform(-1, 1, (2, n))
    placement = Placement(width=width, right=right, down=down, turn=np.zeros(n))
    pictures = images.chosen(rng.permutation(len(images))[np.arange(n) % len(images)]).images
    canvases = drawn(pictures, placement).numpy().reshape(n, CANVAS_SIZE, CANVAS_SIZE)
    return np.rint(255 * canvases).astype(np.uint8), labels


def write(folder: Path) -> None:
    """Write the three splits of `digits-size`."""
    folder.mkdir(parents=True, exist_ok=True)
    names = [f"about {width:g} pixels" for width in WIDTHS]
    features = Features(image=Image(), label=ClassLabel(names=names))
    for number, (split, images) in enumerate(load_digit_splits().items()):
        canvases, labels = sized(images, CANVASES[split], np.random.default_rng([SEED, number]))
        rows = {"image": [Picture.fromarray(each) for each in canvases], "label": labels.tolist()}
        made = Dataset.from_dict(rows, features=features)
        made.to_parquet(str(folder / f"{split}.parquet"))


def main() -> None:
    """Write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, default=Path("runs/held-out"), help="where it goes")
    folder = parser.parse_args().out / "digits-size"
    write(folder)
    print(f"{folder}: train, validation and test")


if __name__ == "__main__":
    main()
