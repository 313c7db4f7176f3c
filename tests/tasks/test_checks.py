"""What is wrong with rows is told at once, before any training."""

import io
import math
import struct
from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from PIL import Image

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
        ({"train_size": 1}, "--train-size must be at least 2, .* each class; got 1"),
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


def encoded(image: Image.Image, form: str, **settings: Any) -> bytes:
    """An image as the content of a file of another form than PNG."""
    buffer = io.BytesIO()
    image.save(buffer, format=form, **settings)
    return buffer.getvalue()


def turned_with(tag: int) -> bytes:
    """A camera's notes: the picture lies on its side, and a word where a number belongs."""
    entries = struct.pack(">HHLHH", 0x112, 3, 1, 6, 0), struct.pack(">HHL4s", tag, 2, 4, b"abc")
    first, last = sorted(entries)
    return b"Exif\0\0MM\0*\0\0\0\x08\0\x02" + first + last + bytes(4)


def test_images_that_can_not_be_converted_are_told(tmp_path: Path) -> None:
    """Colours that Pillow can't turn into others, and a camera's notes of wrong types."""
    whole = [png(picture(shade)) for shade in range(20)]
    lab = encoded(Image.new("LAB", (8, 8)), "TIFF")
    noted = [encoded(picture(), "JPEG", exif=turned_with(tag)) for tag in (0x100, 0x11A)]
    labels = ["a", "b"] * 11 + ["a"]
    said = refused(tmp_path, train={"image": [*whole, lab, *noted], "label": labels})

    assert "an image must be a readable image file (3 found)" in said
    assert "train row 20, column 'image': conversion from LAB" in said
    assert "train row 21, column 'image': required argument is not an integer" in said
    assert "train row 22, column 'image': bad operand" in said


def numbers(*values: float) -> dict[str, list[Any]]:
    """Columns of texts with these numbers."""
    return {"text": reviews(len(values))["text"], "label": list(values)}


def test_correlations_need_numbers_that_differ(tmp_path: Path) -> None:
    """They would be 0 for every layout; errors need no such thing."""
    splits = {
        "train": numbers(*[0.5, 1.5] * 10),
        "validation": numbers(0.5, 0.5),
        "test": numbers(1.5),
    }
    said = refused(tmp_path, **splits)

    assert "pearson needs at least two different numbers in each split" in said
    assert "validation, column 'label': always 0.5" in said
    assert "test, column 'label': always 1.5" in said
    assert read(tmp_path / "mine", metric="mae").metric.name == "mae"


def test_numbers_that_can_not_be_squared_are_refused(tmp_path: Path) -> None:
    """They have no spread to train by."""
    huge = numbers(*[0.5, -1e200] * 10)

    assert "must be within what can be squared" in refused(tmp_path, train=huge)


def test_numbers_must_vary_in_what_is_left_of_training(tmp_path: Path) -> None:
    """What is drawn for training may be alike where the whole is not."""
    train = numbers(*[0.5] * 19, 1.5)
    folder = saved(tmp_path / "mine", train=train, validation=train, test=train)
    with pytest.raises(TaskError, match=r"must vary in training(.|\n)*always 0\.5"):
        read(folder, train_size=1)


@pytest.mark.slow
def test_a_label_that_a_draw_loses_from_training_is_told(tmp_path: Path) -> None:
    """It is never the rarest of its row, so no stratum keeps it."""
    sets = [["a", "b"], ["b"], ["a", "c"], ["c"], ["a", "d"], ["d"]]
    rows = {"text": reviews(6)["text"], "label": sets}
    folder = saved(tmp_path / "mine", train=rows, validation=rows, test=rows)
    lost = 0
    for seed in range(20):
        try:
            assert read(folder, train_size=3, split_seed=seed).train.targets.any(axis=0).all()
        except TaskError as error:
            lost += "no training example of 'a'" in str(error)

    assert 0 < lost < 20


def test_a_size_that_can_not_hold_every_label_is_refused(tmp_path: Path) -> None:
    """The message counts what a draw keeps apart."""
    rows = {"text": reviews(40)["text"], "label": [["a"], ["b"], ["c"], []] * 10}
    with pytest.raises(TaskError, match=r"at least 4, .* each label .* or none; got 2"):
        read(saved(tmp_path / "mine", train=rows), train_size=2)
