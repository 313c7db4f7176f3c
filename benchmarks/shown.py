"""Means, paired differences and correlations as pages show them, with 95 % intervals."""

from collections.abc import Sequence

from placement_search.evaluation.estimates import Estimate, mean_estimate, paired_estimate


def mean(scores: Sequence[float]) -> str:
    """Mean and half the interval."""
    found = mean_estimate(scores)
    return f"{found.mean:.3f} ± {(found.high - found.low) / 2:.3f}"


def gain(ours: Sequence[float], theirs: Sequence[float]) -> str:
    """Mean difference of pairs, and its interval."""
    found = paired_estimate(ours, theirs)
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def correlation(found: Estimate | None) -> str:
    """A correlation with its interval; a dash for none."""
    return "-" if found is None else f"{found.mean:+.2f} ({found.low:+.2f} to {found.high:+.2f})"
