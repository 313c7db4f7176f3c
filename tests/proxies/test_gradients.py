import pytest
import torch
from torch import Tensor

from placement_search.proxies import GRADIENT_PROXIES
from placement_search.proxies.factors import GradientFactors
from placement_search.proxies.gradients import GradientMap, gradient_map, parted_map
from placement_search.proxies.spectra import singular_values

N_NODES, N_EXAMPLES, N_TOKENS, WIDTH = 3, 6, 25, 48
KEPT = 20


@pytest.fixture(scope="module")
def factors() -> GradientFactors:
    """Factors of gradients whose spectra fall slowly, as real ones do, in float32."""
    return made_up(seed=0)


@pytest.fixture(scope="module")
def values(factors: GradientFactors) -> Tensor:
    """True singular values, shape ``(n_nodes, n_nodes, width)``."""
    return singular_values(gradients_of(factors).flatten(0, 1)).view(N_NODES, N_NODES, -1)


def made_up(seed: int, rank: int = WIDTH) -> GradientFactors:
    """Reads of a common direction, as normed states have, and deltas that fade with the channel."""
    generator = torch.Generator().manual_seed(seed)
    shape = (N_NODES, N_EXAMPLES, N_TOKENS, WIDTH)
    reads, deltas = torch.randn((2, *shape), generator=generator)
    mixing = torch.linalg.qr(torch.randn(N_NODES, WIDTH, WIDTH, generator=generator)).Q
    fading = torch.exp(-torch.arange(WIDTH) / 6)
    fading[rank:] = 0
    return GradientFactors(reads + 1, (deltas * fading) @ mixing.unsqueeze(1))


def gradients_of(factors: GradientFactors) -> Tensor:
    """All gradients in double, shape ``(n_nodes, n_nodes, width, width)``."""
    reads, deltas = (part.flatten(1, 2).double() for part in (factors.reads, factors.deltas))
    return torch.stack([torch.stack([read.T @ delta for delta in deltas]) for read in reads])


def chunks_of(factors: GradientFactors, size: int) -> list[GradientFactors]:
    """The same examples in chunks of ``size``."""
    pairs = zip(factors.reads.split(size, 1), factors.deltas.split(size, 1), strict=True)
    return [GradientFactors(*pair) for pair in pairs]


def energy_missed(made: GradientMap, values: Tensor) -> Tensor:
    """What the kept values really lack, shape ``(n_nodes, n_nodes)``."""
    return values.square().sum(-1) - (made.energies - made.discarded)


def test_an_exact_map_is_that_of_the_gradients(factors: GradientFactors, values: Tensor) -> None:
    """Without a number of directions nothing is discarded."""
    made = gradient_map([factors])

    # Sums of a few hundred float32 products, relative to the largest value.
    torch.testing.assert_close(
        made.singular_values, values, rtol=0, atol=1e-5 * float(values.max())
    )
    assert not made.discarded.any()
    assert made.largest_discarded_share == 0


def test_all_directions_give_the_exact_map(factors: GradientFactors, values: Tensor) -> None:
    """The compression itself loses nothing: bases are orthonormal."""
    made = gradient_map([factors], WIDTH)

    # As above; what is missed is the rounding of float32 alone, squared.
    torch.testing.assert_close(
        made.singular_values, values, rtol=0, atol=1e-5 * float(values.max())
    )
    assert made.largest_discarded_share < 1e-10


def test_kept_values_never_exceed_true_ones(factors: GradientFactors, values: Tensor) -> None:
    """Singular values of a matrix in orthonormal directions interlace from below."""
    made = gradient_map([factors], KEPT)
    # The largest ones lie above the tail, so they are kept ones.
    largest = made.singular_values[..., :3]

    # Float32 rounding of sums, relative to the largest value.
    assert (largest <= values[..., :3] + 1e-5 * values[..., :1]).all()
    # The first one also carries ranks and norms: it is nearly whole.
    assert (largest[..., 0] > 0.99 * values[..., 0]).all()


