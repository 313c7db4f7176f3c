"""The command that a study records makes the same study again."""

import shlex
from dataclasses import fields, replace
from pathlib import Path

import pytest
from typer.main import get_command

from placement_search.backbones.settings import ModelSettings
from placement_search.cli.main import app
from placement_search.study.command import Goal, search_command
from placement_search.study.settings import SearchSettings
from placement_search.tasks.settings import DataSettings
from tests.tiny_records import DEFINITION

MODEL = ModelSettings(
    model="my models/bert", revision="main", device="cpu", dtype="bfloat16", pooling="mean",
    family="opt.yaml", allow_pickle=True, trust_remote_code=True,
)  # fmt: skip
DATA = DataSettings(
    data="it's/mine.csv", config="cola", text="a text", text_pair="b", image="c", label="d",
    target="regression", metric="rmse", max_length=40, shots=16, train_size=100,
    validation_size=50, split_seed=3,
)  # fmt: skip


def understood(command: str) -> dict[str, object]:
    """What the command line makes of a command's options, by parameter."""
    _, name, *arguments = shlex.split(command)
    search = get_command(app).commands[name]  # type: ignore[attr-defined]
    made: dict[str, object] = search.make_context(name, arguments).params
    return made


def test_every_option_is_said_and_quoted() -> None:
    """Spaces, quotes and all settings come back as they were given."""
    asked = replace(
        DEFINITION,
        model=MODEL,
        data=DATA,
        max_params="1%",
        seed=5,
        n_random=4,
        concurrency=7,
        max_bytes="20 KB",
        max_flops="1.1x",
        max_latency="120%",
        start_files=("my runs/layout.json", "b"),
        has_proxy_map=False,
        gammas=(0.123456789, 0.0),
    )
    goal = Goal(n_trials=12, n_finalists=2, n_seeds=4, full_fine_tuning=True, max_steps=900)
    params = understood(search_command(asked, goal, "a study", "sqlite:///x y.db"))
    expected = {f.name: getattr(s, f.name) for s in (MODEL, DATA) for f in fields(s)}

    assert {name: params[name] for name in expected} == expected
    assert params["max_params"] == "1%"
    assert [params[f"max_{what}"] for what in ("bytes", "flops", "latency")] == [
        "20 KB", "1.1x", "120%",
    ]  # fmt: skip
    assert params["study_name"] == "a study"
    assert params["storage"] == "sqlite:///x y.db"
    assert (params["n_trials"], params["finalists"], params["seeds"], params["seed"]) == (
        12, 2, 4, 5,
    )  # fmt: skip
    assert params["full_fine_tuning"] is True
    assert (params["max_steps"], params["max_seconds"]) == (900, None)
    assert params["concurrency"] == 7
    assert params["start_from"] == [Path("my runs/layout.json"), Path("b")]
    assert params["no_map"] is True
    assert params["gamma"] == [0.123456789, 0.0]


def test_what_a_trial_is_is_said() -> None:
    """Its trainings, its reports, and what the score is set against."""
    training = replace(DEFINITION.training, reports_per_epoch=3, consistency=0.5, drop_lowest=2)
    asked = replace(
        DEFINITION, fidelity="data", replicates=5, cost="flops", training=training, n_random=4
    )
    params = understood(search_command(asked, Goal(12, 1, 3), "tiny", "sqlite:///tiny.db"))

    assert (params["fidelity"], params["replicates"]) == ("data", 5)
    assert (params["objective"], params["reports_per_epoch"]) == ("score,flops", 3)
    assert (params["consistency"], params["drop_lowest"]) == (0.5, 2)


def test_a_goal_never_shrinks() -> None:
    """What a study holds already stays part of the command that makes it."""
    large = Goal(n_trials=20, n_finalists=3, n_seeds=2, full_fine_tuning=True)

    assert Goal(12, 0, 5).joined(large) == Goal(20, 3, 5, full_fine_tuning=True)


def test_no_limit_is_the_largest_one() -> None:
    """A study that was ever searched without one may hold more than a later limit lets pass."""
    limited = Goal(12, 0, 3, max_steps=100, max_seconds=5.5)

    assert limited.joined(Goal(12, 0, 3, max_steps=70)) == Goal(12, 0, 3, max_steps=100)
    assert limited.joined(limited) == limited


@pytest.mark.parametrize(
    ("asked", "former", "spent", "limit"),
    [
        pytest.param(100, None, 40, 100, id="enough for what is there"),
        pytest.param(100, 70, 75, 100, id="more than before"),
        pytest.param(100, 9999, 40, 100, id="less than a stopped search asked for"),
        pytest.param(100, 300, 310, 300, id="less than what is there, which 300 let pass"),
        pytest.param(100, None, 310, 310, id="less than what is there, which nothing stopped"),
        pytest.param(100, 9999, 310, 310, id="less than what is there, of a stopped search"),
        pytest.param(None, 100, 105, None, id="no limit any more"),
    ],
)
def test_a_study_that_goes_on_has_a_goal_that_makes_what_it_holds(
    asked: int | None, former: int | None, spent: int, limit: int | None
) -> None:
    """And none that only a stopped search was to reach."""
    goal = Goal(12, 1, 3, max_steps=asked, max_seconds=asked)
    made = goal.going_on(
        Goal(4000, 1, 3, max_steps=former, max_seconds=former),
        n_trials=20, n_steps=spent, seconds=spent,
    )  # fmt: skip

    assert (made.n_trials, made.max_steps, made.max_seconds) == (20, limit, limit)


@pytest.mark.parametrize(("name", "out"), [("a/b", "runs/a_b"), ("..", "runs/__"), ("a b.c", None)])
def test_a_study_whose_name_is_none_of_a_folder_has_one_said(name: str, out: str | None) -> None:
    """Else its own command would be refused."""
    asked = replace(DEFINITION, n_random=4)
    params = understood(search_command(asked, Goal(12, 1, 3), name, "sqlite:///tiny.db"))

    assert (params["study_name"], params["out"]) == (name, out and Path(out))


def test_defaults_are_left_unsaid() -> None:
    """The command of an embedded study stays short."""
    asked = replace(DEFINITION, concurrency=SearchSettings().concurrency)
    command = search_command(asked, Goal(12, 1, 3), "tiny", "sqlite:///tiny.db")

    assert "--model embedded --data digits-location --space extended" in command
    assert "--dtype" not in command
    assert "--full-fine-tuning" not in command
    assert "--concurrency" not in command
    assert "--consistency" not in command
    assert "--drop-lowest" not in command
    assert "--no-map" not in command
    assert "--gamma" not in command
