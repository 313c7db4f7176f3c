"""What is wrong with rows is told at once, before any training."""

import math
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value

from placement_search.errors import TaskError
from placement_search.tasks import sources
from placement_search.tasks.loading import read_data
from placement_search.tasks.settings import DataSettings
from tests.tasks.tiny_data import parquet, picture, png, read, reviews, saved


def refused(folder: Path, **splits: dict[str, list[Any]]) -> str:
    """What is said of a data set of these splits."""
    with pytest.raises(TaskError) as caught:
        read(saved(folder / "mine", **splits))
    return str(caught.value)


def test_all_faults_of_all_splits_are_told_at_once(tmp_path: Path) -> None:
    """With split, row and column, so that one look is enough to mend them."""
    train, test = reviews(20), reviews(10, first=50)
    train["text"][3], train["text"][4] = "", None
    train["label"][7] = None
    test["label"][2] = "z"
    said = refused(tmp_path, train=train, test=test)

    assert said.splitlines() == [
        "data set 'mine' can't be used; rows count from 0",
        "  a label must not be missing (1 found):",
        "    train row 7, column 'label': None",
        "  a text must not be missing or empty (2 found):",
        "    train row 3, column 'text': ''",
        "    train row 4, column 'text': None",
    ]


def test_a_label_that_training_lacks_is_told(tmp_path: Path) -> None:
    """No training can teach it."""
    said = refused(
        tmp_path,
        train=reviews(20),
        validation={"text": ["x", "y"], "label": ["a", "z"]},
        test={"text": ["v", "w"], "label": ["y", "b"]},
    )

    assert "a label must occur in training, too" in said
    assert "validation row 1, column 'label': 'z'" in said
    assert "test row 0, column 'label': 'y'" in said


def test_a_set_of_labels_that_training_lacks_is_told(tmp_path: Path) -> None:
    """As with single labels."""
    train = {"text": reviews(20)["text"], "label": [["a"], ["b", "a"]] * 10}
    test: dict[str, list[Any]] = {"text": ["v", "w"], "label": [["a"], ["a", "z"]]}
    said = refused(tmp_path, train=train, test=test)

    assert "test row 1, column 'label': 'z'" in said


def test_many_faults_are_counted_and_ten_of_them_shown(tmp_path: Path) -> None:
    """A message stays readable."""
    train = reviews(40)
    train["text"][:25] = [""] * 25
    said = refused(tmp_path, train=train)

    assert "(25 found)" in said
    assert said.count("train row") == 10
    assert said.endswith("and 15 more")


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["a"] * 20, "at least two classes (1 found):\n    train, column 'label': only 'a'"),
        ([2.5] * 20, "must vary in training (1 found):\n    train, column 'label': always 2.5"),
        ([[] for _ in range(20)], "needs at least one label"),
        ([1.5, math.nan] * 10, "must be a finite number (10 found)"),
        ([None] * 20, "must not be missing (20 found)"),
    ],
)
def test_labels_without_a_lesson_are_refused(labels: list[Any], said: str, tmp_path: Path) -> None:
    """Always the same answer needs no training."""
    assert said in refused(tmp_path, train={"text": reviews(20)["text"], "label": labels})


def test_a_label_outside_the_declared_classes_is_told(tmp_path: Path) -> None:
    """A withheld label among others is a fault, not a class."""
    features = Features({"text": Value("string"), "label": ClassLabel(names=["a", "b"])})
    rows = {"text": reviews(20)["text"], "label": [0, 1] * 9 + [-1, 1]}
    path = parquet(tmp_path / "rows.parquet", rows, features)
    with pytest.raises(TaskError, match="train row 18, column 'label': -1, declared are 0 to 1"):
        read(path)


def test_classes_declared_otherwise_in_another_split_are_refused(tmp_path: Path) -> None:
    """The same number would mean two things."""
    for split, names in (("train", ["a", "b"]), ("test", ["b", "a"])):
        features = Features({"text": Value("string"), "label": ClassLabel(names=names)})
        rows = {"text": reviews(20)["text"], "label": [0, 1] * 10}
        parquet(tmp_path / f"{split}.parquet", rows, features)
    with pytest.raises(TaskError, match="the same classes in the same order"):
        read(tmp_path)


def test_a_split_without_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """From wherever it comes."""
    rows = {"train": Dataset.from_dict(reviews(20)), "test": Dataset.from_dict(reviews(0))}
    monkeypatch.setattr(sources, "is_offline_mode", lambda: True)
    monkeypatch.setattr(sources, "load_dataset", lambda *_: DatasetDict(rows))
    with pytest.raises(TaskError, match="every split needs rows, test has none"):
        read(Path("owner/name"))


def test_images_that_can_not_be_decoded_are_told(tmp_path: Path) -> None:
    """Missing, no image at all, and cut off in the middle."""
    whole = [png(picture(shade, (64, 64))) for shade in range(20)]
    broken = [*whole, b"no image", whole[0][:70], None]
    labels = ["a", "b"] * 10 + ["a", "b", "a"]
    said = refused(tmp_path, train={"image": broken, "label": labels})

    assert "an image must be a readable image file (3 found)" in said
    assert "train row 20, column 'image': cannot identify" in said
    assert "train row 21" in said
    assert "train row 22, column 'image': nothing" in said


def test_missing_image_files_are_told_by_name(tmp_path: Path) -> None:
    """A column of paths starts at the file that holds it."""
    for shade in range(20):
        picture(shade).save(tmp_path / f"{shade}.png")
    lines = [f"{shade}.png,{'ab'[shade % 2]}" for shade in range(21)]
    (tmp_path / "rows.csv").write_text("\n".join(["image,label", *lines]))
    with pytest.raises(TaskError, match=r"train row 20, column 'image': '20\.png': .*No such file"):
        read(tmp_path / "rows.csv")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"shots": 0}, "--shots must be at least 1, got 0"),
        ({"train_size": 0, "split_seed": -1}, "--train-size must .* got 0; --split-seed must"),
        ({"data": " "}, "--data must not be empty"),
        ({"shots": 2, "train_size": 9}, "--shots and --train-size both"),
        ({"metric": "pearson"}, "takes one of accuracy"),
        ({"shots": 15}, r"--shots 15 needs .* fewer have a \(8\), b \(8\)"),
        ({"train_size": 1}, "--train-size must hold each of 2 classes once, got 1"),
        ({"target": "regression"}, r"must be a finite number \(20 found\)"),
    ],
)
def test_options_that_can_not_be_are_refused(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    """With the option's name and what it was given."""
    folder = saved(tmp_path / "mine", train=reviews(20))
    with pytest.raises(TaskError, match=said):
        read_data(DataSettings(**{"data": str(folder)} | settings))
