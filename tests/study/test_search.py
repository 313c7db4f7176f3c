"""What a search checks before it writes anything."""

import logging
from dataclasses import replace
from pathlib import Path

import optuna
import pytest

from placement_search.errors import SpaceError, StudyError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.space.cost_table import Price
from placement_search.study import spaces
from placement_search.study.search import load_ingredients, search
from placement_search.study.settings import SearchSettings
from placement_search.study.storage import held_study
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
