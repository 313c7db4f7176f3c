import math
from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.space.budget import Budget, parse_budget
from placement_search.space.cost_table import LayoutCosts
from tests.tiny_spaces import bound


def test_no_budget_allows_everything() -> None:
    """Without ``--max-params`` nothing is refused."""
    budget = parse_budget(None, 602_176)

    assert budget == Budget()
    assert budget.excess(LayoutCosts(10**12)) == ""


@pytest.mark.parametrize("text", ["5000", " 5000 ", "5,000", "5_000"])
def test_a_count_is_taken_as_it_stands(text: str) -> None:
    """Thousands may be set apart."""
    assert parse_budget(text, 602_176) == Budget(5000)


@given(st.integers(1, 9999), st.integers(0, 3), st.integers(1, 10**9))
@example(digits=57, decimals=2, n_backbone=100_000)
@settings(deadline=None)
def test_a_share_is_the_largest_count_within_it(
    digits: int, decimals: int, n_backbone: int
) -> None:
    """Exactly, as decimal arithmetic has it: 0.57 % of 100,000 are 570 and not 569."""
    share = Fraction(digits, 10**decimals)
    text = f"{digits / 10**decimals:.{decimals}f}%"

    assert parse_budget(text, n_backbone) == Budget(math.floor(share * n_backbone / 100))


@pytest.mark.parametrize("text", ["", "none", "-5", "0", "0%", "5000.5", "1e4", "% 5", "5 %%"])
def test_anything_else_is_refused_with_both_forms_and_the_value(text: str) -> None:
    """Neither a positive count nor a positive share."""
    with pytest.raises(SpaceError) as raised:
        parse_budget(text, 602_176)

    assert all(part in str(raised.value) for part in ("--max-params", "5000", "0.5%", repr(text)))


def test_a_share_of_less_than_one_parameter_is_refused() -> None:
    """No layout could have so few, and costs relative to the limit would divide by nothing."""
    with pytest.raises(SpaceError) as raised:
        bound(budget=parse_budget("0.00001%", 602_176))

    said = ("--max-params", "1 parameter at least", "so 0", "larger share", "5000")
    assert all(part in str(raised.value) for part in said)


@pytest.mark.parametrize("text", ["0,5%", "1,5%", "50,00"])
def test_a_decimal_comma_is_refused(text: str) -> None:
    """Read as a thousands separator, ``0,5%`` would mean ten times what was meant."""
    with pytest.raises(SpaceError, match="--max-params"):
        parse_budget(text, 602_176)


def test_the_limit_in_words() -> None:
    """Messages show it with its unit."""
    assert Budget(5000).describe() == "5,000 parameters"
    assert Budget().describe() == "unlimited"


@pytest.mark.parametrize(
    ("text", "n_bytes"),
    [("20KB", 20_000), ("1.5 MB", 1_500_000), ("64KiB", 65_536), ("5000", 5000), ("5,000 b", 5000)],
)
def test_a_size_is_read_with_its_unit(text: str, n_bytes: int) -> None:
    """Decimal and binary units, in either case."""
    assert parse_budget(None, 1, max_bytes=text) == Budget(max_bytes=n_bytes)
    assert parse_budget(None, 1, max_bytes=text.lower()) == Budget(max_bytes=n_bytes)


@pytest.mark.parametrize("text", ["1.1x", "1.1", "110%", " 110 % "])
def test_a_factor_is_read_as_such_or_in_percent(text: str) -> None:
    """Exactly, so that a layout of just this factor is allowed."""
    found = parse_budget(None, 1, max_flops=text, max_latency=text)

    assert found == Budget(max_flops=Fraction(11, 10), max_latency=Fraction(11, 10))


@pytest.mark.parametrize(
    ("option", "text", "form"),
    [
        ("max_bytes", "20 apples", "20KB"),
        ("max_bytes", "0.5b", "20KB"),
        ("max_bytes", "-1KB", "20KB"),
        ("max_flops", "0.9x", "1.1x or 110%"),
        ("max_flops", "10%", "at least 1"),
        ("max_latency", "fast", "1.1x or 110%"),
    ],
)
def test_any_other_limit_is_refused(option: str, text: str, form: str) -> None:
    """With its option, the forms it takes, and the value."""
    with pytest.raises(SpaceError) as raised:
        parse_budget(None, 1, **{option: text})

    flag = "--" + option.replace("_", "-")
    assert all(part in str(raised.value) for part in (flag, form, repr(text)))


def test_what_is_over_the_budget_is_said_for_every_limit() -> None:
    """Cost and limit side by side; nothing where all is within."""
    budget = Budget(1000, 20_000, Fraction("1.1"), Fraction("1.5"))
    over = LayoutCosts(1001, 20_001, 1.2, 1.5)

    assert budget.excess(over) == (
        "1,001 parameters, the most is 1,000; "
        "20,001 bytes, the most is 20,000; "
        "1.2 times the bare backbone's operations, the most is 1.1"
    )
    assert budget.excess(LayoutCosts(1000)) == ""
    assert budget.describe() == (
        "1,000 parameters, 20,000 bytes, 1.1 times the operations, 1.5 times the latency"
    )
