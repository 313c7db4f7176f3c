"""Columns named and guessed."""

from pathlib import Path
from typing import Any

import pytest
from datasets import ClassLabel, Dataset, Features, Image, LargeList, List, Value

from placement_search.errors import TaskError
from placement_search.tasks.columns import choose_columns
from placement_search.tasks.settings import DataSettings
from tests.tasks.tiny_data import parquet, read, reviews, saved

STRING, INTEGER, NUMBER = Value("string"), Value("int64"), Value("float64")
CLASSES = ClassLabel(names=["no", "yes"])


def chosen(features: dict[str, Any], **settings: Any) -> tuple[str | None, ...]:
    """Columns of text, second text, image and label."""
    rows = Dataset.from_dict({name: [] for name in features}, features=Features(features))
    columns = choose_columns(rows, DataSettings(**settings))
    return columns.text, columns.text_pair, columns.image, columns.label


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"text": STRING, "label": INTEGER}, ("text", None, None, "label")),
        ({"sentence": STRING, "label": CLASSES, "idx": INTEGER}, ("sentence", None, None, "label")),
        (
            {"sentence1": STRING, "sentence2": STRING, "label": NUMBER, "idx": INTEGER},
            ("sentence1", "sentence2", None, "label"),
        ),
        (
            {"question": STRING, "sentence": STRING, "label": CLASSES},
            ("question", "sentence", None, "label"),
        ),
        (
            {"premise": STRING, "hypothesis": STRING, "label": CLASSES},
            ("premise", "hypothesis", None, "label"),
        ),
        ({"text": STRING, "intent": STRING}, ("text", None, None, "intent")),
        ({"Text": STRING, "Label": STRING}, ("Text", None, None, "Label")),
        ({"tokens": STRING, "kind": CLASSES}, ("tokens", None, None, "kind")),
        ({"text": STRING, "labels": List(INTEGER)}, ("text", None, None, "labels")),
        ({"text": STRING, "tags": List(CLASSES)}, ("text", None, None, "tags")),
        ({"image": Image(), "label": CLASSES}, (None, None, "image", "label")),
        ({"photo": STRING, "label": STRING}, (None, None, "photo", "label")),
        ({"x": Image(), "file": STRING, "label": CLASSES}, (None, None, "x", "label")),
    ],
)
def test_usual_columns_are_guessed(
    features: dict[str, Any], expected: tuple[str | None, ...]
) -> None:
    """By their names, by declared types, or as the only one that can be meant."""
    assert chosen(features) == expected


@pytest.mark.parametrize(
    ("others", "text"),
    [
        ({"uid": ["0001", "0002"], "phrase": ["good", "12"]}, "phrase"),
        ({"seen": ["True", "false"], "uid": ["0x1F", "-2.5"], "phrase": ["1 2", "3"]}, "phrase"),
        ({"uid": ["0001", "0002"]}, None),
    ],
)
def test_ids_and_flags_are_not_taken_for_texts(others: dict[str, Any], text: str | None) -> None:
    """Numbers and truth values that are kept as strings, as ids with leading zeros are."""
    rows = Dataset.from_dict({**others, "label": [0, 1]})

    if text is not None:
        assert choose_columns(rows, DataSettings()).text == text
    else:
        with pytest.raises(TaskError, match="no column looks like a text"):
            choose_columns(rows, DataSettings())


@pytest.mark.parametrize(
    ("features", "said"),
    [
        ({"text": STRING, "fine": CLASSES, "coarse": CLASSES}, "'fine' or 'coarse'; give --label"),
        ({"text": STRING, "score": NUMBER, "rating": INTEGER}, "'score' or 'rating'; give --label"),
        ({"title": STRING, "content": STRING, "label": INTEGER}, r"give --text \(and --text-pair"),
        ({"a": STRING, "b": STRING, "label": INTEGER}, "'a' or 'b'; give --text"),
        ({"image": Image(), "text": STRING, "label": CLASSES}, "give --image or --text"),
        ({"x": Image(), "y": Image(), "label": CLASSES}, "'x' or 'y'; give --image"),
        (
            {"text1": STRING, "text2": STRING, "premise": STRING, "hypothesis": STRING,
             "label": INTEGER},
            "premise and hypothesis or text1 and text2; give --text and --text-pair",
        ),
        ({"text": STRING, "extra": INTEGER}, "no column looks like a label; give --label"),
        ({"x": INTEGER, "label": INTEGER}, "no column looks like a text or an image"),
    ],
)  # fmt: skip
def test_an_ambiguous_guess_says_which_option_to_give(features: dict[str, Any], said: str) -> None:
    """And lists all columns with their types."""
    with pytest.raises(TaskError, match=said) as caught:
        chosen(features)

    assert "the columns are" in str(caught.value)


