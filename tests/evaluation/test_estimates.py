import math
import warnings
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from placement_search.evaluation.estimates import (
    Estimate,
    difference_estimate,
    mean_estimate,
    paired_estimate,
    rank_correlation,
    standard_error,
)

accuracies = st.integers(0, 1000).map(lambda n: n / 1000)
several = st.lists(accuracies, min_size=2, max_size=8)
OURS = [0.61, 0.64, 0.66, 0.6]
THEIRS = [0.58, 0.55, 0.61]


@given(several.filter(lambda values: len(set(values)) > 1))
@settings(deadline=None)
def test_the_interval_of_a_mean_is_students(values: list[float]) -> None:
    """As scipy gives it from mean, standard error and n-1 degrees of freedom."""
    low, high = stats.t.interval(
        0.95, len(values) - 1, loc=math.fsum(values) / len(values), scale=stats.sem(values)
    )
    estimate = mean_estimate(values)

    # Two ways of rounding a mean and a standard deviation of numbers within [0, 1].
    assert math.isclose(estimate.low, low, abs_tol=1e-12)
    assert math.isclose(estimate.high, high, abs_tol=1e-12)
    assert estimate.n == len(values)


@given(several)
@settings(deadline=None)
def test_an_interval_holds_its_mean_in_its_middle(values: list[float]) -> None:
    """So that a table may show it as mean ± half the interval."""
    estimate = mean_estimate(values)

    assert estimate.low <= estimate.mean <= estimate.high
    # Rounding of sums of numbers that a t quantile of 12.7 may have enlarged.
    assert math.isclose(estimate.high - estimate.mean, estimate.mean - estimate.low, abs_tol=1e-12)


@pytest.mark.parametrize("values", [[0.7], [0.7, 0.7, 0.7]])
def test_a_single_value_and_equal_values_give_a_point(values: list[float]) -> None:
    """There is no spread to speak of."""
    estimate = mean_estimate(values)

    # The mean of equal numbers is that number, rounded once.
    assert (estimate.low, estimate.high) == (estimate.mean, estimate.mean)
    assert estimate.mean == pytest.approx(0.7, rel=1e-15)


def test_the_standard_error_is_scipys() -> None:
    """Sample deviation over the root of the count; none for a single value."""
    # Two ways of rounding.
    assert standard_error(OURS) == pytest.approx(stats.sem(OURS), rel=1e-12)
    assert standard_error([0.7]) == 0


def test_an_estimate_is_shown_with_half_its_interval() -> None:
    """As tables print it."""
    assert str(Estimate(0.5, 0.45, 0.55, 3)) == "0.5000 ± 0.0500"


def test_the_interval_of_a_difference_is_welchs() -> None:
    """As scipy gives it for samples of unequal variance."""
    interval = stats.ttest_ind(OURS, THEIRS, equal_var=False).confidence_interval(0.95)
    estimate = difference_estimate(OURS, THEIRS)

    # Two ways of rounding.
    assert estimate.mean == pytest.approx(sum(OURS) / 4 - sum(THEIRS) / 3, rel=1e-12)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(interval), rel=1e-9)
    assert estimate.n == 7


@given(several, several)
@settings(deadline=None)
def test_exchanging_both_sides_mirrors_the_difference(
    ours: list[float], theirs: list[float]
) -> None:
    """Better one way round is worse the other way round, by as much, and never not a number."""
    estimate, mirrored = difference_estimate(ours, theirs), difference_estimate(theirs, ours)

    assert estimate.low <= estimate.mean <= estimate.high
    # Rounding of sums of numbers within [0, 1].
    assert math.isclose(estimate.mean, -mirrored.mean, abs_tol=1e-12)
    assert math.isclose(estimate.low, -mirrored.high, abs_tol=1e-9)


