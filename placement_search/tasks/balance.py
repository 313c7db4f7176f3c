"""What to tell the user about a data set: rows, classes, what guessing would score, repeats."""

import numpy as np

from placement_search.tasks.raw import RawSplit, RawTask
from placement_search.tasks.target import Target

MOST_NAMED = 12
"""Classes that are all named with their counts; of more, the rarest and the most frequent."""


def described(raw: RawTask) -> tuple[str, ...]:
    """Lines about the splits as they will be used."""
    sizes = ", ".join(f"{name} {len(split)}" for name, split in raw.splits.items())
    return (f"rows: {sizes}", *_TARGETS[raw.target](raw), *_repeats(raw))


def _classes(raw: RawTask) -> list[str]:
    counts = np.bincount(raw.train.targets, minlength=len(raw.label_names))
    usual = int(counts.argmax())
    shares = ", ".join(
        f"{name} {np.mean(split.targets == usual):.3f}" for name, split in raw.splits.items()
    )
    return [
        f"classes: {_counted(raw.label_names, counts)} in training",
        f"always answering {raw.label_names[usual]!r}, the most frequent, is right in: {shares}",
    ]


def _sets(raw: RawTask) -> list[str]:
    counts = raw.train.targets.sum(axis=0).astype(int)
    mean = raw.train.targets.sum(axis=1).mean()
    return [
        f"labels: {_counted(raw.label_names, counts)} in training, {mean:.2f} per row on average"
    ]


def _numbers(raw: RawTask) -> list[str]:
    values, tested = raw.train.targets, raw.test.targets
    error = np.sqrt(np.mean((tested - values.mean()) ** 2))
    spread = f"{values.min():g} to {values.max():g}, mean {values.mean():.4g}"
    return [
        f"target {raw.label_names[0]!r}: {spread}, deviation {values.std():.4g} in training",
        f"always answering that mean has an RMSE of {error:.4g} on test",
    ]


_TARGETS = {
    Target.SINGLE_LABEL: _classes,
    Target.MULTI_LABEL: _sets,
    Target.REGRESSION: _numbers,
}


def _counted(names: tuple[str, ...], counts: np.ndarray) -> str:
    order = np.argsort(-counts, kind="stable")
    if len(names) <= MOST_NAMED:
        listed = ", ".join(f"{names[i]} {counts[i]}" for i in order)
        return f"{len(names)}, {listed}"
    first, last = order[0], order[-1]
    return f"{len(names)}, from {counts[last]} ({names[last]}) to {counts[first]} ({names[first]})"


def _repeats(raw: RawTask) -> list[str]:
    known = set(raw.train.content.keys())
    found = {name: _n_in(known, split) for name, split in raw.splits.items() if name != "train"}
    return [
        f"{n} {name} row{'s' if n > 1 else ''} also stand{'' if n > 1 else 's'} in train"
        for name, n in found.items()
        if n > 0
    ]


def _n_in(known: set[bytes], split: RawSplit) -> int:
    return sum(key in known for key in split.content.keys())  # noqa: SIM118 - no mapping
