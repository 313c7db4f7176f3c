"""Texts as token ids."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.normalizers import Replace
from transformers import PreTrainedTokenizerFast

from placement_search.errors import TaskError
from placement_search.input_format import ImageFormat, TextFormat
from placement_search.tasks.loading import load_task
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.task import Task
from tests.tasks.tiny_data import WORDS, saved, tiny_tokenizer

CLS, SEP, PAD, EOS = (WORDS.index(f"[{name}]") for name in ("CLS", "SEP", "PAD", "EOS"))
GOOD, VERY, FILM = (WORDS.index(word) for word in ("good", "very", "film"))


def sentences(*n_words: int) -> dict[str, list[Any]]:
    """Texts of so many words, in two classes."""
    texts = [" ".join(["very"] * (n - 1) + ["good"]) for n in n_words]
    return {"text": texts, "label": ["ab"[row % 2] for row in range(len(texts))]}


@pytest.fixture
def encoder(tmp_path: Path) -> TextFormat:
    return TextFormat(tiny_tokenizer(tmp_path / "tokenizer"), len(WORDS), 64)


def tokens_of(
    folder: Path,
    form: TextFormat,
    train: dict[str, list[Any]],
    test: dict[str, list[Any]] | None = None,
    **settings: Any,
) -> Task:
    parts = {"train": train, "validation": train, "test": test or train}
    path = saved(folder / "mine", **parts)
    return load_task(DataSettings(str(path), **settings), form)


def test_texts_are_padded_on_the_right(tmp_path: Path, encoder: TextFormat) -> None:
    """To the longest, with a mask that shows what is real."""
    task = tokens_of(tmp_path, encoder, sentences(1, 3))
    inputs = task.train.inputs

    assert inputs["input_ids"].tolist() == [
        [CLS, GOOD, SEP, PAD, PAD],
        [CLS, VERY, VERY, GOOD, SEP],
    ]
    assert inputs["attention_mask"].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 1, 1]]
    assert {name: tensor.dtype for name, tensor in inputs.items()} == {
        "input_ids": torch.int64, "attention_mask": torch.int64,
    }  # fmt: skip


def test_pairs_carry_which_text_a_token_is_of(tmp_path: Path, encoder: TextFormat) -> None:
    """Where the tokenizer says so; padding is of the first."""
    rows = {"sentence1": ["good", "very good"], "sentence2": ["film", "film"], "label": ["a", "b"]}
    inputs = tokens_of(tmp_path, encoder, rows).train.inputs

    assert inputs["input_ids"][0].tolist() == [CLS, GOOD, SEP, FILM, SEP, PAD]
    assert inputs["token_type_ids"].tolist() == [[0, 0, 0, 1, 1, 0], [0, 0, 0, 0, 1, 1]]


def test_a_decoder_pads_with_the_end_of_a_text(tmp_path: Path) -> None:
    """It has no token for padding; the mask hides it."""
    folder = tiny_tokenizer(tmp_path / "decoder", is_decoder=True)
    inputs = tokens_of(tmp_path, TextFormat(folder, len(WORDS), 64), sentences(1, 2)).train.inputs

    assert inputs["input_ids"].tolist() == [[GOOD, EOS], [VERY, GOOD]]
    assert inputs["attention_mask"].tolist() == [[1, 0], [1, 1]]


@pytest.mark.parametrize("is_decoder", [True, False])
def test_padding_that_the_backbone_does_not_know_is_replaced(
    is_decoder: bool, tmp_path: Path
) -> None:
    """As of a token that was added to the tokenizer alone; the mask hides what stands there."""
    folder = tiny_tokenizer(tmp_path / "tokenizer", is_decoder=is_decoder)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(str(folder))
    tokenizer.add_special_tokens({"pad_token": "[LATER]"})
    tokenizer.save_pretrained(str(folder))
    inputs = tokens_of(tmp_path, TextFormat(folder, len(WORDS), 64), sentences(1, 2)).train.inputs

    assert tokenizer.pad_token_id == len(WORDS)
    assert inputs["input_ids"][0, -1] == (EOS if is_decoder else 0)
    assert inputs["attention_mask"][0, -1] == 0


def test_the_length_holds_all_but_the_longest_texts(tmp_path: Path, encoder: TextFormat) -> None:
    """The smallest multiple of 8 for 99 % of training; cut texts keep their last special token."""
    train = sentences(*[3] * 98, 9, 50)
    task = tokens_of(tmp_path, encoder, train, sentences(60, 60))
    ids = task.train.inputs["input_ids"]

    assert ids.shape == (100, 16)
    assert ids[99].tolist() == [CLS, *[VERY] * 14, SEP]
    assert task.notes[-1] == (
        "texts: at most 16 tokens of 64 that the backbone takes; cut: train 1 (1.0%), "
        "validation 1 (1.0%), test 2 (100.0%), the longest had 62 (--max-length changes this)"
    )


def test_texts_that_fit_are_as_long_as_the_longest(tmp_path: Path, encoder: TextFormat) -> None:
    """Nothing is padded further than needed."""
    task = tokens_of(tmp_path, encoder, sentences(2, 3))

    assert task.train.inputs["input_ids"].shape == (2, 5)
    assert "none is cut, the longest has 5" in task.notes[-1]


def test_the_backbone_sets_the_longest_length(tmp_path: Path, encoder: TextFormat) -> None:
    """However long the texts are."""
    form = TextFormat(encoder.folder, len(WORDS), 20)

    assert tokens_of(tmp_path, form, sentences(90, 80)).train.inputs["input_ids"].shape == (2, 20)


def test_a_length_can_be_asked_for(tmp_path: Path, encoder: TextFormat) -> None:
    """Both texts of a pair give way, and every special token stays."""
    rows = {"sentence1": ["very " * 9] * 2, "sentence2": ["film"] * 2, "label": ["a", "b"]}
    inputs = tokens_of(tmp_path, encoder, rows, max_length=6).train.inputs

    assert inputs["input_ids"][0].tolist() == [CLS, VERY, VERY, SEP, FILM, SEP]
    assert inputs["token_type_ids"][0].tolist() == [0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("max_length", "said"),
    [(65, "--max-length must be at most 64, .*; got 65"), (2, "--max-length must be at least 3")],
)
def test_a_length_that_can_not_be_is_refused(
    max_length: int, said: str, tmp_path: Path, encoder: TextFormat
) -> None:
    """Too long for the backbone, or too short for a single word."""
    with pytest.raises(TaskError, match=said):
        tokens_of(tmp_path, encoder, sentences(1, 2), max_length=max_length)


def test_cutting_changes_no_text_that_fits(tmp_path: Path, encoder: TextFormat) -> None:
    """Each text's tokens depend on that text alone."""
    mixed = sentences(3, 50, 2, 40)
    whole = tokens_of(tmp_path / "whole", encoder, mixed).train.inputs["input_ids"]
    cut = tokens_of(tmp_path / "cut", encoder, mixed, max_length=8).train.inputs["input_ids"]

    assert torch.equal(cut[[0, 2]], whole[[0, 2], :8])


