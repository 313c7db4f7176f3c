"""A user's mistakes: one message with rule, value and cure, exit code 2, nothing written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from placement_search.cli.main import app
from placement_search.study.course import FOR_RUNGS
from placement_search.study.pruners.wilcoxon import MIN_REPLICATES
from placement_search.study.samplers import SAMPLERS

SPACE = """\
schema_version: 1
name: mine
kinds: [sequential]
connections: {at_most: 2}
modules: [{type: bottleneck, rank: 4}]
"""


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, so that anything written is seen."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "--model", "nowhere"], "there is no folder 'nowhere'"),
        (["search", "--data", "digit"], "got 'digit' (did you mean 'digits'?)"),
        (["search", "--space", "extendet"], "there is no file 'extendet'"),
        (["search", "--sampler", "tpee"], "did you mean 'tpe'"),
        (["search", "--data", "digit", "--sampler", "tpee"], "did you mean 'tpe'"),
        (["search", "--model", "nowhere", "--space", "extendet"], "no file 'extendet'"),
        (["search", "--gamma", "1.5"], "less than or equal to 1"),
        (["search", "--pruner", "mediam"], "did you mean 'median'"),
        (["search", "--storage", "mysql://x"], "an SQLite address"),
        (["search", "--max-params", "ten"], "got 'ten'"),
        (["search", "--max-params", "10"], "at least 708 parameters"),
        (["search", "--start-from", "absent.json"], "absent.json can't be read"),
        (["search", "--n-trials", "0"], "greater than or equal to 1"),
        (["status"], "there is no storage"),
        (["trials", "--storage", "sqlite:///none.db"], "there is no storage"),
        (["best"], "there is no storage"),
        (["report"], "there is no storage"),
        (["export"], "there is no storage"),
        (["verify", "nowhere"], "nowhere/layout.json can't be read"),
        (["inspect", "nowhere"], "there is no folder 'nowhere'"),
        (["search", "--pooling", "last"], "one of auto, cls, mean; got 'last'"),
        (["search", "--dtype", "float8"], "unknown dtype 'float8'"),
        (["search", "--device", "tpu"], "there is no device 'tpu'"),
        (["search", "--metric", "acuracy"], "did you mean 'accuracy'"),
        (["map", "--proxy", "rank"], "there is no proxy 'rank'"),
        (["search", "--storage", "sqlite:///."], "--storage takes a file, '.' is a folder"),
        (
            ["status", "--storage", "sqlite:///."],
            "a folder; give one in it, e.g. sqlite:///study.db",
        ),
    ],
)
def test_mistakes_are_explained(arguments: list[str], message: str, tmp_path: Path) -> None:
    """The message is on stderr, stdout is empty, and the folder stays empty."""
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)

    assert result.exit_code == 2
    assert message in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "replacement", "message"),
    [
        ("kinds: [sequential]", "kinds: [sequentail]", "did you mean 'sequential'"),
        ("kinds: [sequential]", "kind: [sequential]", "did you mean 'kinds'"),
        ("at_most", "at_mots", "did you mean 'at_most'"),
        ("rank: 4", "rnak: 4", "did you mean 'rank'"),
        ("rank: 4", "rank: 0", "must be at least 1, got 0"),
        ("bottleneck", "botleneck", "did you mean 'bottleneck'"),
        ("name: mine", "name: mine\nsources: [25]", "nodes 0 to 24, got 25"),
        ("name: mine", "name: mine\nsources: []", "is empty"),
        ("schema_version: 1", "schema_version: [", "is not YAML"),
    ],
)
def test_mistakes_in_a_space_file_are_explained(
    line: str, replacement: str, message: str, tmp_path: Path
) -> None:
    """The message names the file, the key or value, and the nearest right one."""
    Path("mine.yaml").write_text(SPACE.replace(line, replacement))
    result = CliRunner().invoke(app, ["search", "--space", "mine.yaml"], catch_exceptions=False)

    assert result.exit_code == 2
    assert message in result.stderr
    assert "mine.yaml" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


def test_a_storage_that_is_no_database_is_explained() -> None:
    """The file is left as it was."""
    Path("notes.db").write_text("not a database, " * 100)
    result = CliRunner().invoke(app, ["status", "--storage", "sqlite:///notes.db"])

    assert result.exit_code == 2
    assert "notes.db can't be used as a storage" in result.stderr
    assert Path("notes.db").read_text().startswith("not a database")


def test_an_unknown_family_is_explained(tmp_path: Path) -> None:
    """The error names the model type, what was found, and a cure."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text('{"model_type": "mamba", "hidden_size": 8}')
    (tmp_path / "model/model.safetensors").write_bytes(b"")
    result = CliRunner().invoke(app, ["inspect", "model"])

    assert result.exit_code == 2
    assert "no residual graph is known for model type 'mamba'" in result.stderr
    assert "MambaModel" in result.stderr
    assert "--family" in result.stderr


@pytest.mark.slow
def test_help_is_there_for_every_command() -> None:
    """Each command says what it does, shows an example and its options' meaning."""
    for command in app.registered_commands:
        assert command.callback is not None
        name = command.name or command.callback.__name__
        result = CliRunner().invoke(app, [name, "--help"], env={"COLUMNS": "200"})

        assert result.exit_code == 0
        assert f"Example: placement-search {name}" in result.stdout


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_help_of_search_names_every_sampler(name: str) -> None:
    """What nobody can find is not there."""
    result = CliRunner().invoke(app, ["search", "--help"], env={"COLUMNS": "400"})

    assert re.search(rf"(?<![-\w]){name}(?![-\w])", result.stdout)


def test_the_help_of_search_says_what_goes_together() -> None:
    """The default pruner refuses replicates, and wilcoxon needs some: what `Course` checks."""
    result = CliRunner().invoke(app, ["search", "--help"], env={"COLUMNS": "400"})

    assert f"--pruner wilcoxon and {MIN_REPLICATES} at least" in result.stdout
    assert f"from --replicates {MIN_REPLICATES} on" in result.stdout
    assert f"--pruner {', '.join(FOR_RUNGS[:-1])} or {FOR_RUNGS[-1]}" in result.stdout


@pytest.mark.slow
def test_help_imports_no_heavy_library() -> None:
    """``--help`` needs neither torch nor the other large libraries."""
    code = (
        "import sys; sys.argv = ['placement-search', '--help']\n"
        "from placement_search.cli.main import app\n"
        "try:\n    app()\nexcept SystemExit:\n    pass\n"
        "heavy = {'torch', 'transformers', 'optuna', 'pandas', 'sklearn', 'matplotlib'}\n"
        "print(sorted(heavy & sys.modules.keys()), file=sys.stderr)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )

    assert done.stderr.strip() == "[]"
