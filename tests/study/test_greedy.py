import pytest

from placement_search.study.greedy import greedy_pairs

SCORES = [[9.0, 8.0, 1.0], [2.0, 7.0, 3.0], [4.0, 5.0, 6.0]]
PAIRS = [(source, target) for source in range(3) for target in range(3)]


def test_without_a_discount_the_best_are_chosen() -> None:
    """Gamma 0 is top-k."""
    assert greedy_pairs(SCORES, PAIRS, 3, gamma=0.0) == [(0, 0), (0, 1), (1, 1)]


def test_a_discount_keeps_connections_apart() -> None:
    """By hand: after (0, 0), near (0, 1) falls to 8·0.4, and far (2, 2) to 6·(1 - 0.6⁴) only."""
    assert greedy_pairs(SCORES, PAIRS, 2, gamma=0.6) == [(0, 0), (2, 2)]


def test_discounts_multiply() -> None:
    """By hand, third: (2, 2) and (0, 0) have both been chosen, and (1, 1) is two away from each."""
    third = greedy_pairs(SCORES, PAIRS, 3, gamma=0.6)[2]
    worth = {
        pair: SCORES[pair[0]][pair[1]]
        * (1 - 0.6 ** (pair[0] + pair[1]))
        * (1 - 0.6 ** (4 - pair[0] - pair[1]))
        for pair in PAIRS
        if pair not in {(0, 0), (2, 2)}
    }

    assert third == max(worth, key=worth.__getitem__)


@pytest.mark.parametrize("n", [0, 9, 20])
def test_no_more_are_chosen_than_there_are(n: int) -> None:
    """Each pair once."""
    chosen = greedy_pairs(SCORES, PAIRS, n)

    assert len(chosen) == len(set(chosen)) == min(n, len(PAIRS))
