"""What the user is told about rows and labels."""

from pathlib import Path
from typing import Any

from placement_search.tasks.raw import RawTask
from tests.tasks.tiny_data import read, reviews, saved


def told(folder: Path, *labels: list[Any]) -> tuple[RawTask, str]:
    """A data set of these labels in training, test and validation, and all that is said of it."""
    parts = {
        name: {"text": reviews(len(each), first=1000 * place)["text"], "label": each}
        for place, (name, each) in enumerate(
            zip(("train", "test", "validation"), labels, strict=False)
        )
    }
    raw = read(saved(folder / "mine", **parts))
    return raw, "\n".join(raw.notes)


def test_classes_are_counted_and_guessing_is_scored(tmp_path: Path) -> None:
    """A score is only as good as its distance to the most frequent class."""
    _, notes = told(tmp_path, ["a"] * 60 + ["b"] * 40, ["a"] * 3 + ["b"] * 7)

    assert "rows: train 90, validation 10, test 10" in notes
    assert "classes: 2, a 54, b 36 in training" in notes
    assert "always answering 'a'" in notes
    assert "train 0.600, validation 0.600, test 0.300" in notes


def test_many_classes_are_told_by_their_extremes(tmp_path: Path) -> None:
    """A list of a hundred names helps nobody."""
    train = [f"c{n:02}" for n in range(20)] * 5 + ["c07"] * 10
    _, notes = told(tmp_path, train, ["c00"])

    assert "classes: 20, from 4" in notes
    assert "(c07) in training" in notes


def test_sets_of_labels_are_counted(tmp_path: Path) -> None:
    """How often each is set, and how many a row has."""
    _, notes = told(tmp_path, [["a"], ["a", "b"]] * 50, [["a"]] * 5)

    assert "labels: 2, a 90, b 45 in training, 1.50 per row on average" in notes


def test_numbers_are_told_with_what_their_mean_scores(tmp_path: Path) -> None:
    """In their own units."""
    raw, notes = told(tmp_path, [0.5, 2.5] * 50, [1.5, 3.5], [1.0, 3.0])

    assert raw.metric.name == "pearson"
    assert "target 'label': 0.5 to 2.5, mean 1.5, deviation 1 in training" in notes
    assert "an RMSE of 1.414 on test" in notes


def test_repeats_of_training_rows_are_counted(tmp_path: Path) -> None:
    """A test row that was trained on flatters."""
    folder = saved(
        tmp_path / "mine",
        train=reviews(40),
        validation=reviews(10, first=39),
        test=reviews(10, first=100),
    )
    notes = read(folder).notes

    assert "1 validation row also stands in train" in notes
    assert not any("test row" in note for note in notes)
