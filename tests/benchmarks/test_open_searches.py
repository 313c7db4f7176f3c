import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from benchmarks import open_searches
from benchmarks.journal import read
from benchmarks.open_page import Outcome, Trained, best_of, page
from benchmarks.open_searches import TRAINING, Job, line_of, run
from benchmarks.placements.errors import TableError
from placement_search.layout import Layout

TRAINED = (Trained("1>1", 0.7, 0.6), Trained("1>2+3>3", 0.9, 0.5), Trained("1>3", 0.8, 0.9))


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Layouts that were trained, which score by where they write; the first to node 3 fails."""
    facts = SimpleNamespace(fingerprint="a backbone")
    bench = SimpleNamespace(
        backbone=SimpleNamespace(facts=facts), task=SimpleNamespace(fingerprint="examples")
    )
    monkeypatch.setattr(open_searches, "bench_of", lambda _: bench)
    asked = list[str]()

    def train(task: str, layout: Layout) -> tuple[float, float] | None:
        del task
        asked.append(layout.notation)
        targets = [connection.target for connection in layout.connections]
        return None if 3 in targets else (sum(targets) / 100, 0.5)

    monkeypatch.setattr(open_searches, "_train", train)
    return asked


@pytest.mark.slow
@pytest.mark.parametrize("sampler", ["random", "gradient-guided", "tpe", "guided"])
def test_a_search_goes_on_where_it_stopped(
    trained: list[str], tmp_path: Path, sampler: str
) -> None:
    """As if it had not, and trains nothing again."""
    job = Job("digits", sampler, 0, 16, tmp_path)
    whole = run(job).trials
    lines = job.journal.read_text().splitlines(keepends=True)
    job.journal.write_text("".join(lines[:13]))
    trained.clear()

    assert run(job).trials == whole
    assert len(trained) == 4
    assert len(read(job.journal)) == 17


@pytest.mark.slow
def test_what_another_search_has_trained_is_not_trained_again(
    trained: list[str], tmp_path: Path
) -> None:
    """The proxies' greedy choices are the same whatever the seed."""
    first = run(Job("digits", "gradient-guided", 0, 4, tmp_path))
    again = run(Job("digits", "gradient-guided", 1, 4, tmp_path))

    assert again.trials == first.trials
    assert len(trained) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINING)
def test_what_was_trained_otherwise_is_trained_again(
    trained: list[str], tmp_path: Path, name: str
) -> None:
    """With another backbone, on other data or for another time."""
    first = run(Job("digits", "gradient-guided", 0, 2, tmp_path))
    header, *lines = first.journal.read_text().splitlines(keepends=True)
    first.journal.write_text(json.dumps(json.loads(header) | {name: "another"}) + "\n" + lines[0])
    run(Job("digits", "gradient-guided", 1, 2, tmp_path))

    assert len(trained) == 4


@pytest.mark.slow
def test_what_hangs_on_something_else_is_refused(
    trained: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sampler of another version would go on with trials that it never proposed."""
    job = Job("digits", "random", 0, 2, tmp_path)
    run(job)
    monkeypatch.setattr(open_searches, "version_of", lambda _: 99)

    with pytest.raises(TableError, match=r"random-0.jsonl has another sampler_version; move it"):
        run(job)
    assert len(trained) == 2


def test_the_best_is_chosen_by_validation_and_told_by_test() -> None:
    """The test score takes no part in the choice."""
    best = best_of(TRAINED)

    assert best is not None
    assert best.test == 0.5
    assert Outcome((TRAINED, TRAINED[2:])).best(2) == [TRAINED[1], TRAINED[2]]


def test_the_page_has_the_best_sampler_first_and_says_what_random_sets_score() -> None:
    """With the command that made it, and no trials that nobody asked for."""
    worse, better = Outcome((TRAINED,)), Outcome((TRAINED[2:],))
    outcomes = {("digits", "random"): worse, ("digits", "guided"): better}
    lines = page(outcomes, {"digits": TRAINED}, "the command").splitlines()
    table = [line for line in lines if line.startswith("| ")]

    assert "Made by `the command`." in lines
    assert [line.split("|")[1].strip() for line in table] == ["sampler", "---", "guided", "random"]
    assert [word for word in table[0].split("|") if "after" in word] == [
        " best after 3: validation ", " best after 3: test ",
    ]  # fmt: skip
    assert table[2].endswith("| 0.8000 | 0.9000 |")
    assert any(line.startswith("- 1 those of 2 connections, tabled") for line in lines)


def test_a_training_without_a_score_keeps_its_place() -> None:
    """It is a trial as any other, so what comes after it comes later."""
    outcome = Outcome(((None, *TRAINED),))

    assert outcome.best(2) == [TRAINED[0]]
    assert outcome.best(1) == []
    assert outcome.n_trials == 4


def test_a_search_without_any_score_is_told_as_such(tmp_path: Path) -> None:
    """Last of its task; in the line of its end too."""
    outcomes = {
        ("digits", "random"): Outcome(((None, None),)),
        ("digits", "tpe"): Outcome((TRAINED[:2], (None, None))),
    }
    table = [line for line in page(outcomes, {}, "so").splitlines() if line.startswith("| ")]

    assert table[2].startswith("| tpe |")
    assert table[3] == "| random |  |  | no score | no score |"
    assert line_of(Job("digits", "random", 0, 2, tmp_path)).endswith("seed 0: no score")
