"""What the names of files, folders and hub splits say: training, validation or test."""

import re
from collections.abc import Iterable, Mapping

SPLITS = ("train", "validation", "test")

WORDS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
"""Each word with the split that it means."""


def split_of(name: str) -> str | None:
    """The split that a name speaks of, e.g. ``train-00000`` or ``my_dev``; None if none."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((WORDS[word] for word in words if word in WORDS), None)


def chosen_names(names: Iterable[str]) -> tuple[dict[str, str], list[str]]:
    """The name that stands for each split, and the names left out.

    Of several names for one split, e.g. ``validation_matched`` and ``validation_mismatched``, the
    exact word wins, else the first in the alphabet. A single name without such a word is training.
    """
    known = sorted(names, key=lambda name: (name.lower() not in WORDS, name))
    if len(known) == 1 and split_of(known[0]) is None:
        return {"train": known[0]}, []
    chosen: dict[str, str] = {}
    for name in known:
        split = split_of(name)
        if split is not None:
            chosen.setdefault(split, name)
    return chosen, sorted(set(known) - set(chosen.values()))