@pytest.mark.parametrize("n_directions", [4, 10, KEPT, 30])
def test_the_bound_covers_what_was_discarded(
    n_directions: int, factors: GradientFactors, values: Tensor
) -> None:
    """For every connection; and the estimate that it is made of is near the truth."""
    made = gradient_map([factors], n_directions)
    missed = energy_missed(made, values)

    assert (missed > 1e-4 * made.energies).all()
    assert (missed <= made.discarded_bound).all()
    # Sixteen probes of some five directions each: one standard deviation is a sixth.
    assert ((made.discarded / missed - 1).abs() < 0.6).all()


@pytest.mark.parametrize("seed", range(5))
def test_the_frobenius_norm_counts_what_was_discarded(seed: int) -> None:
    """The energy of a gradient is known to percents where much of it is not kept."""
    factors = made_up(seed)
    truth = gradients_of(factors).square().sum((-1, -2)).sqrt()
    made = gradient_map([factors], KEPT)

    assert made.largest_discarded_share > 0.03
    # A third, two standard deviations, of the share that is discarded; half that in the norm.
    torch.testing.assert_close(GRADIENT_PROXIES["frobenius_norm"](made), truth, rtol=2e-2, atol=0)


def test_gradients_of_low_rank_are_kept_whole() -> None:
    """Directions are found for all targets of a source at once, so few suffice for few."""
    factors = made_up(seed=1, rank=4)
    made = gradient_map([factors], 3 * 4)

    # Float32 rounding, squared.
    assert made.largest_discarded_share < 1e-9


@pytest.mark.parametrize("n_directions", [None, KEPT])
@pytest.mark.parametrize("size", [1, 2, 4])
def test_splitting_into_chunks_changes_nothing(
    size: int, n_directions: int | None, factors: GradientFactors
) -> None:
    """Bases and sums over examples have no order."""
    split = gradient_map(chunks_of(factors, size), n_directions)
    whole = gradient_map([factors], n_directions)

    largest = float(whole.singular_values.max())
    # Sums of float32 in another order.
    torch.testing.assert_close(
        split.singular_values, whole.singular_values, rtol=1e-3, atol=1e-5 * largest
    )
    torch.testing.assert_close(split.example_energies, whole.example_energies, rtol=1e-4, atol=0)
    torch.testing.assert_close(split.discarded, whole.discarded, rtol=1e-2, atol=0)


def test_example_energies_do_not_depend_on_compression(factors: GradientFactors) -> None:
    """Fisher information comes from Gram matrices of whole factors."""
    kept, whole = gradient_map([factors], 2), gradient_map([factors])

    assert torch.equal(kept.example_energies, whole.example_energies)


def test_example_energies_are_those_of_each_example(factors: GradientFactors) -> None:
    """``n²‖g‖²`` of an example alone, since deltas are those of the mean loss; and their mean."""
    expected = torch.stack(
        [gradients_of(one).square().sum((-1, -2)) for one in chunks_of(factors, 1)]
    )
    made = gradient_map([factors])

    # Gram matrices in float32.
    torch.testing.assert_close(
        made.example_energies, N_EXAMPLES**2 * expected.mean(0), rtol=1e-4, atol=0
    )


def test_a_compressed_map_ranks_connections_alike(factors: GradientFactors, values: Tensor) -> None:
    """Ranks and norms of a compressed map are near those of the exact one."""
    zeros = torch.zeros(N_NODES, N_NODES, dtype=torch.float64)
    exact, kept = GradientMap(values, zeros, zeros), gradient_map([factors], KEPT)

    for name in ("effective_rank", "nuclear_norm", "participation_ratio", "stable_rank"):
        # The tail's shape is a guess; its energy is not.
        torch.testing.assert_close(
            GRADIENT_PROXIES[name](kept), GRADIENT_PROXIES[name](exact), rtol=0.4, atol=0, msg=name
        )


