"""Batches: every example once, texts of like length together, nothing real cut off."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from placement_search.adapted.batches import Batch, Batches, check_padding, take, text_lengths
from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import TaskError
from placement_search.modules import parse_layout
from tests.tiny_backbones import BACKBONES

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


@given(LENGTHS)
def test_padding_on_the_right_is_taken(lengths: list[int]) -> None:
    """As it is everywhere here, with whole texts and empty ones beside."""
    inputs = texts([*lengths, 0])

    check_padding(inputs)
    check_padding({"input_ids": inputs["input_ids"]})


@pytest.mark.parametrize("mask", [[0, 0, 1, 1], [1, 0, 0, 1], [False, True, True, True]])
def test_padding_before_a_real_token_is_refused(mask: list[int] | list[bool]) -> None:
    """GPT-2 counts places from the first, so the same text would have other logits."""
    model = AdaptedBackbone(BACKBONES["gpt2"](), parse_layout("1>2:bottleneck"), 2)
    inputs = model.backbone.made_up_inputs(2, seed=0)
    inputs["input_ids"] = inputs["input_ids"][:, :4]
    inputs["attention_mask"] = torch.stack([
        torch.tensor([1, 1, 1, 0]).to(torch.tensor(mask)), torch.tensor(mask)
    ])  # fmt: skip
    what = 'padded on the right.* text 1 of the batch .*padding at place .*padding_side="right"'
    for run in (model, model.hidden_states):
        with pytest.raises(TaskError, match=what):
            run(inputs)


@pytest.mark.parametrize(
    "inputs",
    [
        {"pixel_values": torch.zeros(1, 1, 8, 8), "bool_masked_pos": torch.tensor([[0, 1]])},
        {"input_values": torch.zeros(1, 4), "attention_mask": torch.tensor([[0, 1, 0, 1]])},
        {"input_ids": torch.zeros(1, 2), "attention_mask": torch.zeros(1, 1, 2, 2).bool()},
    ],
)
def test_other_masks_are_left_to_the_model(inputs: dict[str, Tensor]) -> None:
    """Those of images and sounds, and of pairs of tokens."""
    check_padding(inputs)


def test_an_adapted_model_of_texts_can_be_exported() -> None:
    """Its graph has no values, so nothing is checked there."""
    model = AdaptedBackbone(BACKBONES["bert"](), parse_layout("1>2:bottleneck"), 2).eval()
    inputs = model.backbone.made_up_inputs(2, seed=0)
    exported = torch.export.export(model, (inputs,)).module()

    torch.testing.assert_close(exported(inputs), model(inputs))
