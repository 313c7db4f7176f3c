"""Batches: every example once, texts of like length together, nothing real cut off."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from placement_search.adapted.batches import Batch, Batches, take, text_lengths

LENGTHS = st.lists(st.integers(1, 30), min_size=1, max_size=200)


def texts(lengths: list[int]) -> dict[str, Tensor]:
    """Texts of these lengths, padded on the right; token ids count from 1."""
    places = torch.arange(max(lengths))
    mask = (places < torch.tensor(lengths)[:, None]).long()
    return {"input_ids": (places + 1) * mask, "attention_mask": mask}


def images(n: int) -> dict[str, Tensor]:
    """Inputs without texts."""
    return {"pixel_values": torch.arange(n).float().reshape(n, 1, 1, 1)}


@given(LENGTHS, st.integers(1, 40))
def test_every_example_comes_once(lengths: list[int], batch_size: int) -> None:
    """In both orders, for texts and for images, in batches of no more than was asked."""
    generator = torch.Generator().manual_seed(0)
    for inputs in (texts(lengths), images(len(lengths))):
        for batches in (
            Batches(inputs).ordered(batch_size),
            Batches(inputs).shuffled(batch_size, generator),
        ):
            assert torch.cat([batch.indices for batch in batches]).sort().values.tolist() == list(
                range(len(lengths))
            )
            assert max(map(len, batches)) <= batch_size
            assert len(batches) == -(-len(lengths) // batch_size)


@given(LENGTHS)
def test_what_is_cut_is_padding(lengths: list[int]) -> None:
    """A batch is as long as its longest text, and all real tokens stay."""
    inputs = texts(lengths)
    chosen = torch.arange(0, len(lengths), 2)
    part = take(inputs, chosen)

    assert part["input_ids"].shape[1] == max(lengths[::2])
    assert part["attention_mask"].sum(1).tolist() == lengths[::2]


def test_images_are_taken_whole() -> None:
    """They have no length."""
    inputs = images(5)

    assert text_lengths(inputs) is None
    assert take(inputs, torch.tensor([3, 1]))["pixel_values"].flatten().tolist() == [3, 1]


def shuffled(inputs: dict[str, Tensor], batch_size: int, seed: int) -> list[Batch]:
    """One epoch's batches."""
    return Batches(inputs).shuffled(batch_size, torch.Generator().manual_seed(seed))


def test_a_seed_fixes_the_order_and_another_changes_it() -> None:
    """Of texts and of images."""
    for inputs in (texts([3, 9, 1, 7] * 50), images(200)):
        orders = [
            torch.cat([batch.indices for batch in shuffled(inputs, 8, seed)]) for seed in (1, 1, 2)
        ]

        assert torch.equal(orders[0], orders[1])
        assert not torch.equal(orders[0], orders[2])


@given(LENGTHS, st.integers(1, 40))
def test_every_epoch_has_batches_of_the_same_shapes(lengths: list[int], batch_size: int) -> None:
    """Whatever the seed, so that several trainings can share a pass; and each says its length."""
    inputs = texts(lengths)
    shapes = [
        [(len(batch), batch.n_tokens) for batch in shuffled(inputs, batch_size, seed)]
        for seed in range(3)
    ]
    longest = [
        int(text_lengths(inputs)[batch.indices].max())  # type: ignore[index]
        for batch in shuffled(inputs, batch_size, 0)
    ]

    assert shapes[0] == shapes[1] == shapes[2]
    assert [n_tokens for _, n_tokens in shapes[0]] == longest


def test_texts_of_like_length_share_a_batch() -> None:
    """Far less padding than in a random order, and batches of all lengths in mixed order."""
    lengths = torch.randint(1, 60, (512,), generator=torch.Generator().manual_seed(0)).tolist()
    longest = [batch.n_tokens or 0 for batch in shuffled(texts(lengths), 16, 1)]
    n_computed = sum(16 * length for length in longest)

    assert n_computed < 1.15 * sum(lengths)
    assert longest != sorted(longest)
