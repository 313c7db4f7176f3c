"""The benchmark of the operations: what its page says, and that it goes on where it stopped."""

from pathlib import Path

import pytest

from benchmarks import operations
from benchmarks.journal import append
from benchmarks.operations import ASKED, SEEDS, Printed, page, run


def printed(name: str, seed: int) -> Printed:
    return {
        "name": name,
        "seed": seed,
        "score_before": 0.5 + seed / 100,
        "score_after": 0.75 + seed / 100,
    }


def test_changes_are_paired_by_seed() -> None:
    """The same change at every seed has an interval of no width."""
    name = ASKED[0].name
    lines = page([{**printed(name, seed), "parameters_after": 1234} for seed in SEEDS])

    (line,) = (line for line in lines if name in line)
    assert "| 1,234 |" in line
    assert "| +0.250 (+0.250 to +0.250) |" in line


def test_what_is_done_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the one that the journal lacks."""
    done = [(asked.name, seed) for asked in ASKED for seed in SEEDS]
    for name, seed in done[:-1]:
        append(tmp_path / "operations.jsonl", printed(name, seed))
    asked_for: list[tuple[str, ...]] = []

    def cli(*arguments: str) -> str:
        asked_for.append(arguments)
        folder = arguments[1]
        return f'{{"score_of {folder}": 0.5, "score_after": 0.6}}'

    monkeypatch.setattr(operations, "_cli", cli)
    rows = run(tmp_path)

    assert [arguments[0] for arguments in asked_for] == [ASKED[-1].command]
    assert rows[-1] == {
        "name": done[-1][0],
        "seed": done[-1][1],
        "score_before": 0.5,
        "score_after": 0.6,
    }
