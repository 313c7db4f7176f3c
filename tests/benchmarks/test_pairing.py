import math

import pytest

from benchmarks.pairing import agreement, half_width, least_correlation, requests
from placement_search.evaluation.plan import TrainingPlan


def test_layouts_of_a_seed_have_one_order_or_each_its_own() -> None:
    """Initial values are each layout's own either way."""
    plan = TrainingPlan(epochs=1)
    paired, alone = (
        list(requests(25, 3, 2, plan, is_paired=is_paired)) for is_paired in (True, False)
    )

    assert len({each.order_seed for each in paired}) == 2
    assert {each.order_seed for each in alone} == {None}
    assert [each.seed for each in paired] == [each.seed for each in alone]
    assert len({each.seed for each in paired}) == 6


def test_agreement_is_the_mean_over_pairs_of_layouts() -> None:
    """One pair that moves together, and two of a layout that never moves."""
    correlation, spread = agreement([[1.0, 2.0, 3.0], [2.0, 3.0, 4.0], [5.0, 5.0, 5.0]])

    assert correlation == pytest.approx(1.0)
    assert spread == pytest.approx((0.0 + 1.0 + 1.0) / 3)
    assert math.isnan(agreement([[1.0, 2.0], [5.0, 5.0]])[0])


@pytest.mark.parametrize(("seeds", "least"), [(3, 0.58), (5, 0.31), (8, 0.18), (10, 0.14)])
def test_pairing_pays_above_a_correlation(seeds: int, least: float) -> None:
    """By Student's quantiles: 4.303 and 2.776 with 2 and 4 degrees of freedom, for three seeds."""
    assert least_correlation(seeds) == pytest.approx(least, abs=0.005)


def test_more_random_layouts_make_their_mean_surer() -> None:
    """Student's quantile with 3 degrees of freedom is 3.182, over the root of four."""
    assert half_width(4) == pytest.approx(3.182 / 2, abs=0.001)
