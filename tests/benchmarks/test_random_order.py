import itertools
import math
import statistics

import pytest

from benchmarks.random_order import mean_until_close, median_until_close, random_order


def test_random_order_regrets_what_all_orders_do_on_average() -> None:
    """Counted out over every order of a few layouts, two of them as good as each other."""
    worths = [0.9, 0.7, 0.7, 0.4, 0.1]
    orders = list(itertools.permutations(worths))
    counted = [0.9 - statistics.fmean(max(order[:k]) for order in orders) for k in range(1, 6)]

    assert random_order(worths, 9) == pytest.approx(counted)
    assert random_order(worths, 2) == pytest.approx(counted[:2])


@pytest.mark.parametrize(("n_layouts", "n_close"), [(5, 1), (6, 1), (6, 2), (7, 5), (4, 4)])
def test_the_yardsticks_are_those_of_all_orders(n_layouts: int, n_close: int) -> None:
    """Mean and median of the first close one's place, counted out."""
    places = [min(drawn) for drawn in itertools.combinations(range(1, n_layouts + 1), n_close)]

    assert mean_until_close(n_layouts, n_close) == pytest.approx(statistics.fmean(places))
    assert median_until_close(n_layouts, n_close) == statistics.median_low(places)


def test_the_median_is_the_smallest_k_that_is_as_likely_as_not() -> None:
    """Of 625 layouts with two close ones."""
    likely = [1 - math.comb(623, k) / math.comb(625, k) >= 0.5 for k in range(625)]

    assert median_until_close(625, 2) == likely.index(True)
