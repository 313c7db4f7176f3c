"""Data sets of the hub, which is asked for what is no path."""

from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, DatasetDict
from datasets.exceptions import DatasetNotFoundError

from placement_search.errors import TaskError
from placement_search.tasks import sources
from tests.tasks.tiny_data import read, reviews


def test_the_hub_is_asked_for_what_is_no_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the configuration; the usual metric follows its name."""
    asked: list[object] = []

    def hub(*arguments: object) -> DatasetDict:
        asked.append(arguments)
        rows = {"sentence": reviews(40)["text"], "label": [0, 1] * 20}
        hidden = {"sentence": reviews(9, first=80)["text"], "label": [-1] * 9}
        held = {"sentence": reviews(20, first=50)["text"], "label": [0, 1] * 10}
        splits = {"train": rows, "validation": held, "test": hidden}
        return DatasetDict({name: Dataset.from_dict(each) for name, each in splits.items()})

    monkeypatch.setattr(sources, "is_offline_mode", lambda: True)
    monkeypatch.setattr(sources, "load_dataset", hub)
    raw = read(Path("nyu-mll/glue"), config="cola")

    assert asked == [("nyu-mll/glue", "cola")]
    assert raw.name == "nyu-mll/glue/cola"
    assert raw.metric.name == "matthews"
    assert len(raw.test) == 20
    assert np.bincount(raw.train.targets).tolist() == [18, 18]


def test_what_the_hub_says_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """A typing mistake in a path looks like an id, so both are named."""

    def hub(*_: object) -> DatasetDict:
        raise DatasetNotFoundError("no such data set")

    monkeypatch.setattr(sources, "is_offline_mode", lambda: True)
    monkeypatch.setattr(sources, "load_dataset", hub)
    with pytest.raises(TaskError, match=r"no path 'data/trec', and the hub's .*: no such data set"):
        read(Path("data/trec"))


@pytest.mark.parametrize("path", [
    "/no/such/folder", "data/rows.csv", "a/b/c", "a/" + 5000 * "b", ".own/photos", "../photos",
    "a/b--c", "~nobody/a", "données/texte",
])  # fmt: skip
def test_a_missing_path_does_not_reach_the_hub(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What can be no id is answered at once."""
    monkeypatch.setattr(sources, "load_dataset", None)
    monkeypatch.setattr(sources, "is_offline_mode", lambda: False)
    with pytest.raises(TaskError, match=f"owner/name; got '{path}'"):
        read(Path(path))
