import math

import pytest

from placement_search.evaluation.estimates import Estimate
from placement_search.layout import shortened
from placement_search.report import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.03, "+0.0300"), (-0.03, "−0.0300"), (-0.00001, "+0.0000"), (math.nan, "–")],
)
def test_differences_have_a_sign(value: float, text: str) -> None:
    """Nothing is shown as minus zero, and what is unknown as a dash."""
    assert formats.as_signed(value) == text


def test_a_single_seed_has_no_interval() -> None:
    """A point is not passed off as an interval of no width."""
    assert formats.as_estimate(Estimate(0.5, 0.5, 0.5, 1)) == "0.5000 (one seed)"
    assert formats.as_estimate(Estimate(0.5, 0.4, 0.6, 3)) == "0.5000 ± 0.1000"


def test_unknown_costs_are_a_dash() -> None:
    """What was not measured is not shown as a number."""
    unknown = [formats.as_score(None), formats.as_factor(None), formats.as_seconds(None)]
    assert unknown == ["–", "–", "–"]


def test_long_layouts_are_shortened_and_counted() -> None:
    """A table cell shows the first connections and how many there are."""
    notation = "+".join(f"{node}>{node + 1}:bottleneck(rank=4)" for node in range(9))
    assert shortened(notation).endswith("2>3:bottleneck(rank=4)+… (9 connections)")
    assert shortened("1>2:bottleneck(rank=4)") == "1>2:bottleneck(rank=4)"
