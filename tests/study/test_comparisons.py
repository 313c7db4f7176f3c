"""Comparisons: pairs of seeds where both sides have the same ones, Welch's interval else."""

import pytest
from scipy import stats

from placement_search.study.comparisons import Against, Method

OURS = {1: 0.80, 2: 0.70, 3: 0.90}
THEIRS = {3: 0.85, 1: 0.76, 2: 0.65}
"""In another order: what counts is the replicate."""


def test_the_same_replicates_are_paired() -> None:
    """The interval is that of the differences, much narrower here than Welch's."""
    paired = Against(OURS, 1, is_paired=True).layout("x", 5, THEIRS)
    welch = Against(OURS, 1, is_paired=False).layout("x", 5, THEIRS)
    expected = stats.ttest_1samp([0.04, 0.05, 0.05], 0.0).confidence_interval(0.95)

    assert (paired.method, welch.method) == (Method.PAIRED, Method.WELCH)
    # Two ways of rounding.
    assert (paired.gain.low, paired.gain.high) == pytest.approx(tuple(expected), rel=1e-9)
    assert paired.gain.mean == pytest.approx(welch.gain.mean, rel=1e-9)
    assert (paired.verdict, welch.verdict) == ("better", "not told apart")


def test_other_replicates_are_not_paired() -> None:
    """A gap on one side leaves seeds without a partner, which still say something."""
    comparison = Against(OURS, 1, is_paired=True).layout("x", 5, {1: 0.76, 2: 0.65})

    assert comparison.method is Method.WELCH
    assert comparison.gain.n == 5


def test_independent_values_are_never_paired() -> None:
    """Random layouts count one value each, which is no seed."""
    comparison = Against(OURS, 1, is_paired=True).independent("x", 5, list(THEIRS.values()))

    assert comparison.method is Method.WELCH


@pytest.mark.parametrize(("n", "is_paired", "verdict"), [
    (2, True, "not told apart"), (5, True, "not told apart"), (6, True, "better"),
    (3, False, "not told apart"), (4, False, "better"),
])  # fmt: skip
def test_equal_differences_need_enough_seeds_to_tell_layouts_apart(
    n: int, is_paired: bool, verdict: str
) -> None:
    """They have no spread; two seeds that gain one example each would be a sure gain by it."""
    # One of 800 examples each, whose differences differ in their last bits.
    right = [400 + 199 * seed % 300 for seed in range(n)] if is_paired else [400] * n
    ours, theirs = (
        {seed: (each - less) / 800 for seed, each in enumerate(right)} for less in (0, 1)
    )
    comparison = Against(ours, 1, is_paired=is_paired).layout("x", 5, theirs)

    assert comparison.gain.mean == pytest.approx(1 / 800)
    assert comparison.is_point
    assert comparison.verdict == verdict


def test_few_against_many_equal_values_are_not_told_apart() -> None:
    """Of eight values in order, two that lie above six are no rare draw: 2 of 28."""
    ours = {1: 0.9, 2: 0.9}

    assert Against(ours, 1, is_paired=True).independent("x", 5, [0.8] * 6).verdict == (
        "not told apart"
    )


def test_the_last_bit_of_a_mean_is_no_gain() -> None:
    """Means of equal scores differ by it where they are of other numbers of seeds."""
    score = 61 / 90
    ours = dict.fromkeys(range(5), score)
    comparison = Against(ours, 1, is_paired=True).independent("x", 5, [score] * 6)

    assert comparison.gain.mean != 0
    assert comparison.verdict == "not told apart"


@pytest.mark.parametrize("unit", [1.0, 1e-9, 1e9])
def test_a_verdict_does_not_depend_on_the_unit(unit: float) -> None:
    """Errors come in that of the target, which may be metres for what is measured in nanometres."""
    ours = {seed: unit * each for seed, each in enumerate((30.0, 31.0, 29.0, 30.5, 29.5))}
    theirs = {seed: each + unit * (10 + 0.1 * (-1) ** seed) for seed, each in ours.items()}
    comparison = Against(ours, -1, is_paired=True).layout("x", 5, theirs)

    assert not comparison.is_point
    assert comparison.verdict == "better"


@pytest.mark.parametrize("is_paired", [False, True])
def test_a_lower_error_is_a_gain(is_paired: bool) -> None:
    """Where less is better, signs turn, in both kinds of interval."""
    up = Against(OURS, 1, is_paired=is_paired).layout("x", 5, THEIRS).gain
    down = Against(OURS, -1, is_paired=is_paired).layout("x", 5, THEIRS).gain

    assert (down.mean, down.low, down.high) == pytest.approx((-up.mean, -up.high, -up.low))
