"""Numbers keep enough decimals, whatever their unit."""

import math

import pytest

from placement_search.rounding import score_text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.87164, "0.8716"),
        (0.0, "0.0000"),
        (3.124e-5, "0.00003124"),
        (-0.004, "-0.004000"),
        (123.456789, "123.457"),
        (1_234_567.8, "1234568"),
        (math.nan, "nan"),
        (math.inf, "inf"),
    ],
)
def test_a_score_does_not_vanish(value: float, text: str) -> None:
    """Small errors have four digits, large ones six, others four decimals."""
    assert score_text(value) == text
