from pathlib import Path

import pytest

from benchmarks import open_searches
from benchmarks.journal import read
from benchmarks.open_searches import Job, Outcome, Trial, page, run
from placement_search.layout import Layout

TRIALS = [Trial("1>1", 0.7, 0.6), Trial("1>2", 0.9, 0.5), Trial("1>3", 0.8, 0.9)]


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Layouts that were trained, whose score is their size; journals in a fresh folder."""
    monkeypatch.setattr(open_searches, "JOURNALS", tmp_path)
    asked = list[str]()

    def train(task: str, layout: Layout) -> Trial:
        del task
        asked.append(layout.notation)
        return Trial(layout.notation, len(layout.connections) / 10, 0.5)

    monkeypatch.setattr(open_searches, "_train", train)
    return asked


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "gradient-guided"])
def test_a_search_goes_on_where_it_stopped(
    trained: list[str], tmp_path: Path, sampler: str
) -> None:
    """As if it had not, and trains nothing again."""
    whole = run(Job("digits", sampler, 0, 6)).trials
    journal = tmp_path / "digits" / f"{sampler}-0.jsonl"
    lines = journal.read_text().splitlines(keepends=True)
    journal.write_text("".join(lines[:2]))
    trained.clear()

    assert run(Job("digits", sampler, 0, 6)).trials == whole
    assert len(trained) == 4
    assert len(read(journal)) == 6


@pytest.mark.slow
def test_what_another_search_has_trained_is_not_trained_again(trained: list[str]) -> None:
    """The proxies' greedy choices are the same whatever the seed."""
    first = run(Job("digits", "gradient-guided", 0, 4))
    again = run(Job("digits", "gradient-guided", 1, 4))

    assert again.trials == first.trials
    assert len(trained) == 4


def test_the_best_is_chosen_by_validation_and_told_by_test() -> None:
    """The test score takes no part in the choice."""
    outcome = Outcome((tuple(TRIALS),))

    assert outcome.best(1) == [TRIALS[0]]
    assert outcome.best(3) == [TRIALS[1]]
    assert outcome.test(3) == 0.5


def test_the_page_has_the_best_sampler_first_and_the_tabled_sets_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the command that made it."""
    monkeypatch.setattr(open_searches, "_random_sets", lambda _: TRIALS)
    worse, better = Outcome((tuple(TRIALS),)), Outcome((tuple(TRIALS[2:]),))
    text = page({("digits", "random"): worse, ("digits", "guided"): better}, "the command")
    table = [line for line in text.splitlines() if line.startswith("| ")][2:]

    assert "Made by `the command`" in text
    assert [line.split("|")[1].strip() for line in table] == [
        "guided", "random", "3 random sets, tabled",
    ]  # fmt: skip
    assert table[0].endswith("| 0.8000 | 0.9000 |")
    assert table[2].endswith("| 0.9000 | 0.5000 |")
