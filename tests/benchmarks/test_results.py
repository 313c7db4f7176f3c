import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from benchmarks.placements.errors import TableError
from benchmarks.results import NEWER, RESULTS, keep_results, read_results
from tests.benchmarks.made_up import RESULT


@pytest.mark.parametrize(
    ("quartiles", "longest", "same"),
    [
        ((1.0, None), 40, True),
        ((1.0, None), 200, False),
        ((1.0, 39.0), 200, True),
        ((1.0, 39.0), 20, False),
    ],
)
def test_longer_searches_are_made_anew_where_some_never_came_close(
    quartiles: tuple[float, float | None], longest: int, same: bool
) -> None:
    """Where three quarters did within 40, going on changes neither median nor quartiles."""
    assert replace(RESULT, quartiles=quartiles).is_of(longest) is same


def test_results_of_another_table_or_backbone_are_kept(tmp_path: Path) -> None:
    """And of other searches; those of the same ones are replaced."""
    others = [
        replace(RESULT, table="mine.parquet another"),
        replace(RESULT, n_seeds=6),
        replace(RESULT, task="b"),
    ]
    keep_results([replace(RESULT, trials=1.0)], [RESULT, *others], tmp_path)

    assert read_results(tmp_path / RESULTS) == [replace(RESULT, trials=1.0), *others]


def test_results_of_the_first_form_are_not_held(tmp_path: Path) -> None:
    """They lack what is told today, so they are made anew; the others are read."""
    older = {name: value for name, value in asdict(RESULT).items() if name not in NEWER}
    (tmp_path / RESULTS).write_text(json.dumps([older, asdict(RESULT)]))

    assert read_results(tmp_path / RESULTS) == [RESULT]


def test_a_result_that_lacks_something_else_is_none(tmp_path: Path) -> None:
    """Nothing that nobody knows is written over."""
    wrong = asdict(RESULT)
    del wrong["trials"]
    (tmp_path / RESULTS).write_text(json.dumps([wrong]))

    with pytest.raises(TableError, match="move it away, or name another folder by --out"):
        read_results(tmp_path / RESULTS)
