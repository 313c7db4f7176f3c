"""The commands on a small study: formats, exit codes, and what they leave behind."""

import csv
import io
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from placement_search.cli.main import app
from tests.tiny_backbones import saved_vit

pytestmark = pytest.mark.slow

SMALL = [
    "search", "--data", "digits", "--space", "long_range", "--n-trials", "12", "--n-random", "3",
    "--finalists", "1", "--seeds", "2", "--epochs", "1", "--batch-size", "200",
    "--train-size", "200", "--validation-size", "100",
    "--max-params", "1500", "--study-name", "small",
]  # fmt: skip


def invoke(*arguments: str) -> Result:
    """Run the command line in this process; exceptions that escape it are failures."""
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The option of a tiny backbone, and its folder."""
    return f"--model={saved_vit(tmp_path_factory.mktemp('model'))}"


@pytest.fixture(scope="module")
def folder(model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished search."""
    folder = tmp_path_factory.mktemp("cli")
    places = "--storage", f"sqlite:///{folder}/s.db", "--out", f"{folder}/out"
    result = invoke(*SMALL, model, *places, "--profile")
    assert result.exit_code == 0, result.output
    (folder / "stdout.txt").write_text(result.stdout)
    (folder / "stderr.txt").write_text(result.stderr)
    return folder


@pytest.fixture
def storage(folder: Path) -> str:
    """The finished search's storage."""
    return f"sqlite:///{folder}/s.db"


def test_a_search_ends_with_the_answer_and_the_files(folder: Path) -> None:
    """The last lines name the layout, the comparisons and every file, which exist."""
    lines = (folder / "stdout.txt").read_text().splitlines()
    written = [Path(line.removeprefix("wrote ")) for line in lines if line.startswith("wrote ")]

    assert any(line.startswith("  layout ") for line in lines)
    assert any("every layer, parallel" in line for line in lines)
    assert any("random layouts" in line for line in lines)
    assert lines[-1].startswith("wrote ")
    assert {path.name for path in written} == {
        "report.html", "report.md", "report.json", "trials.csv",
        "layout.json", "layout.safetensors",
    }  # fmt: skip
    assert all(path.is_file() for path in written)


def test_a_profile_says_where_the_time_went(folder: Path) -> None:
    """All kinds of work that a search in one process does, with shares that make a whole."""
    lines = [line.split() for line in (folder / "stderr.txt").read_text().splitlines()]
    shares = {words[0]: float(words[3][:-1]) for words in lines if words[2:3] == ["s"]}

    assert shares.keys() == {
        "load", "cache", "proxies", "forward", "backward", "optimizer", "evaluation", "costs",
        "study",
    }  # fmt: skip
    assert sum(shares.values()) == pytest.approx(100, abs=1)


