"""Texts made into what a language backbone takes: token ids, padded on the right."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from placement_search.errors import TaskError
from placement_search.input_format import TextFormat
from placement_search.tasks.faults import shortened
from placement_search.tasks.raw import RawTask, Texts
from placement_search.tasks.tokens import Tokens, cut_to, load_tokenizer, pad_id, tokenised

SHARE_KEPT_WHOLE = 0.99
"""Of the training texts, what the length that is chosen holds from end to end."""

LENGTH_STEP = 8
NOTABLE_UNKNOWN = 0.01
"""Share of unknown tokens in training from which the user is told."""


def text_inputs(
    raw: RawTask, form: TextFormat, max_length: int | None
) -> tuple[dict[str, dict[str, Tensor]], tuple[str, ...]]:
    """Tokenise every split.

    Args:
        raw: Texts or pairs of them.
        form: The tokenizer's folder and the backbone's limits.
        max_length: Most tokens of a text; None for the smallest multiple of 8 that holds 99 % of
            the training texts, or the backbone's limit if that is less.

    Returns:
        By split ``input_ids``, ``attention_mask``, and for pairs ``token_type_ids`` where the
        tokenizer makes them, each int64 of shape ``(n, longest text kept)``; and lines for the
        user.

    Raises:
        TaskError: If there is no tokenizer, it does not fit the backbone, or ``max_length`` can't
            be.
    """
    tokenizer = load_tokenizer(form)
    texts = {name: _texts(split.content) for name, split in raw.splits.items()}
    whole = {name: tokenised(tokenizer, each, None) for name, each in texts.items()}
    length = _length(whole["train"].lengths, form, max_length)
    _check_least(tokenizer, length, is_pair=texts["train"].second is not None)
    cut = {name: cut_to(tokenizer, texts[name], whole[name], length) for name in texts}
    _check(cut, texts, form)
    width = max(int(tokens.lengths.max()) for tokens in cut.values())
    pad = pad_id(tokenizer, form.vocabulary)
    inputs = {name: _padded(tokens, width, pad) for name, tokens in cut.items()}
    return inputs, (_length_note(whole, length, form), *_unknown_note(tokenizer, cut["train"]))


def _texts(content: object) -> Texts:
    if not isinstance(content, Texts):
        raise TypeError(f"expected texts, got {type(content).__name__}")
    return content


def _length(lengths: np.ndarray, form: TextFormat, max_length: int | None) -> int:
    if max_length is None:
        held = int(np.quantile(lengths, SHARE_KEPT_WHOLE, method="inverted_cdf"))
        return min(-(-held // LENGTH_STEP) * LENGTH_STEP, form.max_tokens)
    if max_length > form.max_tokens:
        raise TaskError(
            f"--max-length must be at most {form.max_tokens}, the most that the backbone takes; "
            f"got {max_length}"
        )
    return max_length


def _check_least(tokenizer: PreTrainedTokenizerBase, length: int, *, is_pair: bool) -> None:
    least = tokenizer.num_special_tokens_to_add(pair=is_pair) + (2 if is_pair else 1)
    if length < least:
        raise TaskError(
            f"--max-length must be at least {least} to hold the special tokens and one of each "
            f"text, got {length}"
        )


def _check(splits: Mapping[str, Tokens], texts: Mapping[str, Texts], form: TextFormat) -> None:
    highest = max(max(ids, default=0) for tokens in splits.values() for ids in tokens.ids)
    if highest >= form.vocabulary:
        raise TaskError(
            f"the tokenizer in {form.folder} gives id {highest}, and the backbone knows ids below "
            f"{form.vocabulary}: they do not belong together"
        )
    empty = [
        f"{shortened(texts[name].first[row])} in {name}"
        for name, tokens in splits.items()
        for row in np.flatnonzero(tokens.lengths == 0).tolist()
    ]
    if empty:
        raise TaskError(
            f"a text must give at least one token; {len(empty)} give none, among them "
            f"{', '.join(empty[:10])}"
        )


def _padded(tokens: Tokens, width: int, pad: int) -> dict[str, Tensor]:
    is_real = np.arange(width) < tokens.lengths[:, None]
    inputs = {"input_ids": _filled(tokens.ids, is_real, pad)}
    inputs["attention_mask"] = torch.from_numpy(is_real.astype(np.int64))
    if tokens.types is not None:
        inputs["token_type_ids"] = _filled(tokens.types, is_real, 0)
    return inputs


def _filled(lists: list[list[int]], is_real: np.ndarray, blank: int) -> Tensor:
    values = np.full(is_real.shape, blank, dtype=np.int64)
    values[is_real] = np.concatenate([np.array(each, dtype=np.int64) for each in lists])
    return torch.from_numpy(values)


def _length_note(whole: Mapping[str, Tokens], length: int, form: TextFormat) -> str:
    cut = {name: int((tokens.lengths > length).sum()) for name, tokens in whole.items()}
    longest = max(int(tokens.lengths.max()) for tokens in whole.values())
    told = f"texts: at most {length} tokens of {form.max_tokens} that the backbone takes"
    if not any(cut.values()):
        return f"{told}; none is cut, the longest has {longest}"
    shown = ", ".join(f"{name} {n} ({n / len(whole[name].ids):.1%})" for name, n in cut.items())
    return f"{told}; cut: {shown}, the longest had {longest} (--max-length changes this)"


def _unknown_note(tokenizer: PreTrainedTokenizerBase, tokens: Tokens) -> tuple[str, ...]:
    unknown = tokenizer.unk_token_id
    n_tokens = int(tokens.lengths.sum())
    n_unknown = sum(ids.count(unknown) for ids in tokens.ids) if unknown is not None else 0
    if n_unknown < NOTABLE_UNKNOWN * n_tokens:
        return ()
    return (f"{n_unknown / n_tokens:.1%} of the training tokens are unknown to the tokenizer",)
