"""The luck of being chosen: what the benchmark counts, on numbers made up for it."""

import pytest

from benchmarks.choice_luck import called_better, within_layouts


def final(layout: str, score: float, test_score: float) -> dict[str, object]:
    return {"layout_id": layout, "card": {"score": score, "test_score": test_score}}


def test_scores_correlate_within_layouts_alone() -> None:
    """One layout is better on both splits, and its seeds go against each other."""
    finals = [
        final("a", 0.1, 0.2),
        final("b", 0.8, 0.9),
        final("a", 0.2, 0.1),
        final("b", 0.9, 0.8),
    ]

    correlation, n_scores = within_layouts({"finals": finals})

    assert correlation == pytest.approx(-1.0)
    assert n_scores == 4


def test_the_best_of_equals_is_called_better_too_often_by_what_it_was_chosen_by() -> None:
    """And no more often than other layouts by what comes afterwards."""
    before, after = called_better(0.7, 600, seed=1)

    assert before > 0.07
    assert after < 0.05