def test_the_same_search_again_trains_nothing(model: str, folder: Path, storage: str) -> None:
    """A finished study is only shown, as JSON here, and its files are the same bytes."""
    before = (folder / "out/report/report.json").read_bytes()
    places = "--storage", storage, "--out", f"{folder}/out"
    result = invoke(*SMALL, model, *places, "--format", "json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["is_final"]
    assert "12 of 12 done" in result.stderr
    assert (folder / "out/report/report.json").read_bytes() == before


def test_a_layout_found_on_one_task_starts_a_study_of_another(
    model: str, folder: Path, tmp_path: Path
) -> None:
    """It is trained, retrained, compared with random layouts of its size, and told of."""
    arguments = [a.replace("small", "other") for a in SMALL]
    arguments[2] = "digits-count"
    places = ["--storage", f"sqlite:///{tmp_path}/s.db", "--out", f"{tmp_path}/out"]
    start = ["--start-from", f"{folder}/out/layout", "--format", "json"]
    result = invoke(*arguments, model, *places, *start)
    facts = json.loads(result.stdout)
    (told,) = facts["from_elsewhere"]
    report = json.loads((tmp_path / "out/report/report.json").read_text())

    assert result.exit_code == 0
    assert (told["role"], told["study"], told["task"]) == ("start: digits", "small", "digits")
    assert told["verdict"] in {"better", "worse", "not told apart"}
    assert told["is_same_backbone"] is True
    assert facts["gain_over_random"]["is_measured"] is True
    assert f"--start-from {folder}/out/layout" in report["command"]


def test_another_definition_under_the_same_name_is_refused(model: str, storage: str) -> None:
    """Exit code 2, and the difference is shown."""
    result = invoke(*SMALL, model, "--storage", storage, "--seed", "7")

    assert result.exit_code == 2
    assert "seed: 0 in the study, 7 asked" in result.stderr


def test_status_counts_the_ends(storage: str) -> None:
    """The counts add up, and the command is the one that continues the study."""
    facts = json.loads(invoke("status", "--storage", storage, "--format", "json").stdout)

    assert facts["complete"] + facts["pruned"] == 12
    assert facts["n_trials"] == 12
    assert facts["is_storage_in_use"] is False
    assert facts["command"].startswith("placement-search search ")
    assert "--max-params 1500" in facts["command"]


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_trials_come_best_first(storage: str, form: str) -> None:
    """Every format shows the same trials in the same order."""
    output = invoke("trials", "--storage", storage, "--format", form).stdout
    if form == "json":
        scores = [row["score"] for row in json.loads(output)]
    elif form == "csv":
        cells = [row["score"] for row in csv.DictReader(io.StringIO(output))]
        scores = [float(cell) if cell else None for cell in cells]
    else:
        scores = [float(line.split()[1]) for line in output.splitlines()[2:5]]
    numbers = [score for score in scores if score is not None]

    assert numbers == sorted(numbers, reverse=True)


def test_trials_say_which_are_admitted(storage: str) -> None:
    """The head alone is a reference; true and false for programs, yes and no for people."""
    asked = "trials", "--storage", storage, "--format"
    told = json.loads(invoke(*asked, "json").stdout)
    rows = list(csv.DictReader(io.StringIO(invoke(*asked, "csv").stdout)))
    table = invoke(*asked, "table").stdout
    # Long cells fold into lines of their own.
    lines = [line.split() for line in table.splitlines() if line.split()[0].isdigit()]
    shown = [next(word for word in words if word in {"yes", "no"}) for words in lines]

    assert {row["role"]: row["admitted"] for row in told}["head only"] is False
    assert all(row["admitted"] is True for row in told if row["role"] == "search")
    assert [row["admitted"] for row in rows] == [str(row["admitted"]) for row in told]
    assert shown == ["yes" if row["admitted"] else "no" for row in told]


def test_best_is_the_answer_of_the_finals(storage: str) -> None:
    """It has a test score over the seeds asked for, and keeps the budget."""
    facts = json.loads(invoke("best", "--storage", storage, "--format", "json").stdout)

    assert facts["is_final"]
    assert facts["n_seeds"] == 2
    assert facts["n_adapter_parameters"] <= 1500


def test_best_tells_what_the_report_tells(folder: Path, storage: str) -> None:
    """Intervals, FLOPs, latency, the gain over random layouts; the test score after the choice."""
    facts = json.loads(invoke("best", "--storage", storage, "--format", "json").stdout)
    report = json.loads((folder / "out/report/report.json").read_text())
    chosen, gain = report["answer"]["chosen"], report["gain_over_random"]

    estimates = {"validation": chosen["validation"], "test": report["answer"]["test"]}
    for split, estimate in estimates.items():
        told = [facts[name] for name in (split, f"{split}_low", f"{split}_high")]
        assert told == [estimate[end] for end in ("mean", "low", "high")]
    assert facts["n_confirming"] == report["answer"]["n_confirming"] == facts["n_seeds"]
    for name in ("n_flops", "flops_factor", "latency_factor"):
        assert facts[name] == chosen["costs"][name]
    assert facts["gain_over_random"] == gain["gain"]
    for name in ("gain_low", "gain_high", "verdict", "n_random_layouts"):
        assert facts[name] == gain[name]
    assert (facts["gain_not_measured"] is None) == gain["is_measured"]


def test_a_trial_can_be_exported_and_verified(storage: str, tmp_path: Path) -> None:
    """`export --trial` writes both files, and `verify` accepts them."""
    out = tmp_path / "layout"
    exported = invoke("export", "--storage", storage, "--trial", "3", "--out", str(out))
    verified = invoke("verify", str(out))

    assert exported.exit_code == 0
    assert "trial 3: " in exported.stdout
    assert exported.stdout.splitlines()[-1] == f"wrote {out}/layout.safetensors"
    assert verified.exit_code == 0
    assert "is_same         True" in verified.stdout


def test_report_writes_where_it_is_told(storage: str, tmp_path: Path) -> None:
    """Each file's path is printed, and the page is self-contained."""
    result = invoke("report", "--storage", storage, "--out", str(tmp_path / "report"))
    page = (tmp_path / "report/report.html").read_text()

    assert result.stdout.count("wrote ") == 4
    assert "http://" not in page.replace("http://www.w3.org/", "")
    assert "<svg" in page


def test_inspect_counts_the_kinds() -> None:
    """25 + 24 + 276 + 300 = 625 connections for 12 blocks."""
    facts = json.loads(invoke("inspect", "embedded", "--format", "json").stdout)
    kinds = [facts[kind] for kind in ("sequential", "parallel", "long_range", "recurrent")]

    assert kinds == [25, 24, 276, 300]
    assert facts["n_connections"] == sum(kinds) == 625
    assert len(facts["nodes"]) == facts["n_nodes"] == 25


def test_map_scores_every_connection(tmp_path: Path) -> None:
    """All 625 connections by all proxies go to the file, the best by one of them to the screen."""
    result = invoke(
        "map", "--data", "digits", "--examples", "32", "--proxy", "nuclear_norm",
        "--limit", "3", "--format", "json", "--out", str(tmp_path),
    )  # fmt: skip
    shown = json.loads(result.stdout)
    with (tmp_path / "map.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    with (tmp_path / "map-spread.csv").open() as stream:
        spread = {row["proxy"]: row for row in csv.DictReader(stream)}

    facts = json.loads((tmp_path / "map.json").read_text())

    assert len(rows) == 625
    assert (facts["asked"]["data"]["data"], facts["n_examples"]) == ("digits", 32)
    assert len(facts["data_fingerprint"]) == 16 and "torch" in facts["versions"]
    assert spread.keys() == rows[0].keys() - {"source", "target", "kind"}
    assert all(-1 <= float(row["between_batches"]) <= 1 for row in spread.values())
    assert spread["feature_norm"]["between_heads"] == ""
    assert len(shown) == 3
    assert shown[0]["nuclear_norm"] == max(float(row["nuclear_norm"]) for row in rows)
