"""``plan`` on the embedded backbone and a few digits."""

import csv
import inspect
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from placement_search.cli.main import app
from placement_search.cli.plan import SHARED, plan
from placement_search.cli.search import search

SMALL = [
    "plan", "--data", "digits", "--train-size", "64", "--validation-size", "32", "--space",
    "long_range", "--max-params", "3000", "--sample", "2",
]  # fmt: skip


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.mark.parametrize("name", SHARED)
def test_an_option_means_what_it_means_to_search(name: str) -> None:
    """Same default, same help, same limits: a plan is the plan of that search."""
    theirs, ours = (inspect.signature(each).parameters[name] for each in (search, plan))

    assert (ours.default, ours.annotation) == (theirs.default, theirs.annotation)


@pytest.mark.slow
def test_the_plan_as_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Size, kinds, parameters, a sample, nodes and seconds; no file is written."""
    monkeypatch.chdir(tmp_path)
    result = invoke(*SMALL, "--format", "json")
    made = json.loads(result.stdout)

    assert result.exit_code == 0
    assert (made["n_candidates"], made["n_long_range"], made["n_recurrent"]) == (276, 276, 0)
    assert (
        made["n_layouts"]
        == 276
        + 275 * 276 // 2
        + 276 * 275 * 274 * 1 // 6
        + (276 * 275 * 274 * 273 // 24)
        + 276
        + 275 * 276 // 2
    )
    assert (made["min_parameters"], made["max_parameters"]) == (708, 2832)
    assert len(made["sample"]) == 2
    assert len(made["nodes"]) == 25
    assert made["seconds_total"] > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_plan_as_a_table_and_as_csv() -> None:
    """Facts a line each."""
    table = invoke(*SMALL).stdout
    rows = list(csv.DictReader(io.StringIO(invoke(*SMALL, "--format", "csv").stdout)))

    assert "block 11, after MLP" in table
    assert {"n_candidates", "seconds_total", "sample"} <= {row["what"] for row in rows}


@pytest.mark.slow
def test_a_budget_that_pays_for_nothing_is_the_users_mistake() -> None:
    """Exit code 2, and what the smallest layout costs."""
    result = invoke(*SMALL, "--max-bytes", "100")

    assert result.exit_code == 2
    assert "bytes, the most is 100" in result.stderr
