"""The learned activation: where it begins, what it computes."""

import pytest
import torch
from torch.nn import functional

from placement_search.modules.rational import LOWER, N_PARAMETERS, UPPER, Rational
from scripts.fit_rational import fitted


def test_it_begins_as_gelu() -> None:
    """Within ±5, where normed states lie after a down map, to 0.004."""
    points = torch.linspace(-5, 5, 1001)

    assert (Rational()(points) - functional.gelu(points)).abs().max() < 0.004


def test_its_start_is_what_the_script_fits() -> None:
    """Rounded to six places."""
    upper, lower = fitted()

    # Six places were kept; libraries may solve least squares a little differently.
    assert upper == pytest.approx(UPPER, abs=2e-6)
    assert lower == pytest.approx(LOWER, abs=2e-6)


def test_it_is_a_quotient_of_polynomials_without_poles() -> None:
    """Order (5, 4), with one plus an absolute value below; ten parameters."""
    module = Rational()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.uniform_(-2, 2, generator=torch.Generator().manual_seed(0))
    x = torch.linspace(-3, 3, 61)
    above = sum(a * x**k for k, a in enumerate(module.upper))
    below = sum(b * x ** (k + 1) for k, b in enumerate(module.lower))
    expected = above / (1 + torch.as_tensor(below).abs())

    torch.testing.assert_close(module(x), expected, rtol=1e-4, atol=1e-4)
    assert sum(p.numel() for p in module.parameters()) == N_PARAMETERS == 10
