"""The ledger writes an ordinary Optuna study, and knows what it wrote."""

from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState

from placement_search.evaluation.score_card import Costs, ScoreCard
from placement_search.study import records, trial_rows
from placement_search.study.ledger import Entry, Ledger
from placement_search.study.search_budget import Spent
from placement_search.study.storage import open_storage

DISTRIBUTIONS = {"source_0": FloatDistribution(0.0, 1.0), "module": IntDistribution(0, 2)}
CARD = ScoreCard(0.7, (0.4, 0.7), None, 3, 8, 1.5, Costs(10, 20, 120, 1000, 1.1))


def entry(layout_id: str) -> Entry:
    """A proposal as the coordinator writes it down."""
    attributes = {
        records.ROLE: records.SEARCHED,
        records.LAYOUT: "0>1:bottleneck",
        records.LAYOUT_ID: layout_id,
        records.N_PARAMETERS: 100,
        records.IS_ELIGIBLE: True,
    }
    return Entry({"source_0": 0.25, "module": 2}, attributes)


def study_in(folder: Path, storage: optuna.storages.BaseStorage | None = None) -> optuna.Study:
    """The study of that folder, made where it is new."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        study_name="study",
        storage=storage or open_storage(f"sqlite:///{folder}/s.db", must_exist=False),
        direction="maximize",
        load_if_exists=True,
    )


def written(ledger: Ledger) -> None:
    """One trial of each end, one that goes on, and one that waits."""
    ledger.queue([entry("queued")])
    for number, layout_id in enumerate(("a", "b", "c", "d"), start=1):
        ledger.start(entry(layout_id))
        ledger.report(number, 1, 0.4)
    ledger.report(1, 2, 0.7)
    ledger.complete(1, CARD, 2.0)
    ledger.prune(2, 0.4, Spent(0.5, 4), 3.0)
    ledger.fail(3, records.TrialEnd.INFEASIBLE, "out of memory", Spent(), 4.0)


def held(trials: list[FrozenTrial]) -> list[tuple[object, ...]]:
    """All of trials but the times and what a storage calls them."""
    return [
        (t.number, t.state, t.values, t.params, t.distributions, t.user_attrs,
         t.intermediate_values, t.datetime_start is None)
        for t in trials
    ]  # fmt: skip


@pytest.mark.slow
def test_memory_and_storage_agree(tmp_path: Path) -> None:
    """What the ledger holds is what another reader finds, whatever happened to a trial."""
    ledger = Ledger(study_in(tmp_path), DISTRIBUTIONS)
    written(ledger)
    ledger.take()

    found = held(study_in(tmp_path).get_trials())
    assert held(list(ledger.trials)) == found
    assert [state for _, state, *_ in found] == [
        TrialState.RUNNING, TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL,
        TrialState.RUNNING,
    ]  # fmt: skip
    assert [value for _, _, value, *_ in found] == [None, [0.7], [0.4], None, None]


@pytest.mark.slow
def test_our_rows_are_optunas(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A storage whose tables are of another version is written by Optuna, and reads the same."""
    (tmp_path / "ours").mkdir()
    (tmp_path / "optunas").mkdir()
    ours = Ledger(study_in(tmp_path / "ours"), DISTRIBUTIONS)
    monkeypatch.setattr(trial_rows, "SCHEMA", "another")
    optunas = Ledger(study_in(tmp_path / "optunas"), DISTRIBUTIONS)
    written(ours)
    written(optunas)

    assert ours._rows is not None and optunas._rows is None
    found = [held(study_in(tmp_path / name).get_trials()) for name in ("ours", "optunas")]
    assert found[0] == found[1]


@pytest.mark.slow
def test_times_are_as_optuna_writes_them(tmp_path: Path) -> None:
    """In the same zone, so that a dashboard shows trials where they belong."""
    study = study_in(tmp_path)
    ledger = Ledger(study, DISTRIBUTIONS)
    ledger.start(entry("a"))
    study.ask()
    first, second = (trial.datetime_start for trial in study_in(tmp_path).get_trials())

    assert first is not None and second is not None
    assert 0 <= (second - first).total_seconds() < 60


def test_other_storages_are_written_by_optuna() -> None:
    """A study in memory has no tables."""
    study = study_in(Path(), optuna.storages.InMemoryStorage())
    ledger = Ledger(study, DISTRIBUTIONS)
    written(ledger)

    assert held(list(ledger.trials)) == held(study.get_trials())


def test_what_has_settled_is_counted_from_the_first_trial_on(tmp_path: Path) -> None:
    """A trial that ended before an earlier one waits for it."""
    ledger = Ledger(study_in(tmp_path), DISTRIBUTIONS)
    for layout_id in ("a", "b", "c"):
        ledger.start(entry(layout_id))
    ledger.complete(1, CARD, 2.0)
    assert (ledger.n_counted, ledger.n_settled) == (1, 0)
    ledger.complete(0, CARD, 2.0)
    assert (ledger.n_counted, ledger.n_settled) == (2, 2)
    assert ledger.seen == {"a", "b", "c"}


@pytest.mark.slow
def test_scores_of_an_interrupted_run_stand(tmp_path: Path) -> None:
    """A report that comes again changes nothing."""
    Ledger(study_in(tmp_path), DISTRIBUTIONS).start(entry("a"))
    first = Ledger(study_in(tmp_path), DISTRIBUTIONS)
    first.report(0, 1, 0.25)
    second = Ledger(study_in(tmp_path), DISTRIBUTIONS)
    assert second.resume(0).params == entry("a").params
    second.report(0, 1, 0.5)
    second.report(0, 2, 0.75)

    assert study_in(tmp_path).get_trials()[0].intermediate_values == {1: 0.25, 2: 0.75}


def test_a_reference_outside_the_space_is_never_optunas_best_trial(tmp_path: Path) -> None:
    """However good it is: it breaks a constraint, also after an interruption, and others do not."""
    outside = entry("everywhere")
    outside.attributes[records.IS_ELIGIBLE] = False
    study = study_in(tmp_path)
    ledger = Ledger(study, DISTRIBUTIONS)
    ledger.queue([Entry({}, outside.attributes), entry("queued")])
    ledger.take()
    again = Ledger(study, DISTRIBUTIONS)
    again.resume(0)
    again.complete(0, CARD, 2.0)
    again.take()
    again.complete(1, replace(CARD, score=0.4), 2.0)

    assert study.best_trial.number == 1
    assert [bool(trial.constraints) for trial in study.trials] == [True, False]