def test_a_spectrum_is_no_longer_than_there_are_tokens(factors: GradientFactors) -> None:
    """One example's 25 tokens give gradients of rank 25, whatever the tail is guessed to be."""
    (one, *_) = chunks_of(factors, 1)
    made = gradient_map([one], KEPT)

    assert made.singular_values.shape == (N_NODES, N_NODES, WIDTH)
    assert (made.singular_values[..., :N_TOKENS] > 0).all()
    assert not made.singular_values[..., N_TOKENS:].any()


def test_a_map_of_nothing_is_refused() -> None:
    """An empty stream is a mistake of the caller's."""
    for n_directions in (None, 2):
        with pytest.raises(ValueError, match="at least one example"):
            gradient_map([], n_directions)


def test_gram_eigenvalues_are_the_squares_of_singular_values() -> None:
    """Wide matrices take the faster way, with the same result."""
    generator = torch.Generator().manual_seed(0)
    matrices = torch.randn(3, 140, 140, generator=generator, dtype=torch.float64)
    fading = torch.exp(-torch.arange(140) / 10).double()
    expected = torch.linalg.svdvals(matrices * fading)

    # Squaring halves the digits of double precision.
    torch.testing.assert_close(
        singular_values(matrices * fading), expected, rtol=0, atol=1e-7 * float(expected.max())
    )


def test_the_same_factors_give_the_same_map(factors: GradientFactors) -> None:
    """Random matrices are drawn from seeds of their own, and the global state is left alone."""
    state = torch.random.get_rng_state()
    first, second = (gradient_map([factors], KEPT) for _ in range(2))

    assert torch.equal(first.singular_values, second.singular_values)
    assert torch.equal(torch.random.get_rng_state(), state)


def in_parts(factors: GradientFactors, size: int) -> list[GradientFactors]:
    """The same examples, ``size`` to a part, each of them a chunk."""
    return [
        GradientFactors(one.reads, one.deltas, part=index // size)
        for index, one in enumerate(chunks_of(factors, 1))
    ]


@pytest.mark.parametrize("n_directions", [None, KEPT])
def test_looking_at_parts_changes_nothing_of_the_whole(
    n_directions: int | None, factors: GradientFactors
) -> None:
    """Sums that are kept apart for a while come together."""
    made = parted_map(in_parts(factors, 2), n_directions, sampled=(0, 2)).whole
    whole = gradient_map([factors], n_directions)

    largest = float(whole.singular_values.max())
    # Sums of float32 in another order.
    torch.testing.assert_close(
        made.singular_values, whole.singular_values, rtol=1e-3, atol=1e-5 * largest
    )
    torch.testing.assert_close(made.example_energies, whole.example_energies, rtol=1e-4, atol=0)
    torch.testing.assert_close(made.discarded, whole.discarded, rtol=1e-2, atol=0)


@pytest.mark.parametrize("n_directions", [None, WIDTH])
def test_a_parts_map_is_that_of_its_examples(
    n_directions: int | None, factors: GradientFactors
) -> None:
    """For the sampled sources, as if there were no other examples; disjoint parts differ."""
    made = parted_map(in_parts(factors, 2), n_directions, sampled=(0, 2))
    alone = [gradient_map([chunk]) for chunk in chunks_of(factors, 2)]

    assert len(made.parts) == len(alone) == 3
    for part, own in zip(made.parts, alone, strict=True):
        expected = own.singular_values[[0, 2]]
        # Sums of float32, relative to the largest value.
        torch.testing.assert_close(
            part.singular_values, expected, rtol=0, atol=1e-5 * float(expected.max())
        )
        # Here a sum over the part's two examples, there their mean times two squared.
        torch.testing.assert_close(
            part.example_energies, own.example_energies[[0, 2]] / 2, rtol=1e-4, atol=0
        )
    assert not torch.allclose(made.parts[0].singular_values, made.parts[1].singular_values)
