"""What a search checks before it writes anything."""

import logging
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest

from placement_search.errors import PlacementSearchError, SpaceError, StudyError
from placement_search.evaluation import evaluate
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.space.cost_table import Price
from placement_search.study import spaces
from placement_search.study.finalists import lacks_seeds
from placement_search.study.progress import Silence
from placement_search.study.records import SEARCHED, TrialEnd
from placement_search.study.search import load_ingredients, search
from placement_search.study.settings import SearchSettings
from placement_search.study.storage import held_study
from tests.pressed_keys import PressedInDestructor
from tests.tiny_task import tiny_bench


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return tiny_bench()


@pytest.fixture
def settings(tmp_path: Path, bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> SearchSettings:
    """A search without finals, and a backbone on which a module takes a tenth of the time."""
    measured = Price((0.1, 0.1), fixed=1.0, first_pass=(0.9,) * bench.backbone.n_nodes)
    monkeypatch.setattr(spaces, "latency_price", lambda *_: measured)
    return SearchSettings(
        storage=f"sqlite:///{tmp_path}/study.db", study_name="fast", sampler="random",
        n_trials=1, n_random=3, n_finalists=0, proxy_map=False,
        training=TrainingPlan(epochs=1, batch_size=16),
    )  # fmt: skip


@pytest.mark.slow
def test_an_impossible_latency_leaves_no_study(settings: SearchSettings, bench: Workbench) -> None:
    """Another limit is the cure, and then no other settings than the study's."""
    with pytest.raises(SpaceError, match=r"latency, the most is 1\.05"):
        search(replace(settings, max_latency="1.05x"), bench=bench)

    assert held_study(settings.storage, "fast") is None
    assert search(replace(settings, max_latency="1.2x"), bench=bench).trials


@pytest.mark.slow
def test_another_latency_is_another_study(
    settings: SearchSettings, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which is said before anything is measured."""
    search(replace(settings, max_latency="1.2x"), bench=bench)
    monkeypatch.setattr(spaces, "latency_price", lambda *_: pytest.fail("measured again"))

    with pytest.raises(StudyError, match="other settings"):
        search(replace(settings, max_latency="1.3x"), bench=bench)


@pytest.mark.slow
def test_finalists_that_are_too_slow_are_replaced(
    settings: SearchSettings, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as there are others near them; the same command then retrains nothing more."""
    slow_ones: set[str] = set()
    monkeypatch.setattr(
        evaluate,
        "measure_latency_factor",
        lambda model, *_: 1.5 if model.layout.id in slow_ones else 1.1,
    )
    asked = replace(settings, max_latency="1.2x", n_trials=14, n_seeds=2)
    trials = search(asked, bench=bench)
    best = [t.layout_id for t in trials.ranking if t.role == SEARCHED]
    assert len(best) > 4

    def retrained() -> list[str]:
        """Of the best proposals those that were, after the finals of two."""
        record = search(replace(asked, n_finalists=2), bench=bench)
        held = {final.layout_id for final in record.finals}
        return [each for each in best if each in held]

    slow_ones |= {best[0]}
    assert retrained() == best[:3]
    assert retrained() == best[:3]


@pytest.mark.slow
def test_only_so_many_finalists_are_replaced(
    settings: SearchSettings, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy machine all of them may be too slow, and each costs its seeds."""
    monkeypatch.setattr(evaluate, "measure_latency_factor", lambda *_: 1.5)
    slow = replace(settings, max_latency="1.2x", n_trials=14, n_finalists=2, n_seeds=2)

    record = search(slow, bench=bench)
    held = {final.layout_id for final in record.finals}
    best = [t.layout_id for t in record.ranking if t.role == SEARCHED]
    assert [each for each in best if each in held] == best[:4]


@pytest.mark.slow
def test_a_study_without_a_map_stays_without_one(
    settings: SearchSettings, bench: Workbench
) -> None:
    """Else a map would add a baseline in mid-study; the command that it prints says so."""
    record = search(settings, bench=bench)

    assert " --no-map" in record.command
    with pytest.raises(StudyError, match="has_proxy_map: False in the study, True asked"):
        search(replace(settings, proxy_map=True, n_trials=2), bench=bench)
    again = search(replace(settings, n_trials=2), bench=bench)
    assert again.proxy_map is None
    assert len(again.ended(TrialEnd.COMPLETE)) == 2


@pytest.mark.slow
def test_another_discount_is_another_study(settings: SearchSettings, bench: Workbench) -> None:
    """It is part of how layouts are proposed, and of the command."""
    asked = replace(settings, gammas=(0.3,))
    record = search(asked, bench=bench)

    assert " --gamma 0.3" in record.command
    with pytest.raises(StudyError, match=r"gammas: \[0.3\] in the study, \[0.6, 0.0\] asked"):
        search(settings, bench=bench)


class Told(Silence):
    """Keeps what is said."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def say(self, line: str) -> None:
        """See `Progress`."""
        self.lines.append(line)


@pytest.mark.slow
def test_a_sampler_of_another_version_goes_on_and_says_so(
    settings: SearchSettings, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once, where trials are still to be proposed; the study keeps from which trial on."""
    first = search(settings, bench=bench)
    n_begun = len(first.trials)
    monkeypatch.setattr("placement_search.study.search.version_of", lambda _, **__: 7)
    told = [Told() for _ in range(3)]
    shown = search(replace(settings, n_trials=n_begun), told[0], bench=bench)
    longer = replace(settings, n_trials=n_begun + 1)
    changed = search(longer, told[1], bench=bench)
    again = search(longer, told[2], bench=bench)
    said = [line for each in told for line in each.lines if "may propose otherwise" in line]

    assert first.sampler_versions == {0: 1}
    assert shown.sampler_versions == {0: 1}
    assert changed.sampler_versions == again.sampler_versions == {0: 1, n_begun: 7}
    assert len(said) == 1
    assert f"trials from {n_begun} on" in said[0]


def test_what_needs_no_model_is_checked_before_one_is_loaded(
    settings: SearchSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A typing error is told within a second, not after minutes of loading."""
    loads = "placement_search.study.search.load_bench"
    monkeypatch.setattr(loads, lambda *_, **__: pytest.fail("loaded"))
    wrong: dict[str, dict[str, Any]] = {
        "did you mean 'tpe'": {"sampler": "tpee"},
        "did you mean 'none'": {"pruner": "nonee"},
        "--fidelity takes": {"fidelity": "dat"},
        "--replicates goes with": {"replicates": 5, "pruner": "median"},
        "which --no-map leaves out": {"sampler": "gradient-guided"},
        "there is no file 'extendet'": {"space": "extendet"},
        "got 'ten'": {"max_params": "ten"},
        "must leave|takes a count": {"max_params": "0%"},
        "an SQLite address": {"storage": "mysql://x"},
    }
    for message, change in wrong.items():
        with pytest.raises(PlacementSearchError, match=message):
            load_ingredients(replace(settings, **change))


def test_the_check_of_a_sampler_is_silent(
    settings: SearchSettings, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna tells of studies in memory that are none of the user's."""
    heard: list[str] = []
    teller = logging.Handler()
    monkeypatch.setattr(teller, "emit", lambda record: heard.append(record.getMessage()))
    level, logger = optuna.logging.get_verbosity(), logging.getLogger("optuna")
    logger.addHandler(teller)
    optuna.logging.set_verbosity(logging.INFO)
    try:
        for sampler in ("tpe", "cma-es", "nsga-ii"):
            load_ingredients(replace(settings, sampler=sampler), bench)
    finally:
        optuna.logging.set_verbosity(level)
        logger.removeHandler(teller)

    assert heard == []


class PressCtrlC(Silence):
    """Has Ctrl-C pressed within a destructor when the first trial has ended."""

    def advance(self, line: str) -> None:
        """Press."""
        if line.startswith("trial 0:"):
            PressedInDestructor()


@pytest.mark.slow
def test_ctrl_c_that_python_drops_stops_a_search(
    settings: SearchSettings, bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the same search goes on afterwards."""
    monkeypatch.setattr("sys.unraisablehook", lambda _: None)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            search(replace(settings, n_trials=9), PressCtrlC(), bench=bench)
    finally:
        signal.signal(signal.SIGINT, before)

    assert len(search(replace(settings, n_trials=9), bench=bench).trials) == 9


class StopAt(Silence):
    """Presses Ctrl-C where a stage begins."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def start(self, stage: str, *_: int) -> None:
        """Press."""
        if stage == self._stage:
            raise KeyboardInterrupt


@pytest.mark.slow
def test_a_search_that_asks_for_less_completes_the_studys_finals(
    settings: SearchSettings, bench: Workbench
) -> None:
    """Fewer finalists or seeds than before; else the finals would stay incomplete for ever."""
    asked = replace(settings, n_trials=10, n_finalists=1, n_seeds=3)
    search(asked, bench=bench)
    with pytest.raises(KeyboardInterrupt):
        search(replace(asked, n_finalists=2), StopAt("finals"), bench=bench)
    record = search(replace(asked, n_seeds=2), bench=bench)

    assert (record.goal.n_finalists, record.goal.n_seeds) == (2, 3)
    assert not lacks_seeds(record)


@pytest.mark.slow
def test_trials_that_did_not_begin_do_not_stick(settings: SearchSettings, bench: Workbench) -> None:
    """A typing error can be stopped: the study's command makes what there is, and no more."""
    asked = replace(settings, n_trials=3, n_finalists=0)
    with pytest.raises(KeyboardInterrupt):
        search(replace(asked, n_trials=4000), StopAt("search"), bench=bench)

    # More baselines are queued than that, and wait.
    assert search(asked, bench=bench).goal.n_trials == 3
    assert search(replace(asked, n_trials=2), bench=bench).goal.n_trials == 3


@pytest.mark.parametrize("objective", ["score", "score,flops"])
def test_an_empty_study_that_is_turned_another_way_is_not_taken_over(
    settings: SearchSettings, bench: Workbench, objective: str
) -> None:
    """Optuna minimises where nobody says otherwise; scores here are to grow."""
    optuna.create_study(study_name=settings.resolved_name, storage=settings.storage)

    with pytest.raises(StudyError, match="is empty and was made to minimize, this search has to m"):
        search(replace(settings, objective=objective), bench=bench)


@pytest.mark.slow
def test_finals_that_did_not_begin_do_not_stick(settings: SearchSettings, bench: Workbench) -> None:
    """A typing error can be stopped: what is asked for next holds, or what the finals have."""
    asked = replace(settings, n_trials=8, n_finalists=1, n_seeds=2)
    mistyped = replace(asked, n_finalists=33, n_seeds=200, full_fine_tuning=True)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search(mistyped, StopAt("search"), bench=bench)
        goal = search(asked, bench=bench).goal

        assert (goal.n_finalists, goal.n_seeds, goal.full_fine_tuning) == (1, 2, False)