@pytest.mark.parametrize("has_folder", [True, False])
def test_a_missing_tokenizer_is_told(has_folder: bool, tmp_path: Path) -> None:
    """With where it was looked for."""
    folder = tmp_path / "bare" if has_folder else None
    if folder is not None:
        folder.mkdir()
    with pytest.raises(TaskError, match="texts need the backbone's tokenizer") as caught:
        tokens_of(tmp_path, TextFormat(folder, 10, 10), sentences(1, 2))

    assert str(folder) in str(caught.value) or not has_folder


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [("tokenizer.json", '"type":"', '"type":"New'), ("tokenizer_config.json", "", "[]")],
)
def test_a_tokenizer_that_can_not_be_read_is_told(
    name: str, old: str, new: str, tmp_path: Path, encoder: TextFormat
) -> None:
    """As one that a later version wrote."""
    assert encoder.folder is not None
    folder = tmp_path / "other"
    shutil.copytree(encoder.folder, folder)
    text = re.sub(r'": +"', '":"', (folder / name).read_text())
    (folder / name).write_text(text.replace(old, new) if old else new)

    with pytest.raises(TaskError, match="texts need the backbone's tokenizer"):
        tokens_of(tmp_path, TextFormat(folder, GOOD + 9, 64), sentences(2, 3))


def test_a_tokenizer_of_another_backbone_is_told(tmp_path: Path, encoder: TextFormat) -> None:
    """An id beyond the embedding would crash in the middle of a training."""
    form = TextFormat(encoder.folder, GOOD, 64)
    with pytest.raises(TaskError, match=f"knows ids below {GOOD}: they do not belong together"):
        tokens_of(tmp_path, form, sentences(2, 3))


def test_a_text_without_tokens_is_told(tmp_path: Path) -> None:
    """Nothing of it could be pooled; a decoder adds no special token."""
    folder = tiny_tokenizer(tmp_path / "decoder", is_decoder=True)
    silent = Tokenizer.from_file(str(folder / "tokenizer.json"))
    silent.normalizer = Replace("#", "")
    silent.save(str(folder / "tokenizer.json"))
    rows = {"text": ["good", "##"], "label": ["a", "b"]}
    with pytest.raises(
        TaskError, match="3 give none, among them '##' in train, '##' in validation"
    ):
        tokens_of(tmp_path, TextFormat(folder, len(WORDS), 64), rows)


def test_unknown_words_are_told(tmp_path: Path, encoder: TextFormat) -> None:
    """Many of them: the tokenizer knows another language."""
    rows = {"text": ["bonjour film", "good film"], "label": ["a", "b"]}
    task = tokens_of(tmp_path, encoder, rows)

    assert "12.5% of the training tokens are unknown to the tokenizer" in task.notes


def test_texts_on_a_backbone_of_images_are_refused(tmp_path: Path) -> None:
    """The message says what it takes and what the data holds."""
    form = ImageFormat(None, 16, 12, 1, (0.5,), (0.5,))
    path = saved(tmp_path / "mine", train=sentences(*[2] * 20))
    with pytest.raises(TaskError, match="takes images of 12x16 pixels, but data set 'mine' holds"):
        load_task(str(path), form)


def test_numbers_are_standardised_by_training_alone(tmp_path: Path, encoder: TextFormat) -> None:
    """Mean 0 and deviation 1 there; the test split is scaled alike."""
    train = sentences(1, 2, 3, 4) | {"label": [1.5, 2.0, 3.0, 5.5]}
    test = sentences(1, 2) | {"label": [3.0, 13.0]}
    task = tokens_of(tmp_path, encoder, train, test)
    mean, std = task.scale

    assert np.isclose(mean, 3.0) and np.isclose(std, np.std([1.5, 2.0, 3.0, 5.5]))
    assert torch.allclose(task.train.labels.mean(), torch.zeros(()), atol=1e-6)
    assert torch.allclose(task.test.labels, torch.tensor([0.0, 10 / std]))
    assert task.n_outputs == 1
