import numpy as np

from benchmarks.placements.held_out import WIDTHS, sized
from placement_search.tasks.digits import load_digit_splits


def test_larger_digits_cover_more_of_the_canvas() -> None:
    """The label is the width: brightness in all rises from each one to the next."""
    canvases, labels = sized(load_digit_splits()["test"], 600, np.random.default_rng(0))
    ink = [canvases[labels == label].sum((1, 2)).mean() for label in range(len(WIDTHS))]

    assert canvases.shape == (600, 16, 16)
    assert np.bincount(labels).tolist() == [100] * len(WIDTHS)
    assert ink == sorted(ink)
