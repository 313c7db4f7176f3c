"""The engine that a search's settings ask for."""

from pathlib import Path

import pytest

from placement_search.backbones.settings import ModelSettings
from placement_search.errors import StudyError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.study.search import search
from placement_search.study.settings import SearchSettings
from placement_search.tasks.settings import DataSettings
from tests.tiny_backbones import saved_vit


def test_more_processes_than_trials_are_refused() -> None:
    """The error says which option bounds the other."""
    with pytest.raises(StudyError, match="workers must be at most concurrency, 4, got 5"):
        SearchSettings(workers=5)


@pytest.mark.slow
def test_a_study_is_the_same_in_one_process_and_in_two(tmp_path: Path) -> None:
    """Same layouts, same scores after every epoch, same finals."""
    found = []
    for workers in (1, 2):
        record = search(
            SearchSettings(
                model=ModelSettings(saved_vit(tmp_path / "model")),
                data=DataSettings("digits", train_size=64, validation_size=32),
                storage=f"sqlite:///{tmp_path}/{workers}.db",
                space="long_range",
                n_trials=11,
                n_finalists=1,
                n_seeds=2,
                proxy_map=False,
                training=TrainingPlan(epochs=2, batch_size=32),
                workers=workers,
            )
        )
        trials = [(trial.layout, trial.end, trial.history) for trial in record.trials]
        finals = {(f.layout_id, f.replicate): f.card.test_score for f in record.finals}
        found.append((trials, finals))

    assert found[0] == found[1]
