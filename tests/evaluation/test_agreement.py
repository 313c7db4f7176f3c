import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from placement_search.evaluation.agreement import grouped_correlation, top_overlap

FORTY = [float(value) for value in range(40)]
VALUES = st.lists(st.integers(0, 9).map(float), min_size=10, max_size=40)


def test_the_same_ranking_has_the_same_best() -> None:
    """All four of the best forty, far beyond chance."""
    found = top_overlap(FORTY, [value**3 for value in FORTY])

    assert found is not None
    assert (found.share.mean, found.share.high, found.n_top, found.chance) == (1, 1, 4, 0.1)
    # One of C(40, 4) choices of four.
    assert found.p_value == pytest.approx(1 / 91_390)
    assert found.beats_chance


def test_the_reverse_ranking_has_none_of_them() -> None:
    """The interval is Clopper and Pearson's: one minus the fourth root of 0.025."""
    found = top_overlap(FORTY, FORTY[::-1])

    assert found is not None
    assert (found.share.mean, found.share.low) == (0, 0)
    # A quantile of scipy's.
    assert found.share.high == pytest.approx(1 - 0.025**0.25, rel=1e-6)
    assert not found.beats_chance


def test_all_that_equal_the_border_are_truly_best() -> None:
    """Four share the highest score; who names two of them has found nothing but the best."""
    theirs = [0.0] * 16 + [1.0] * 4
    ours = [0.0] * 18 + [1.0] * 2
    found = top_overlap(ours, theirs)

    assert found is not None
    assert found.share.mean == 1
    assert found.n_top == 2
    assert found.chance == 0.2
    assert found.p_value == pytest.approx(4 * 3 / (20 * 19))


def test_what_a_ranking_can_not_tell_apart_counts_by_chance() -> None:
    """Of four that it holds equally good two are in its tenth, by a half each."""
    found = top_overlap([0.0] * 16 + [1.0] * 4, [0.0] * 18 + [1.0] * 2)

    assert found is not None
    assert found.share.mean == pytest.approx(0.5)


@given(VALUES, st.integers(0, 10**6))
def test_the_share_lies_within_its_interval(ours: list[float], seed: int) -> None:
    """Which lies within 0 and 1, whatever the ties."""
    drawn = random.Random(seed)  # noqa: S311 - reproducible, not secret
    found = top_overlap(ours, [drawn.randint(0, 9) for _ in ours])
    if found is not None:
        share = found.share
        assert -1e-9 <= share.low <= share.mean + 1e-9
        assert share.mean - 1e-9 <= share.high <= 1 + 1e-9
        assert 0 <= found.p_value <= 1


def test_fewer_than_ten_have_no_best_tenth() -> None:
    """Nor has what is all alike."""
    assert top_overlap(FORTY[:9], FORTY[:9]) is None
    assert top_overlap([1.0] * 40, FORTY) is None


@pytest.mark.slow
def test_chance_is_what_random_rankings_have() -> None:
    """The mean over many shuffles, and how often they look better than chance."""
    drawn = random.Random(0)  # noqa: S311 - reproducible, not secret
    made = [top_overlap(FORTY, drawn.sample(FORTY, 40)) for _ in range(2000)]
    found = [each for each in made if each is not None]

    # Four draws of a tenth: one standard error of 2000 means is 0.003.
    assert sum(each.share.mean for each in found) / len(found) == pytest.approx(0.1, abs=0.015)
    assert sum(each.beats_chance for each in found) / len(found) <= 0.06


def test_one_group_is_a_rank_correlation() -> None:
    """With the interval of as many pairs."""
    ours = [3.0, 1.0, 2.0, 5.0, 4.0, 9.0]
    theirs = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    found = grouped_correlation(ours, theirs, ["a"] * 6)

    assert found is not None
    # Correlations of ranks in float64.
    assert found.mean == pytest.approx(float(stats.spearmanr(ours, theirs).statistic))
    assert found.n == 6


def test_differences_between_groups_do_not_count() -> None:
    """Two groups far apart whose members are in reverse order correlate by -1."""
    ours = [1.0, 2.0, 3.0, 101.0, 102.0, 103.0]
    theirs = [3.0, 2.0, 1.0, 103.0, 102.0, 101.0]
    found = grouped_correlation(ours, theirs, [1, 1, 1, 2, 2, 2])

    assert found is not None
    assert found.mean == pytest.approx(-1)
    assert found.n == 5


def test_groups_of_one_say_nothing() -> None:
    """Too few pairs within groups leave nothing to correlate; nor does a constant side."""
    six = FORTY[:6]

    assert grouped_correlation(six, six, list(range(6))) is None
    assert grouped_correlation(six, six, [1, 1, 2, 2, 3, 3]) is None
    assert grouped_correlation([1.0] * 6, six, ["a"] * 6) is None
