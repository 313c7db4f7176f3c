"""A small finished study of the embedded backbone, made once for all export tests."""

from pathlib import Path

import pytest

from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.export.export import export_layout
from placement_search.study.records import StudyRecord
from placement_search.study.search import load_bench, search
from placement_search.study.settings import SearchSettings
from placement_search.tasks.settings import DataSettings

DATA = DataSettings("digits", train_size=200, validation_size=100)


@pytest.fixture(scope="session")
def record(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    """Twelve trials of one epoch on digits, with finals of two seeds."""
    folder = tmp_path_factory.mktemp("study")
    settings = SearchSettings(
        data=DATA,
        space="long_range",
        storage=f"sqlite:///{folder}/study.db",
        n_trials=12,
        n_finalists=1,
        n_seeds=2,
        n_random=3,
        max_params="1500",
        training=TrainingPlan(epochs=1, batch_size=200),
    )
    return search(settings)


@pytest.fixture(scope="session")
def bench() -> Workbench:
    """The study's backbone and data."""
    return load_bench(ModelSettings(), DATA)


@pytest.fixture(scope="session")
def exported(
    record: StudyRecord, bench: Workbench, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder of the study's exported answer."""
    folder = tmp_path_factory.mktemp("layout")
    export_layout(record, bench, folder)
    return folder
