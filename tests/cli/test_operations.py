"""``deploy``, ``drop``, ``prune`` and ``merge`` on the command line."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from placement_search.cli.main import app
from tests.operations.conftest import Writer, bench, write

__all__ = ["bench", "write"]

pytestmark = pytest.mark.slow


def invoke(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def test_drop_shows_before_and_after(write: Writer, tmp_path: Path) -> None:
    """Scores, parameters, operations and time; paths come last, and `verify` accepts them."""
    out = tmp_path / "out"
    result = invoke("drop", str(write()), "--lowest", "2", "--out", str(out))
    names = {line.split()[0] for line in result.stdout.splitlines()}

    assert result.exit_code == 0
    assert names >= {
        "score_before", "score_after", "parameters_before", "parameters_after",
        "flops_factor_before", "flops_factor_after", "latency_before", "latency_after", "speed_up",
    }  # fmt: skip
    assert result.stdout.splitlines()[-1] == f"wrote {out}/layout.safetensors"
    assert invoke("verify", str(out)).exit_code == 0


def test_prune_tells_the_fate_of_every_connection(write: Writer, tmp_path: Path) -> None:
    """As JSON, most important first."""
    result = invoke(
        "prune", str(write()), "--max-params", "900", "--retrain", "0", "--format", "json",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    facts = json.loads(result.stdout)
    rows = facts["connections"]

    assert [row["importance"] for row in rows] == sorted(
        (row["importance"] for row in rows), reverse=True
    )
    assert [row["fate"] for row in rows[:2]] == ["stays", "stays"]
    assert all(row["fate"].startswith("works as ") for row in rows[2:])
    assert facts["parameters_after"] == 900


def test_merge_compares_with_its_parents_and_the_plain_average(
    write: Writer,
    tmp_path: Path,
) -> None:
    """All on the first one's task, unless another is asked for."""
    one, other = write("a", seed=1), write("b", seed=2)
    result = invoke("merge", str(one), str(other), "--out", str(tmp_path / "out"))

    assert result.exit_code == 0
    for name in (str(one), str(other), "plain average", "average, permutation"):
        assert f"score_of {name} " in result.stdout


def test_merge_says_what_it_could_not_align(write: Writer, tmp_path: Path) -> None:
    """In the table and in JSON; nothing where all units were put in order."""
    one, other = (write(name, notation="2>2:arc(rank=2)+4>4:bottleneck(rank=2)") for name in "ab")
    table, json_text = (
        invoke("merge", str(one), str(other), "--out", str(tmp_path / form), "--format", form)
        for form in ("table", "json")
    )
    aligned = invoke("merge", str(write("c")), str(write("d")), "--out", str(tmp_path / "out"))

    assert "unaligned" in table.stdout
    assert json.loads(json_text.stdout)["unaligned"] == [{
        "connection": "2>2:arc(rank=2)",
        "unaligned": "other connections may share its projection",
    }]  # fmt: skip
    assert "unaligned" not in aligned.stdout


def test_deploy_shows_before_and_after(write: Writer, tmp_path: Path) -> None:
    """Parameters, scores and the change of the logits; `verify` accepts what it wrote."""
    out = tmp_path / "out"
    result = invoke("deploy", str(write(notation="2>2:adamix(rank=2)")), "--out", str(out))
    names = {line.split()[0] for line in result.stdout.splitlines()}

    assert result.exit_code == 0
    assert names >= {
        "score_before", "score_after", "parameters_before", "parameters_after",
        "logit_change", "largest_logit",
    }  # fmt: skip
    assert result.stdout.splitlines()[-1] == f"wrote {out}/layout.safetensors"
    assert invoke("verify", str(out)).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["deploy", "FOLDER"], "nothing to average in 2>2:bottleneck(rank=2)"),
        (["drop", "FOLDER", "--lowest", "9"], "--lowest takes 1 to 4"),
        (["drop", "nowhere", "--lowest", "1"], "nowhere/layout.json can't be read"),
        (["prune", "FOLDER", "--max-params", "5000"], "nothing to prune"),
        (["drop", "FOLDER", "--lowest", "1", "--learning-rate", "0.1"], "would not be used"),
        (["prune", "FOLDER", "--max-params", "900", "--learning-rate", "0"], "must be above 0"),
        (["merge", "FOLDER", "FOLDER/../layout"], "at least two different folders"),
        (["merge", "FOLDER"], "at least two different folders"),
    ],
)
def test_mistakes_end_with_2_and_write_nothing(
    arguments: list[str],
    message: str,
    write: Writer,
    tmp_path: Path,
) -> None:
    """One message on stderr, no output, no folder."""
    folder = str(write())
    given = [each.replace("FOLDER", folder) for each in arguments]
    result = invoke(*given, "--out", str(tmp_path / "out"))

    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""
    assert not (tmp_path / "out").exists()
