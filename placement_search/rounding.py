"""How many decimals a number is shown with, so that none vanishes whatever its unit."""

import math


def score_text(value: float) -> str:
    """A score with four decimals; below 0.01, as errors with units may be, four digits.

    Args:
        value: Finite or not; from 100 on it has six digits in all.
    """
    return f"{value:.{_decimals(value, below=0.01, digits=4)}f}"


def size_text(size: float) -> str:
    """The size of a difference with four decimals; below 0.001 two digits."""
    return f"{size:.{_decimals(size, below=0.001, digits=2)}f}"


def _decimals(value: float, below: float, digits: int) -> int:
    """Four; as many as ``digits`` significant ones take below ``below``; six of them from 100 on.

    So that no difference vanishes whatever the unit of a metric, nor is a large value too exact.
    """
    if not value or not math.isfinite(value):
        return 4
    power = math.floor(math.log10(abs(value)))
    if abs(value) < below:
        return max(4, digits - 1 - power)
    return min(4, max(0, 5 - power))
