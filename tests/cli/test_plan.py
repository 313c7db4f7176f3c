"""``plan`` on the embedded backbone and a few digits."""

import csv
import inspect
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from placement_search.cli.main import app
from placement_search.cli.plan import SHARED, plan, size_words
from placement_search.cli.search import search
from placement_search.space.extent import Extent
from placement_search.space.training import TrainingSpace

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


def test_every_setting_of_a_search_can_be_given() -> None:
    """So that the options of a search can be pasted; only what it writes is left out."""
    assert set(inspect.signature(search).parameters) - set(inspect.signature(plan).parameters) == {
        "out", "profile",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--sampler", "gidded"], "did you mean 'guided'?"),
        (["--replicates", "5"], "--replicates goes with --pruner wilcoxon or none"),
        (["--sampler", "gradient-guided", "--no-map"], "goes by the proxy map"),
        (["--start-from", "no/layout.json"], "--start-from takes layout files"),
    ],
)
def test_what_a_search_would_refuse_a_plan_refuses(options: list[str], said: str) -> None:
    """In the same words, before anything is loaded."""
    result = invoke(*SMALL, *options)

    assert result.exit_code == 2
    assert said in result.stderr


def test_a_size_that_is_not_counted_is_told_as_a_bound() -> None:
    """What budget and conditions leave is less, and nobody knows how much."""
    counted = Extent(10**16, is_exact=True, sizes=(1, 6), parameters=(1, 2), n_least=10**16)

    assert size_words(counted, TrainingSpace()) == "10^16.0 layouts"
    bounds = replace(counted, is_exact=False)
    assert size_words(bounds, TrainingSpace()) == "10^16.0 layouts"
    assert size_words(replace(bounds, n_least=0), TrainingSpace()) == (
        "at most 10^16.0 layouts, since counting what budget and conditions leave takes too long"
    )
    assert size_words(replace(bounds, n_least=999), TrainingSpace()) == "999 to 10^16.0 layouts"
    near = replace(bounds, n_least=10**16 - 10)
    assert size_words(near, TrainingSpace()) == "about 10^16.0 layouts"


@pytest.mark.slow
def test_training_settings_are_part_of_the_size(tmp_path: Path) -> None:
    """Lists multiply it, intervals have no end; small bounds are exact."""
    space = tmp_path / "rates.yaml"
    space.write_text(
        "schema_version: 1\nname: rates\nkinds: [parallel]\ntargets: ['1-3']\n"
        "connections: {at_most: 2}\nmodules: [{type: bottleneck, rank: 4}]\n"
        "training: {learning_rate: [0.001, 0.01, 0.1], weight_decay: {low: 0, high: 0.1}}\n",
        encoding="utf-8",
    )
    options = [*SMALL, "--space", str(space), "--replicates", "2", "--pruner", "none", "--quiet"]
    made = json.loads(invoke(*options, "--format", "json").stdout)

    assert made["size"] == (
        "6 layouts; each with 3 training settings; any weight_decay of an interval"
    )
    assert (made["n_layouts"], made["n_training_settings"]) == (6, 3)
    assert made["continuous_settings"] == "weight_decay"
    assert made["connections_per_layout"] == "1 to 2"
    assert made["parameters_per_layout"] == "708 to 1416"
    assert "--pruner" not in made["seconds_leave_out"]
    assert "(--concurrency)" in made["seconds_leave_out"]


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
def test_a_plan_says_what_its_trials_are() -> None:
    """How many are baselines and proposals, which baseline is missing and what the others lack."""
    result = invoke(*SMALL, "--no-map", "--n-trials", "20", "--format", "json")
    made = json.loads(result.stdout)

    assert (made["n_baselines"], made["n_start_from"], made["n_proposals"]) == (12, 0, 8)
    assert made["notes"].keys() == {
        "every layer, parallel, same budget", "every layer, sequential, same budget",
        "greedy by numerical rank (GGA)",
    }  # fmt: skip
    assert made["cheap_layout"] == "22>24:bottleneck(rank=4)"
    assert made["dear_layout"].count("bottleneck(rank=4)") == 4


@pytest.mark.slow
def test_a_limit_on_seconds_is_noted_where_it_comes_first() -> None:
    """Then the sampler proposes less than --n-trials leaves."""
    options = [*SMALL, "--no-map", "--n-trials", "20", "--format", "json"]
    short, long = (
        json.loads(invoke(*options, "--max-seconds", seconds).stdout)["notes"]
        for seconds in ("0.01", "100000")
    )

    assert "may end the search" in short["--max-seconds"]
    assert "--max-seconds" not in long


@pytest.mark.slow
def test_the_plan_as_a_table_and_as_csv() -> None:
    """Facts a line each; a table leaves out those that it says in words."""
    table = invoke(*SMALL).stdout
    rows = list(csv.DictReader(io.StringIO(invoke(*SMALL, "--format", "csv").stdout)))

    assert "block 11, after MLP" in table
    assert "log10_n_layouts" not in table and "parameters_per_layout" in table
    assert {"n_candidates", "seconds_total", "sample"} <= {row["what"] for row in rows}


@pytest.mark.slow
def test_a_budget_that_pays_for_nothing_is_the_users_mistake() -> None:
    """Exit code 2, and what the smallest layout costs."""
    result = invoke(*SMALL, "--max-bytes", "100")

    assert result.exit_code == 2
    assert "bytes, the most is 100" in result.stderr
