"""Means with their intervals, from a few repeated scores."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from scipy import stats

from placement_search.rounding import score_text, size_text

CONFIDENCE = 0.95
ROUNDING = 1e-9
"""Relative difference below which values are equal, but for the last bits of scores and means."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean with a two-sided 95 % interval.

    Args:
        mean: The mean.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: Number of values behind it.
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        """The mean and half the interval's length, as plain text shows it."""
        return f"{score_text(self.mean)} ± {size_text((self.high - self.low) / 2)}"


def is_rounding(difference: float, *values: float) -> bool:
    """Whether a difference is none: what the last bits of such values leave."""
    return abs(difference) <= ROUNDING * max(map(abs, values))


def is_as_good(mean: float, floor: float, sign: int) -> bool:
    """Whether a mean is not below a floor, but for last bits; above it where ``sign`` is -1."""
    return sign * (mean - floor) >= 0 or is_rounding(mean - floor, mean, floor)


def mean_estimate(values: Sequence[float]) -> Estimate:
    """Mean and Student's t interval; a single value or equal values give a point.

    Args:
        values: At least one finite number.
    """
    mean, n = statistics.fmean(values), len(values)
    half = (
        0.0 if n == 1 else float(stats.t.ppf(0.5 + CONFIDENCE / 2, n - 1)) * standard_error(values)
    )
    return Estimate(mean, mean - half, mean + half, n)


def standard_error(values: Sequence[float]) -> float:
    """Standard error of the mean; 0 for a single value."""
    return statistics.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else 0.0


def difference_estimate(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """Mean of ``ours`` minus mean of ``theirs`` with Welch's t interval.

    The degrees of freedom are Welch and Satterthwaite's. Scores of several seeds are often equal,
    on which scipy's own interval warns of lost precision; equal values on both sides give a point.

    Args:
        ours: At least two values.
        theirs: At least two values, independent of ``ours``.
    """
    mean = statistics.fmean(ours) - statistics.fmean(theirs)
    squares = [standard_error(values) ** 2 for values in (ours, theirs)]
    n = len(ours) + len(theirs)
    if sum(squares) == 0:
        return Estimate(mean, mean, mean, n)
    sizes = (len(ours), len(theirs))
    freedom = sum(squares) ** 2 / sum(
        square**2 / (size - 1) for square, size in zip(squares, sizes, strict=True)
    )
    half = float(stats.t.ppf(0.5 + CONFIDENCE / 2, freedom)) * math.sqrt(sum(squares))
    return Estimate(mean, mean - half, mean + half, n)


def paired_estimate(ours: Sequence[float], theirs: Sequence[float]) -> Estimate:
    """Mean of the differences ``ours`` minus ``theirs``, pair by pair, with Student's t interval.

    What a pair has in common, such as the order of its examples, drops out of its difference; the
    interval has half the degrees of freedom of Welch's, so with few pairs it is the wider one
    where they have little in common.

    Args:
        ours: At least two values.
        theirs: As many, of the same pairs in the same order.
    """
    return mean_estimate([our - their for our, their in zip(ours, theirs, strict=True)])


def rank_correlation(ours: Sequence[float], theirs: Sequence[float]) -> Estimate | None:
    """Spearman's correlation with the interval of Bonett and Wright (2000).

    Returns:
        None where fewer than five pairs, or a constant side, leave nothing to correlate.
    """
    n = len(ours)
    if n < 5 or len(set(ours)) == 1 or len(set(theirs)) == 1:
        return None
    return correlation_estimate(float(stats.spearmanr(ours, theirs).statistic), n)


def correlation_estimate(rho: float, n: int) -> Estimate:
    """A rank correlation of ``n`` pairs with the interval of Bonett and Wright (2000).

    A perfect one has the wide end of the next smaller one's, in which two neighbours change places:
    by the formula it would have no interval at all.

    Args:
        rho: The correlation, -1 to 1.
        n: Pairs, at least five.
    """
    next_smaller = 1 - 12 / (n * (n**2 - 1))
    inner = max(-next_smaller, min(next_smaller, rho))
    half = float(stats.norm.ppf(0.5 + CONFIDENCE / 2)) * math.sqrt((1 + inner**2 / 2) / (n - 3))
    low, high = (math.tanh(math.atanh(inner) + end) for end in (-half, half))
    return Estimate(rho, min(low, rho), max(high, rho), n)
