from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from placement_search.study.seeds import derive_seed

parts = st.lists(st.one_of(st.integers(0, 10**6), st.text("abcdef0123456789", min_size=1)))


@given(st.integers(0, 2**31 - 1), parts)
@hypothesis_settings(deadline=None)
def test_a_seed_fits_every_generator(study_seed: int, what: list[str | int]) -> None:
    """Within 0 and 2³¹, which NumPy, PyTorch and Optuna all take, and the same every time."""
    seed = derive_seed(study_seed, *what)

    assert 0 <= seed < 2**31
    assert derive_seed(study_seed, *what) == seed


def test_seeds_of_different_uses_differ() -> None:
    """Of the study's seed, the layout and the replicate each decides."""
    seeds = {
        derive_seed(study_seed, layout_id, replicate)
        for study_seed in range(10)
        for layout_id in ("3c9a", "77f0", "ask")
        for replicate in range(30)
    }

    assert len(seeds) == 10 * 3 * 30


def test_a_seed_is_the_same_on_every_machine() -> None:
    """Half of the first 32 bits of SHA-256, as ``printf 0/ask/1/2 | sha256sum`` shows them."""
    assert derive_seed(0, "ask", 1, 2) == int("4b8b5f6a", 16) >> 1
