"""Data sets and tokenizers of a few rows and words, written into a test's own folder."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from datasets import Dataset, DatasetDict
from PIL import Image
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from placement_search.tasks.loading import read_data
from placement_search.tasks.raw import RawTask
from placement_search.tasks.settings import DataSettings

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "very", "a", "[EOS]")
"""Words of the tiny tokenizers; a word's id is its place."""


def review(row: int) -> str:
    """A text of its own for each row."""
    return f"film number {row}"


def reviews(n: int, n_classes: int = 2, *, first: int = 0) -> dict[str, list[Any]]:
    """Columns of ``n`` different texts, their classes in turn."""
    rows = range(first, first + n)
    return {
        "text": [review(row) for row in rows],
        "label": ["abcdefghij"[row % n_classes] for row in rows],
    }


def saved(folder: Path, **splits: dict[str, list[Any]]) -> Path:
    """A folder as the datasets library saves it."""
    DatasetDict({name: Dataset.from_dict(rows) for name, rows in splits.items()}).save_to_disk(
        str(folder)
    )
    return folder


def parquet(path: Path, rows: dict[str, list[Any]], features: Any = None) -> Path:
    """A file that keeps types and declared classes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Dataset.from_dict(rows, features=features).to_parquet(str(path))
    return path


def read(path: Path, **settings: Any) -> RawTask:
    """What is read of a file or folder."""
    return read_data(DataSettings(str(path), **settings))


def tiny_tokenizer(folder: Path, *, is_decoder: bool = False) -> Path:
    """A tokenizer of whole words; a decoder's adds nothing and has no token for padding."""
    words = {word: number for number, word in enumerate(WORDS)}
    tokenizer = Tokenizer(WordLevel(words, unk_token="[UNK]"))  # noqa: S106 - not a secret
    tokenizer.pre_tokenizer = Whitespace()
    marks = {"unk_token": "[UNK]", "eos_token": "[EOS]"}
    if not is_decoder:
        tokenizer.post_processor = TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
        marks = {"unk_token": "[UNK]", "pad_token": "[PAD]", "cls_token": "[CLS]"}
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=inputs[:1] if is_decoder else inputs, **marks
    )
    fast.save_pretrained(str(folder))
    return folder


def picture(shade: int = 128, size: tuple[int, int] = (8, 8), mode: str = "RGB") -> Image.Image:
    """An image of one shade of grey but for a white corner."""
    image = Image.new("L", size, shade)
    image.putpixel((0, 0), 255)
    return image.convert(mode)


def png(image: Image.Image) -> bytes:
    """An image as the content of a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG")
    return buffer.getvalue()


def pixels_of(image: Image.Image) -> np.ndarray:
    """Brightness within [0, 1]."""
    return np.asarray(image).astype(np.float32) / 255
