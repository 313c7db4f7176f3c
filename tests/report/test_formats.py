import math

import pytest

from placement_search.evaluation.estimates import Estimate
from placement_search.layout import shortened
from placement_search.report import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.03, "+0.0300"),
        (-0.03, "−0.0300"),
        (0.0, "+0.0000"),
        (-1e-16, "+0.0000"),
        (math.nan, "–"),
    ],
)
def test_differences_have_a_sign(value: float, text: str) -> None:
    """Nothing is shown as minus zero, and what is unknown as a dash."""
    assert formats.as_signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3e-5, "+0.000030"),
        (-1.23e-8, "−0.000000012"),
        (0.0012, "+0.0012"),
        (12.34567, "+12.3457"),
        (-123456.7, "−123457"),
    ],
)
def test_no_difference_vanishes_whatever_its_unit(value: float, text: str) -> None:
    """Errors have the unit of what is predicted, so they may be tiny, or large."""
    assert formats.as_signed(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.64, "0.6400"), (0.00312345, "0.003123"), (4321.98765, "4321.99"), (0.0, "0.0000")],
)
def test_scores_of_any_unit_are_told_apart(value: float, text: str) -> None:
    """Four digits of a small one, six of a large one."""
    assert formats.as_score(value) == text


def test_a_single_seed_has_no_interval() -> None:
    """A point is not passed off as an interval of no width."""
    assert formats.as_estimate(Estimate(0.5, 0.5, 0.5, 1)) == "0.5000 (one seed)"
    assert formats.as_estimate(Estimate(0.5, 0.4, 0.6, 3)) == "0.5000 ± 0.1000"
    small = Estimate(0.002, 0.002 - 3e-5, 0.002 + 3e-5, 3)
    assert formats.as_estimate(small) == "0.002000 ± 0.000030"


def test_unknown_costs_are_a_dash() -> None:
    """What was not measured is not shown as a number."""
    unknown = [formats.as_score(None), formats.as_factor(None), formats.as_seconds(None)]
    assert unknown == ["–", "–", "–"]


def test_long_layouts_are_shortened_and_counted() -> None:
    """A table cell shows the first connections and how many there are."""
    notation = "+".join(f"{node}>{node + 1}:bottleneck(rank=4)" for node in range(9))
    assert shortened(notation).endswith("2>3:bottleneck(rank=4)+… (9 connections)")
    assert shortened("1>2:bottleneck(rank=4)") == "1>2:bottleneck(rank=4)"
