"""A study for what writes into one."""

import optuna
import pytest


@pytest.fixture
def study() -> optuna.Study:
    """An empty study in memory."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study()