def test_equal_scores_on_one_side_give_an_interval_and_no_warning() -> None:
    """Three seeds often agree to the last digit: an accuracy counts a few hundred examples."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        estimate = difference_estimate([0.9, 0.9, 0.9], THEIRS)
    theirs = mean_estimate(THEIRS)

    # A constant side has no error, so the other side's Student interval is left; two roundings.
    assert estimate.mean == pytest.approx(0.9 - theirs.mean, rel=1e-12)
    assert estimate.high - estimate.mean == pytest.approx(theirs.high - theirs.mean, rel=1e-9)


def test_the_interval_of_paired_differences_is_students() -> None:
    """As scipy gives it for related samples."""
    theirs = [score - shift for score, shift in zip(OURS, (0.1, 0.12, 0.07, 0.11), strict=True)]
    interval = stats.ttest_rel(OURS, theirs).confidence_interval(0.95)
    estimate = paired_estimate(OURS, theirs)

    # Two ways of rounding.
    assert (estimate.low, estimate.high) == pytest.approx(tuple(interval), rel=1e-9)
    assert estimate.n == len(OURS)


@given(several)
@settings(deadline=None)
def test_what_pairs_have_in_common_drops_out(common: list[float]) -> None:
    """However much the common part varies."""
    ours = [value + 0.5 + index % 2 for index, value in enumerate(common)]
    estimate = paired_estimate(ours, common)
    bare = mean_estimate([0.5 + index % 2 for index in range(len(common))])

    # Rounding of sums of numbers within [0, 2].
    assert estimate.mean == pytest.approx(bare.mean, abs=1e-12)
    assert estimate.low == pytest.approx(bare.low, abs=1e-9)


def test_equal_scores_on_both_sides_give_a_point() -> None:
    """No spread on either side."""
    estimate = difference_estimate([0.9, 0.9], [0.8, 0.8])

    assert estimate.low == estimate.mean == estimate.high == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize("values", [[1.0, 2.0, 3.0, 4.0, 5.0], [0.1, 0.3, 0.2, 0.9, 0.8, 0.7]])
@pytest.mark.parametrize("change", [lambda x: x, math.exp, lambda x: x**3])
def test_a_monotone_relation_correlates_perfectly(
    values: list[float], change: Callable[[float], float]
) -> None:
    """Spearman sees ranks alone; a falling relation gives -1."""
    rising = rank_correlation(values, [change(value) for value in values])
    falling = rank_correlation(values, [-change(value) for value in values])

    assert rising is not None
    assert falling is not None
    # A correlation of ranks computed in float64.
    assert rising.mean == pytest.approx(1, abs=1e-12)
    assert falling.mean == pytest.approx(-1, abs=1e-12)
    assert (rising.high, falling.low) == (rising.mean, falling.mean)


@pytest.mark.parametrize("n", [5, 8, 40])
def test_a_perfect_correlation_is_as_unsure_as_the_next_smaller_one(n: int) -> None:
    """Few pairs lie in order by chance, so they leave a wide interval and no point."""
    order = [float(index) for index in range(n)]
    nearly = [*order[:-2], order[-1], order[-2]]
    perfect, next_smaller = rank_correlation(order, order), rank_correlation(order, nearly)

    assert perfect is not None
    assert next_smaller is not None
    # Two ways of rounding.
    assert perfect.low == pytest.approx(next_smaller.low, rel=1e-9)
    assert (perfect.low > 0) == (n > 5)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 4.0]),
        ([1.0] * 6, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
        ([1.0, 2.0, 3.0, 4.0, 5.0, 6.0], [1.0] * 6),
        ([], []),
    ],
)
def test_nothing_to_correlate_gives_none(ours: list[float], theirs: list[float]) -> None:
    """Fewer than five pairs, or a side that is constant."""
    assert rank_correlation(ours, theirs) is None


pairs = st.lists(st.tuples(accuracies, accuracies), min_size=5, max_size=30)


@pytest.mark.slow
@given(pairs)
@settings(deadline=None)
def test_a_correlation_and_its_interval_are_scipys_and_stay_within_one(
    both: list[tuple[float, float]],
) -> None:
    """The interval holds the correlation, which is symmetric in its sides and odd in each."""
    ours, theirs = [one for one, _ in both], [other for _, other in both]
    estimate = rank_correlation(ours, theirs)
    if estimate is None:
        assert len(set(ours)) == 1 or len(set(theirs)) == 1
        return
    mirrored = rank_correlation(theirs, [-one for one in ours])

    assert mirrored is not None
    assert -1 - 1e-12 <= estimate.low <= estimate.mean <= estimate.high <= 1 + 1e-12
    # A correlation of ranks computed in float64.
    assert estimate.mean == pytest.approx(stats.spearmanr(ours, theirs).statistic, abs=1e-12)
    assert (mirrored.low, mirrored.high) == pytest.approx((-estimate.high, -estimate.low), abs=1e-6)


def test_the_interval_of_a_correlation_is_bonett_and_wrights() -> None:
    """Their Equation: Fisher's z with the variance (1 + ρ²/2) / (n - 3), back by tanh."""
    ours, theirs = [1.0, 2, 3, 4, 5, 6, 7, 8], [2.0, 1, 4, 3, 8, 5, 6, 7]
    estimate = rank_correlation(ours, theirs)
    # 1 - 6 Σd² / (n(n²-1)), with Σd² = 1+1+1+1+9+1+1+1 = 16.
    rho = 1 - 6 * 16 / (8 * 63)
    half = 1.959963984540054 * math.sqrt((1 + rho**2 / 2) / 5)

    assert estimate is not None
    # The normal quantile has sixteen digits.
    assert estimate.mean == pytest.approx(rho, rel=1e-12)
    assert estimate.low == pytest.approx(math.tanh(math.atanh(rho) - half), rel=1e-12)
    assert estimate.high == pytest.approx(math.tanh(math.atanh(rho) + half), rel=1e-12)