def test_named_columns_need_no_guess() -> None:
    """What could be meant besides does not matter."""
    features = {"a": STRING, "b": STRING, "c": CLASSES, "d": CLASSES, "e": Image()}

    assert chosen(features, text="b", text_pair="a", label="d") == ("b", "a", None, "d")
    assert chosen(features, image="e", label="c") == (None, None, "e", "c")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"label": "lable"}, r"--label names a column, got 'lable' \(did you mean 'label'\?\)"),
        ({"text": "txt"}, "--text names a column, got 'txt'"),
        ({"text_pair": "text"}, "give --text for the first one"),
        ({"text": "text", "image": "picture"}, "not both"),
        ({"text": "label"}, "--text needs a column of strings, got 'label'"),
        ({"image": "label"}, "--image needs a column of images"),
        ({"label": "picture"}, "--label needs a column of classes"),
    ],
)
def test_a_wrong_name_is_answered_with_all_columns(settings: dict[str, str], said: str) -> None:
    """The nearest one first, then each with its type."""
    features = {"text": STRING, "label": CLASSES, "picture": Image()}
    with pytest.raises(TaskError, match=said) as caught:
        chosen(features, **settings)

    if "not both" not in said and "first one" not in said:
        assert "text (string), label (2 classes), picture (image)" in str(caught.value)


def test_the_user_is_told_which_columns_were_guessed(tmp_path: Path) -> None:
    """A wrong guess shows in the first line."""
    raw = read(saved(tmp_path / "mine", train=reviews(20)), text="text")

    assert raw.notes[0] == "columns: label 'label' (guessed), text 'text'"


@pytest.mark.parametrize(
    ("test", "said"),
    [
        ({"body": ["x"], "label": ["a"]}, "test lacks text; the columns are body"),
        ({"text": ["x"], "label": [1]}, "string in train, int64 in test"),
    ],
)
def test_splits_must_be_alike(test: dict[str, list[Any]], said: str, tmp_path: Path) -> None:
    """The same columns of the same types."""
    with pytest.raises(TaskError, match=said):
        read(saved(tmp_path / "mine", train=reviews(20), test=test))


def test_an_empty_split_is_refused(tmp_path: Path) -> None:
    """Nothing could be scored on it."""
    folder = saved(tmp_path / "mine", train=reviews(20), validation={"text": [], "label": []})
    with pytest.raises(TaskError, match="every split needs rows"):
        read(folder)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"text": "text", "label": "text"}, "--label and --text need .* got 'text' twice"),
        ({"text": "text", "text_pair": "text"}, "--text and --text-pair need .* got 'text' twice"),
        ({"text": "label"}, r"--label \(guessed\) and --text need .* got 'label' twice"),
    ],
)
def test_a_column_is_for_one_thing(settings: dict[str, str], said: str) -> None:
    """A text that is its own label teaches nothing."""
    with pytest.raises(TaskError, match=said):
        chosen({"text": STRING, "label": STRING}, **settings)


@pytest.mark.parametrize("kind", [List, LargeList])
def test_declared_classes_of_lists_survive(kind: type, tmp_path: Path) -> None:
    """However long the lists may be; one that lists all but one class is no list of flags."""
    listed = kind(ClassLabel(names=["pos", "neg", "odd"]))
    features = Features({"text": Value("string"), "label": listed})
    rows = {"text": reviews(30)["text"], "label": [[0, 1], [1, 2]] * 15}
    raw = read(parquet(tmp_path / "rows.parquet", rows, features))

    assert raw.label_names == ("pos", "neg", "odd")
    assert set(map(tuple, raw.train.targets.tolist())) == {(1, 1, 0), (0, 1, 1)}
