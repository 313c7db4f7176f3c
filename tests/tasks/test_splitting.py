"""Splits cut and reduced: every row once, classes in proportion, the same on every machine."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from placement_search.errors import TaskError
from placement_search.tasks.raw import RawSplit, Texts
from placement_search.tasks.splitting import drawn, three_splits
from tests.tasks.tiny_data import read, review, reviews, saved

CLASSES = st.lists(st.integers(0, 4), min_size=3, max_size=80).map(np.array)
SEEDS = st.integers(0, 1000)


def split_of(targets: np.ndarray) -> RawSplit:
    return RawSplit(Texts(tuple(review(row) for row in range(len(targets)))), targets)


def rows_of(split: RawSplit) -> list[bytes]:
    return split.content.keys()


@pytest.mark.slow
@given(CLASSES, SEEDS)
@settings(deadline=None)
def test_cut_splits_hold_every_row_once(targets: np.ndarray, seed: int) -> None:
    """And each class at least once where it has enough rows."""
    counts = np.bincount(targets)
    assume((counts >= 3).any())
    splits, _ = three_splits({"train": split_of(targets)}, seed)
    parts = [set(rows_of(split)) for split in splits.values()]
    n_cut = max(1, round(0.1 * len(targets)))
    n_classes = np.count_nonzero(counts)

    assert sum(map(len, parts)) == len(set().union(*parts)) == len(targets)
    assert set(splits["train"].targets) == set(targets)
    if n_cut >= n_classes and counts[counts > 0].min() >= 3:
        assert all(set(split.targets) == set(targets) for split in splits.values())


@given(CLASSES, SEEDS, st.integers(1, 80), st.integers(0, 2))
@settings(deadline=None)
def test_draws_follow_the_classes(targets: np.ndarray, seed: int, n: int, n_kept: int) -> None:
    """Each class in proportion, but for one row at the rounding and those that must stay."""
    rows = drawn(targets, n, [seed], n_kept=n_kept)
    counts = np.bincount(targets, minlength=5)
    found = np.bincount(targets[rows], minlength=5)
    room = np.maximum(counts - n_kept, 0)

    assert len(set(rows.tolist())) == len(rows) == min(n, room.sum())
    assert (np.sort(rows) == rows).all()
    assert (found <= room).all()
    if n >= np.count_nonzero(room):
        assert (found[room > 0] >= 1).all()
    if n_kept == 0 and len(rows) == n:
        assert (np.abs(found - n * counts / len(targets)) <= len(np.unique(targets))).all()


def test_draws_are_the_same_on_every_machine() -> None:
    """Numbers of numpy's generator, seen on Linux x86-64 with numpy 2.4."""
    targets = np.array([0, 0, 0, 0, 1, 1, 1, 1, 2, 2])

    assert drawn(targets, 5, [7, 0]).tolist() == DRAWN_WITH_SEED_7
    assert drawn(targets, 5, [8, 0]).tolist() != DRAWN_WITH_SEED_7


DRAWN_WITH_SEED_7 = [0, 2, 5, 7, 9]


@pytest.mark.parametrize(
    ("given_splits", "expected", "said"),
    [
        ({"train": 100}, [80, 10, 10], "validation and test cut from train, about 10 rows each"),
        ({"train": 100, "test": 30}, [90, 10, 30], "validation cut from train"),
        ({"train": 100, "validation": 30}, [90, 30, 10], "test cut from train"),
        ({"train": 100, "validation": 30, "test": 20}, [100, 30, 20], "as given"),
    ],
)
def test_missing_splits_are_cut_from_training(
    given_splits: dict[str, int], expected: list[int], said: str, tmp_path: Path
) -> None:
    """A tenth for each that is missing, and the user is told."""
    parts = {
        name: reviews(n, first=1000 * place) for place, (name, n) in enumerate(given_splits.items())
    }
    raw = read(saved(tmp_path / "mine", **parts))

    assert [len(split) for split in raw.splits.values()] == expected
    assert any(said in note for note in raw.notes)


@pytest.mark.parametrize("hidden", [[None] * 20, ["x"] * 0])
def test_a_test_split_without_labels_gives_way_to_validation(
    hidden: list[None], tmp_path: Path
) -> None:
    """Its labels missing, or its column: validation is the test then, and is cut anew."""
    test = {"text": reviews(20, first=5000)["text"]}
    if hidden:
        test["label"] = hidden
    folder = saved(
        tmp_path / "mine", train=reviews(100), validation=reviews(30, first=1000), test=test
    )
    raw = read(folder)

    assert [len(split) for split in raw.splits.values()] == [90, 10, 30]
    assert rows_of(raw.test)[0] == review(1000).encode()
    assert any("the given validation split is the test" in note for note in raw.notes)


def test_a_seed_decides_which_rows_are_cut(tmp_path: Path) -> None:
    """The same one cuts the same rows, another one others."""
    folder = saved(tmp_path / "mine", train=reviews(100))
    cut = [rows_of(read(folder, split_seed=seed).test) for seed in (3, 3, 4)]

    assert cut[0] == cut[1] != cut[2]


def test_rare_labels_of_sets_stay_in_training(tmp_path: Path) -> None:
    """Of a label that two rows have, one is left to learn from."""
    labels = [["common"]] * 98 + [["common", "rare"]] * 2
    rows = {"text": reviews(100)["text"], "label": labels}
    for seed in range(5):
        raw = read(saved(tmp_path / str(seed), train=rows), split_seed=seed)

        assert raw.train.targets[:, 1].sum() >= 1


def test_too_few_rows_can_not_be_cut(tmp_path: Path) -> None:
    """Every class needs its only row for training."""
    with pytest.raises(TaskError, match="test split can't be cut from 4 training examples"):
        read(saved(tmp_path / "mine", train=reviews(4, 4)))


def test_shots_count_training_examples_of_each_class(tmp_path: Path) -> None:
    """As many of each, from training alone; the other splits stay whole."""
    raw = read(saved(tmp_path / "mine", train=reviews(100, 4)), shots=5)

    assert np.bincount(raw.train.targets).tolist() == [5] * 4
    assert len(raw.validation) == len(raw.test) == 10


def test_sizes_are_upper_bounds_that_keep_proportions(tmp_path: Path) -> None:
    """A size beyond the split leaves it whole."""
    rows = {"text": reviews(100)["text"], "label": ["a"] * 75 + ["b"] * 25}
    folder = saved(tmp_path / "mine", train=rows)
    raw = read(folder, train_size=20, validation_size=500)

    assert np.bincount(raw.train.targets).tolist() == [15, 5]
    assert len(raw.validation) == 10
    assert set(rows_of(raw.train)) < set(rows_of(read(folder).train))


def test_shots_are_refused_where_there_are_no_classes(tmp_path: Path) -> None:
    """A number has no class to count."""
    rows = {"text": reviews(40)["text"], "label": [row / 7 for row in range(40)]}
    with pytest.raises(TaskError, match="--shots counts examples of a class; 'mine' is regression"):
        read(saved(tmp_path / "mine", train=rows), shots=3)
