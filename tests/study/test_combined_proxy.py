import random
from collections.abc import Sequence

import pytest
from scipy import stats

from placement_search.evaluation.estimates import Estimate
from placement_search.modules import parse_layout
from placement_search.study.combined_proxy import (
    MIN_TRIALS,
    TRUST_BOUND,
    CombinedProxy,
    fit_combined,
    layout_facts,
    same_places,
)

N_TRIALS = 60


def noise(seed: int, n_trials: int = N_TRIALS) -> list[float]:
    drawn = random.Random(seed)  # noqa: S311 - reproducible, not secret
    return [drawn.gauss(0, 1) for _ in range(n_trials)]


def added(*columns: Sequence[float]) -> list[float]:
    return [sum(values) for values in zip(*columns, strict=True)]


def test_what_two_proxies_tell_together_is_found() -> None:
    """Neither of them ranks the trials well alone; held out, their combination does."""
    one, two = noise(1), noise(2)
    measured = added(one, two)
    made = fit_combined({"one": one, "two": two, "idle": noise(3)}, measured)

    assert made is not None
    assert made.held_out is not None
    alone = float(stats.spearmanr(one, measured).statistic)
    assert made.held_out.mean > max(0.9, alone)
    assert made.is_trusted
    assert made.held_out.n == len(made.predictions) == N_TRIALS


def test_layouts_are_at_the_same_places_whatever_their_modules() -> None:
    """In any order of connections; another end makes other places."""
    notations = (
        "1>2:bottleneck(rank=4)+3>3:bottleneck(rank=4)",
        "1>2:bottleneck(rank=4)",
        "3>3:bottleneck(rank=8)+1>2:lora(rank=2)",
        "1>3:bottleneck(rank=4)",
    )

    assert same_places([parse_layout(each) for each in notations]) == [[0, 2], [1], [3]]


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_never_trusted(seed: int) -> None:
    """Twelve columns that have nothing to do with the scores, on twenty trials."""
    columns = {str(index): noise(100 * seed + index, MIN_TRIALS) for index in range(12)}
    made = fit_combined(columns, noise(100 * seed + 99, MIN_TRIALS))

    assert made is not None
    assert not made.is_trusted


def test_a_proxy_that_points_the_wrong_way_still_helps() -> None:
    """The fit finds the sign; a proxy alone would be distrusted."""
    measured = noise(1)
    made = fit_combined({"reverse": [-value for value in measured]}, measured)

    assert made is not None
    assert made.is_trusted
    assert made.score({"reverse": -5.0}) > made.score({"reverse": 5.0})


def test_units_do_not_matter() -> None:
    """Only ranks go in."""
    one, two = noise(1), noise(2)
    measured = added(one, two)
    made = fit_combined({"one": one, "two": two}, measured)
    again = fit_combined(
        {"one": [3**value for value in one], "two": [100 + 7 * value for value in two]},
        [value**3 for value in measured],
    )

    assert made is not None
    assert again is not None
    assert again.predictions == made.predictions


def test_a_layouts_score_lies_where_its_values_lie() -> None:
    """A value between those of two trials is predicted between them, beyond all not beyond."""
    one = [float(index) for index in range(N_TRIALS)]
    made = fit_combined({"one": one}, one)

    assert made is not None
    scores = [made.score({"one": value}) for value in (-9.0, 10.0, 10.5, 11.0, 1e9)]
    assert scores == sorted(scores)
    assert len(set(scores)) == 5


def test_too_few_trials_or_equal_ones_are_not_fitted() -> None:
    """Nor is there anything to fit without a column that varies."""
    few = noise(1, MIN_TRIALS - 1)

    assert fit_combined({"one": few}, few) is None
    assert fit_combined({"one": noise(1)}, [0.5] * N_TRIALS) is None
    assert fit_combined({"one": [1.0] * N_TRIALS}, noise(1)) is None


@pytest.mark.parametrize(("low", "is_trusted"), [(TRUST_BOUND, False), (TRUST_BOUND + 1e-6, True)])
def test_trust_is_a_matter_of_the_intervals_low_end(low: float, *, is_trusted: bool) -> None:
    """Whatever the mean; without an estimate there is none."""
    made = CombinedProxy((), (), (), Estimate(0.9, low, 1.0, 40), ())

    assert made.is_trusted == is_trusted
    assert not CombinedProxy((), (), (), None, ()).is_trusted


def test_facts_of_a_layout_count_its_kinds() -> None:
    """All kinds by name, and all connections."""
    facts = layout_facts(parse_layout("1>1:bottleneck+1>2:bottleneck+5>0:bottleneck"))

    assert facts == {
        "connections": 3, "sequential connections": 1, "parallel connections": 1,
        "long_range connections": 0, "recurrent connections": 1,
    }  # fmt: skip
