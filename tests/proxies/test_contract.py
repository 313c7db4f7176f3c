"""What every proxy promises, over the whole table."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from placement_search.proxies import GRADIENT_PROXIES, GradientProxy
from placement_search.proxies.factors import GradientFactors
from placement_search.proxies.gradients import GradientMap, gradient_map

N_NODES, N_EXAMPLES, N_TOKENS, WIDTH = 3, 4, 5, 6

DEGREES = {
    "numerical_rank": 0,
    "effective_rank": 0,
    "stable_rank": 0,
    "participation_ratio": 0,
    "nuclear_norm": 1,
    "frobenius_norm": 1,
    "fisher": 2,
}
"""The power of the loss's scale that a score grows with: ranks have none, norms one."""
RANKS = [name for name, degree in DEGREES.items() if degree == 0]


@pytest.fixture(params=GRADIENT_PROXIES)
def proxy(request: pytest.FixtureRequest) -> GradientProxy:
    """Each proxy in turn."""
    return GRADIENT_PROXIES[request.param]


def factors(seed: int = 0) -> GradientFactors:
    generator = torch.Generator().manual_seed(seed)
    shape = (N_NODES, N_EXAMPLES, N_TOKENS, WIDTH)
    reads, deltas = torch.randn((2, *shape), generator=generator, dtype=torch.float64)
    return GradientFactors(reads, deltas)


def rescaled(made: GradientFactors, scale: float) -> GradientFactors:
    """The factors of ``scale`` times the loss."""
    return GradientFactors(made.reads, scale * made.deltas)


def of_matrix(gradient: Tensor) -> GradientMap:
    """The map of one connection with this gradient."""
    values = torch.linalg.svdvals(gradient.double()).reshape(1, 1, -1)
    energies = values.square().sum(-1)
    return GradientMap(values, energies, torch.zeros_like(energies))


def test_every_proxy_has_a_degree() -> None:
    """Who adds a proxy says how it grows with the loss."""
    assert DEGREES.keys() == GRADIENT_PROXIES.keys()


def test_a_score_is_finite_and_positive_for_every_connection(proxy: GradientProxy) -> None:
    """One number for each source and target, none of them empty or negative."""
    scores = proxy(gradient_map([factors()]))

    assert scores.shape == (N_NODES, N_NODES)
    assert torch.isfinite(scores).all()
    assert (scores > 0).all()


def test_a_score_is_the_same_every_time(proxy: GradientProxy) -> None:
    """Nothing is drawn."""
    assert torch.equal(proxy(gradient_map([factors()])), proxy(gradient_map([factors()])))


def test_no_gradient_scores_zero(proxy: GradientProxy) -> None:
    """A connection that cannot lower the loss has the lowest score, and spoils no other one."""
    made = factors()
    made.deltas[1] = 0
    scores = proxy(gradient_map([made]))

    assert not scores[:, 1].any()
    assert (scores[:, [0, 2]] > 0).all()


# Losses and their gradients are float32, so no rescaling beyond its range can occur.
@given(st.floats(1e-30, 1e30), st.sampled_from(sorted(DEGREES)))
@settings(deadline=None)
def test_rescaling_the_loss_never_reorders_connections(scale: float, name: str) -> None:
    """Ranks stay, norms grow with it, Fisher information with its square."""
    scores = GRADIENT_PROXIES[name](gradient_map([factors()]))
    again = GRADIENT_PROXIES[name](gradient_map([rescaled(factors(), scale)]))

    # Scaling float64 by a number that is no power of two rounds once per entry.
    torch.testing.assert_close(again, scores * scale ** DEGREES[name], rtol=1e-9, atol=0)


