"""A real search in its own process, stopped by Ctrl-C and killed, ends like an undisturbed one."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tiny_backbones import saved_vit

ARGUMENTS = [
    "--data", "digits", "--space", "long_range", "--n-random", "3", "--finalists", "1",
    "--seeds", "2", "--epochs", "12", "--batch-size", "30", "--quiet",
    "--train-size", "120", "--validation-size", "60",
]  # fmt: skip
N_TRIALS, ENDLESS = 18, 1000

SCORED = """select count(*) from trial_intermediate_values join trials using (trial_id)
    where trials.number between 11 and 15 and trials.state = 'RUNNING'"""
STOPS = (
    (signal.SIGINT, "select count(*) from trials where number > 4 and state = 'RUNNING'"),
    (signal.SIGKILL, SCORED),
    (signal.SIGKILL, "select count(*) > 3 from study_user_attributes where key like 'final%'"),
)
"""How a search is stopped, and the query that tells when: among the baselines, between two epochs
of a proposed layout, in the finals."""


@pytest.fixture
def model(tmp_path: Path) -> str:
    """A tiny backbone's folder."""
    return saved_vit(tmp_path / "model")


def start(folder: Path, model: str, n_trials: int = N_TRIALS) -> subprocess.Popen[str]:
    """The search as a user starts it, listening to Ctrl-C.

    Tests that run as a job in the background ignore it, and what they start would inherit that;
    a handler of their own is not inherited.
    """
    command = [sys.executable, "-m", "placement_search", "search", *ARGUMENTS]
    options = ["--model", model, "--n-trials", str(n_trials)]
    options += ["--storage", f"sqlite:///{folder}/s.db", "--out", f"{folder}/out"]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [*command, *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        signal.signal(signal.SIGINT, before)


def wait_for(process: subprocess.Popen[str], folder: Path, query: str) -> None:
    """Wait until the storage answers a query with a positive number, while the search runs."""
    while process.poll() is None:
        if (folder / "s.db").is_file():
            try:
                with sqlite3.connect(f"file:{folder}/s.db?mode=ro", uri=True) as connection:
                    if connection.execute(query).fetchone()[0] > 0:
                        return
            except sqlite3.OperationalError:
                pass
        time.sleep(0.02)
    pytest.fail(f"the search ended before it could be stopped:\n{process.communicate()}")


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Wait for the end; the exit code and what was said on stderr."""
    _, err = process.communicate()
    return process.returncode, err


def result(folder: Path) -> dict[str, object]:
    """What must be equal of two reports: trials with scores, finals and the answer."""
    data = json.loads((folder / "out/report/report.json").read_text())
    text = json.dumps({key: data[key] for key in ("trials", "finals", "answer")})
    kept: dict[str, object] = json.loads(text, object_hook=_without_times)
    return kept


def _without_times(values: dict[str, object]) -> dict[str, object]:
    measured = {"train_seconds", "latency_factor", "started", "storage", "seconds"}
    return {key: value for key, value in values.items() if key not in measured}


@pytest.mark.slow
def test_stopped_and_killed_searches_end_like_an_undisturbed_one(
    tmp_path: Path, model: str
) -> None:
    """Ctrl-C among the baselines, kill -9 among the search's trials and again in the finals."""
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    assert finish(start(tmp_path / "whole", model))[0] == 0

    for stop, query in STOPS:
        process = start(tmp_path / "parts", model)
        wait_for(process, tmp_path / "parts", query)
        process.send_signal(stop)
        code, err = finish(process)
        if stop is signal.SIGINT:
            assert code == 1, err
            assert "The same command again goes on" in err
            assert "Traceback" not in err
        else:
            assert code == -signal.SIGKILL, err

    assert finish(start(tmp_path / "parts", model))[0] == 0
    assert result(tmp_path / "parts") == result(tmp_path / "whole")


@pytest.mark.slow
def test_a_second_search_on_the_same_storage_is_refused(tmp_path: Path, model: str) -> None:
    """One coordinator at a time: the second one says so and leaves the first alone."""
    first = start(tmp_path, model, ENDLESS)
    wait_for(first, tmp_path, "select count(*) from trials where state = 'RUNNING'")

    code, err = finish(start(tmp_path, model, ENDLESS))
    first.kill()
    finish(first)

    assert code == 2, err
    assert "another search is running" in err
