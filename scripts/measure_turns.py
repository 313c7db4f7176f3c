"""Measure which digits' turns can be told apart; docs/decisions/0004 rests on these tables.

    python -m scripts.measure_turns

Over the training split's digit images alone, drawn as digits-rotation draws them. First table: the
highest correlation of digit a's mean picture, turned by 45 degrees or more, with digit b's upright
mean. Second table: the share of single pictures of a, upright, that correlate better with b's mean
turned by 45 degrees or more than with a's own upright mean.
"""

import argparse

import numpy as np
import torch
from torch import Tensor

from placement_search.tasks.canvas import Placement, drawn
from placement_search.tasks.digits import DigitImages, load_digit_splits

TURNS = np.arange(2, 15) * 22.5
WIDTH = 12.0
SETS = (
    list(range(10)),
    [2, 3, 4, 5, 6, 7, 9],
    [2, 3, 4, 5, 6, 7],
    [2, 3, 4, 5, 7],
    [3, 4, 6, 7],
    [3, 6, 7],
)


def standardised(pictures: Tensor) -> Tensor:
    """Pictures as unit vectors of zero mean, so that dot products are correlations.

    Args:
        pictures: Shape ``(n, 1, height, width)``.

    Returns:
        Shape ``(n, height * width)``.
    """
    flat = pictures.flatten(1)
    centred = flat - flat.mean(dim=1, keepdim=True)
    lengths = centred.square().sum(dim=1, keepdim=True).sqrt()
    return centred / lengths


def upright(images: DigitImages) -> list[Tensor]:
    """For each digit its pictures: shape ``(n, 256)`` each, standardised."""
    pictures = drawn(images.images, Placement.centred(len(images), WIDTH))
    return [standardised(pictures[images.digits == digit]) for digit in range(10)]


def mean_images(images: DigitImages) -> Tensor:
    """Each digit's mean image: shape ``(10, 8, 8)``."""
    return torch.stack([images.images[images.digits == digit].mean(dim=0) for digit in range(10)])


def turned(means: Tensor) -> Tensor:
    """Every mean at every turn: shape ``(10, n_turns, 256)``, standardised."""
    n_turns = len(TURNS)
    zeros = np.zeros(10 * n_turns)
    placement = Placement(zeros + WIDTH, zeros, zeros, np.tile(TURNS, 10))
    pictures = drawn(means.repeat_interleave(n_turns, dim=0), placement)
    return standardised(pictures).view(10, n_turns, -1)


def similarities(
    images: DigitImages, turned_means: Tensor, upright_means: Tensor
) -> tuple[list[Tensor], list[Tensor]]:
    """For each digit's pictures the correlation with their own upright mean, shape ``(n,)``.

    Second, the best correlation with each digit's turned means, shape ``(n, 10)``.
    """
    pictures = upright(images)
    own = [pictures[digit] @ upright_means[digit] for digit in range(10)]
    others = [torch.einsum("np,btp->nbt", part, turned_means).amax(dim=2) for part in pictures]
    return own, others


def _share(is_so: Tensor) -> Tensor:
    return is_so.float().mean(dim=0)


def print_table(title: str, table: Tensor) -> None:
    """Print digit a by row and digit b by column."""
    print(f"\n{title}\n a\\b " + "".join(f"{digit:6d}" for digit in range(10)))
    for digit, row in enumerate(table.tolist()):
        print(f"{digit:4d} " + "".join(f"{value:6.2f}" for value in row))


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    images = load_digit_splits()["train"]
    means = mean_images(images)
    turned_means = turned(means)
    upright_means = standardised(drawn(means, Placement.centred(10, WIDTH)))
    correlations = torch.einsum("atp,bp->atb", turned_means, upright_means).amax(dim=1)
    print_table("Highest correlation of a's turned mean with b's upright mean", correlations)

    own, others = similarities(images, turned_means, upright_means)
    shares = torch.stack([_share(others[a] > own[a][:, None]) for a in range(10)])
    print_table("Share of a's pictures nearer to b's turned mean than to a's upright mean", shares)

    print("\nShare of pictures whose best match in the set is turned")
    for digits in SETS:
        wrong = [_share(others[a][:, digits].amax(dim=1) > own[a]).item() for a in digits]
        by_digit = "  ".join(f"{a}: {share:.2f}" for a, share in zip(digits, wrong, strict=True))
        print(f"mean {np.mean(wrong):.3f}, highest {max(wrong):.2f}   {by_digit}")


if __name__ == "__main__":
    main()