@given(st.integers(0, 10**6), st.integers(1, WIDTH), st.sampled_from(RANKS))
@settings(deadline=None)
def test_a_rank_lies_between_one_and_the_true_rank(seed: int, rank: int, name: str) -> None:
    """Soft ranks count the directions that matter, and there are no more than there are."""
    generator = torch.Generator().manual_seed(seed)
    left, right = torch.randn((2, WIDTH, rank), generator=generator, dtype=torch.float64)
    score = GRADIENT_PROXIES[name](of_matrix(left @ right.T)).item()

    # Singular values that are zero come out near 1e-16, which adds up to this much to a rank.
    assert 1 - 1e-9 <= score <= rank + 1e-9


@pytest.mark.parametrize("name", RANKS)
def test_a_rank_of_equal_singular_values_is_their_number(name: str) -> None:
    """The upper bound is reached where no direction is preferred, the lower one with one alone."""
    whole = torch.eye(WIDTH)
    one = torch.zeros(WIDTH, WIDTH)
    one[2, 3] = 7.0

    # A logarithm, an exponential and a few sums of float64.
    assert GRADIENT_PROXIES[name](of_matrix(whole)).item() == pytest.approx(WIDTH, rel=1e-12)
    assert GRADIENT_PROXIES[name](of_matrix(one)).item() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", RANKS)
def test_the_soft_ranks_keep_their_order(name: str) -> None:
    """Stable ≤ participation ≤ effective, by the order of Rényi entropies of energies and values.

    Each lies within the numerical rank at a tolerance of zero.
    """
    made = gradient_map([factors()])
    ratio, stable = (
        GRADIENT_PROXIES["participation_ratio"](made),
        GRADIENT_PROXIES["stable_rank"](made),
    )

    assert (stable <= ratio).all()
    assert (ratio <= GRADIENT_PROXIES["effective_rank"](made)).all()
    assert (GRADIENT_PROXIES[name](made) <= WIDTH + 1e-9).all()


@pytest.mark.parametrize(
    ("name", "score"),
    [
        ("numerical_rank", 3),
        # Shares 1/2, 1/4, 1/4 have the entropy 1.5 log 2.
        ("effective_rank", 2**1.5),
        ("stable_rank", 6 / 4),
        ("participation_ratio", 6**2 / (16 + 1 + 1)),
        ("nuclear_norm", 4),
        ("frobenius_norm", 6**0.5),
    ],
)
def test_a_score_is_its_formula(name: str, score: float) -> None:
    """Worked out by hand for the singular values 2, 1, 1."""
    gradient = torch.diag(torch.tensor([1.0, 2.0, 1.0, 0.0]))

    # A logarithm, an exponential and a few sums of float64.
    assert GRADIENT_PROXIES[name](of_matrix(gradient)).item() == pytest.approx(score, rel=1e-12)


def test_norms_keep_their_order() -> None:
    """‖G‖_F ≤ ‖G‖_* ≤ √width ‖G‖_F."""
    made = gradient_map([factors()])
    frobenius, nuclear = (
        GRADIENT_PROXIES["frobenius_norm"](made),
        GRADIENT_PROXIES["nuclear_norm"](made),
    )

    assert (frobenius <= nuclear).all()
    assert (nuclear <= WIDTH**0.5 * frobenius).all()


def test_numerical_rank_counts_from_a_hundredth_of_the_largest() -> None:
    """The tolerance is relative; the paper gives none."""
    gradient = torch.diag(torch.tensor([5.0, 0.06, 0.04, 0.0, 0.0, 0.0]))

    assert GRADIENT_PROXIES["numerical_rank"](of_matrix(gradient)).item() == 2


def test_the_order_of_examples_does_not_matter(proxy: GradientProxy) -> None:
    """A sum over examples has none."""
    made = factors()
    order = torch.tensor([2, 0, 3, 1])
    shuffled = GradientFactors(made.reads[:, order], made.deltas[:, order])

    # Sums of float64 in another order.
    torch.testing.assert_close(
        proxy(gradient_map([shuffled])), proxy(gradient_map([made])), rtol=1e-9, atol=0
    )
