"""Texts as token ids, by the tokenizer that lies with a backbone."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from transformers import AutoTokenizer, PreTrainedTokenizerBase

from placement_search.errors import TaskError
from placement_search.input_format import TextFormat
from placement_search.tasks.raw import Texts

_NO_NUMBER = 2**31
"""A text length beyond all limits keeps a tokenizer from warning about its own."""


@dataclass(frozen=True, slots=True, eq=False)
class Tokens:
    """Token ids of the texts of one split, by text; all lists have the same lengths.

    Args:
        ids: Token ids.
        types: Which text of a pair each token belongs to; None where texts are no pairs, or the
            tokenizer does not say.
    """

    ids: list[list[int]]
    types: list[list[int]] | None

    @property
    def lengths(self) -> np.ndarray:
        """Tokens of each text, shape ``(n,)``."""
        return np.array([len(ids) for ids in self.ids])


def load_tokenizer(form: TextFormat) -> PreTrainedTokenizerBase:
    """The tokenizer of a backbone.

    Raises:
        TaskError: If there is none, or it can't be loaded.
    """
    if form.folder is None or not Path(form.folder).is_dir():
        raise TaskError("texts need the backbone's tokenizer, and this --model came without one")
    try:
        return AutoTokenizer.from_pretrained(
            form.folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # the tokenizers library raises no class of its own
        raise TaskError(
            f"texts need the backbone's tokenizer, and none can be loaded from {form.folder} "
            f"(tokenizer.json or vocab.txt beside config.json): {error}"
        ) from error


def tokenised(tokenizer: PreTrainedTokenizerBase, texts: Texts, max_length: int | None) -> Tokens:
    """Tokens of texts, special ones included.

    Args:
        tokenizer: Of the backbone.
        texts: Texts or pairs of them.
        max_length: Most tokens of a text, cut by the tokenizer's own rule; None for all.
    """
    found = tokenizer(
        list(texts.first),
        None if texts.second is None else list(texts.second),
        truncation=max_length is not None,
        max_length=max_length or _NO_NUMBER,
        padding=False,
        return_attention_mask=False,
        verbose=False,
    )
    types = found.get("token_type_ids") if texts.second is not None else None
    return Tokens(found["input_ids"], types)


def cut_to(tokenizer: PreTrainedTokenizerBase, texts: Texts, whole: Tokens, length: int) -> Tokens:
    """The same, texts that are too long tokenised again, so that they keep special tokens."""
    long = np.flatnonzero(whole.lengths > length).tolist()
    if not long:
        return whole
    shorter = tokenised(tokenizer, texts.chosen(long), length)
    ids = list(whole.ids)
    types = None if whole.types is None else list(whole.types)
    for place, row in enumerate(long):
        ids[row] = shorter.ids[place]
        if types is not None and shorter.types is not None:
            types[row] = shorter.types[place]
    return Tokens(ids, types)


def pad_id(tokenizer: PreTrainedTokenizerBase, vocabulary: int) -> int:
    """Its own, else that of the end of a text, else 0: the first that the backbone knows.

    It stands on the right of texts, where the attention mask hides it; models whose positions
    count from padding on give real tokens the same ones whatever stands there.

    Args:
        tokenizer: Of the backbone; its token for padding may have been added to it alone.
        vocabulary: Ids that the backbone knows lie below it.
    """
    given = (tokenizer.pad_token_id, tokenizer.eos_token_id, 0)
    return int(next(each for each in given if each is not None and 0 <= each < vocabulary))
