"""Which examples go where: splits cut, and reduced, in proportion to the classes."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from placement_search.errors import TaskError
from placement_search.tasks.raw import RawSplit, RawTask
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.target import Target

SHARE = 0.1
"""Of all examples, what a missing validation or test split gets."""

_TEST, _VALIDATION, _TRAIN_SIZE, _VALIDATION_SIZE, _SHOTS = range(5)
"""Each drawing has its own random numbers, so one option does not change what another draws."""


def three_splits(given: Mapping[str, RawSplit], seed: int) -> tuple[dict[str, RawSplit], str]:
    """All three splits; missing ones are cut from ``train``.

    A split that is cut holds a tenth of the given training split, and where that has room for all
    classes at least one example of each that has enough: the last one stays in training.

    Args:
        given: By name, with ``train`` and perhaps ``validation`` and ``test``.
        seed: Fixes which examples are cut.

    Returns:
        The splits, and a line for the user.

    Raises:
        TaskError: If there are too few examples to cut from.
    """
    missing = [name for name in ("test", "validation") if name not in given]
    splits = dict(given)
    n = max(1, round(SHARE * len(given["train"])))
    for place, name in enumerate(missing):
        train = splits["train"]
        stream = _TEST if name == "test" else _VALIDATION
        part = drawn(_strata(train), n, [seed, stream], n_kept=len(missing) - place)
        if len(part) == 0:
            raise TaskError(
                f"a {name} split can't be cut from {len(given['train'])} training examples: no "
                "class has one to spare; give the split, or more examples"
            )
        splits[name] = train.chosen(part.tolist())
        splits["train"] = train.chosen(_rest(len(train), part))
    return splits, _cut_note(missing, n, seed)


def reduced(raw: RawTask, settings: DataSettings) -> RawTask:
    """The task with so many training and validation examples as asked for.

    Raises:
        TaskError: If classes have fewer examples than ``shots``, or a size can't hold every class.
    """
    train, validation, seed = raw.train, raw.validation, settings.split_seed
    if settings.shots is not None:
        if raw.target is not Target.SINGLE_LABEL:
            raise TaskError(f"--shots counts examples of a class; {raw.name!r} is {raw.target}")
        train = train.chosen(_shots(train, settings.shots, raw.label_names, seed))
    if settings.train_size is not None:
        train = _shrunk(train, settings.train_size, "--train-size", [seed, _TRAIN_SIZE])
    if settings.validation_size is not None:
        stream = [seed, _VALIDATION_SIZE]
        validation = _shrunk(validation, settings.validation_size, "--validation-size", stream)
    return replace(raw, train=train, validation=validation)


def drawn(strata: np.ndarray, n: int, seed: list[int], *, n_kept: int = 0) -> np.ndarray:
    """Rows drawn at random, of each stratum in proportion to its size and at least one.

    Args:
        strata: The stratum of each row, shape ``(n_rows,)``.
        n: How many rows to draw.
        seed: Fixes which.
        n_kept: Rows of each stratum that stay, if it has them.

    Returns:
        Rows in rising order; fewer than ``n`` where too many must stay.
    """
    rng = np.random.default_rng(seed)
    names, counts = np.unique(strata, return_counts=True)
    quotas = _quotas(counts, np.maximum(counts - n_kept, 0), n)
    rows = [
        rng.permutation(np.flatnonzero(strata == name))[:quota]
        for name, quota in zip(names, quotas, strict=True)
    ]
    return np.sort(np.concatenate(rows))


def _quotas(counts: np.ndarray, room: np.ndarray, n: int) -> np.ndarray:
    """How many rows to draw of each stratum: shape ``(n_strata,)``, at most ``room``."""
    n = min(n, int(room.sum()))
    exact = n * counts / counts.sum()
    lowest = np.minimum(room, 1) if n >= np.count_nonzero(room) else np.zeros_like(room)
    quotas: np.ndarray = np.clip(np.floor(exact).astype(int), lowest, room)
    while quotas.sum() != n:
        step = 1 if quotas.sum() < n else -1
        can_change = quotas < room if step == 1 else quotas > lowest
        gain = np.where(can_change, step * (exact - quotas), -np.inf)
        quotas[gain.argmax()] += step
    return quotas


def _strata(split: RawSplit) -> np.ndarray:
    """Classes; of a set of labels the rarest one, or -1; numbers are drawn from one stratum."""
    targets = split.targets
    if np.issubdtype(targets.dtype, np.integer):
        return targets
    if targets.ndim == 1:
        return np.zeros(len(split), dtype=np.int64)
    counts = np.where(targets > 0, targets.sum(axis=0), np.inf)
    return np.where(targets.any(axis=1), counts.argmin(axis=1), -1)


def _rest(n: int, part: np.ndarray) -> list[int]:
    rest: list[int] = np.setdiff1d(np.arange(n), part).tolist()
    return rest


def _shrunk(split: RawSplit, n: int, option: str, seed: list[int]) -> RawSplit:
    strata = _strata(split)
    n_strata = len(np.unique(strata))
    if n < n_strata:
        each = "class" if split.targets.ndim == 1 else "label that is the rarest of a row, or none"
        raise TaskError(
            f"{option} must be at least {n_strata}, for one example of each {each}; got {n}"
        )
    return split if n >= len(split) else split.chosen(drawn(strata, n, seed).tolist())


def _shots(train: RawSplit, shots: int, names: tuple[str, ...], seed: int) -> list[int]:
    counts = np.bincount(train.targets, minlength=len(names))
    few = [f"{name} ({n})" for name, n in zip(names, counts, strict=True) if 0 < n < shots]
    if few:
        raise TaskError(
            f"--shots {shots} needs as many training examples of every class; fewer have "
            f"{', '.join(few)}"
        )
    rng = np.random.default_rng([seed, _SHOTS])
    members = (np.flatnonzero(train.targets == label) for label in np.unique(train.targets))
    rows = np.concatenate([rng.permutation(each)[:shots] for each in members])
    chosen: list[int] = np.sort(rows).tolist()
    return chosen


def _cut_note(missing: list[str], n: int, seed: int) -> str:
    if not missing:
        return "splits: as given"
    shown = " and ".join(reversed(missing))
    return f"splits: {shown} cut from train, about {n} rows each, with split seed {seed}"
