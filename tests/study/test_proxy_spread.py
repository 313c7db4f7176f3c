import pytest

from placement_search.study.map_record import ProxySpread
from placement_search.study.proxy_spread import agreements, mean_agreement


def test_scores_in_the_same_order_agree_fully() -> None:
    """Only ranks count; the reverse order gives -1."""
    grid = [[1.0, 2.0], [3.0, 5.0]]
    larger = [[10.0, 20.0], [30.0, 31.0]]
    reverse = [[5.0, 3.0], [2.0, 1.0]]

    # Correlations of ranks in float64.
    assert mean_agreement([grid, larger]) == pytest.approx(1)
    assert mean_agreement([grid, reverse]) == pytest.approx(-1)


def test_agreement_is_the_mean_over_all_pairs() -> None:
    """Two alike and one reversed: one pair agrees, two do not."""
    grid, reverse = [[1.0, 2.0, 3.0]], [[3.0, 2.0, 1.0]]

    assert mean_agreement([grid, grid, reverse]) == pytest.approx(-1 / 3)


def test_what_does_not_vary_has_no_agreement() -> None:
    """Nor has a single state, nor others beside it: agreement would not be that of all."""
    assert mean_agreement([[[1.0, 1.0]], [[1.0, 2.0]]]) is None
    assert mean_agreement([[[1.0, 1.0]], [[1.0, 2.0]], [[1.0, 2.0]]]) is None
    assert mean_agreement([[[1.0, 2.0]]]) is None
    assert agreements([]) == {}


def test_random_heads_have_names_of_their_own() -> None:
    """So that they can stand beside the probed head's scores."""
    spread = ProxySpread(4, 3, {}, {}, {"fisher": [[1.0]]})

    assert spread.named == {"fisher@random_head": [[1.0]]}
