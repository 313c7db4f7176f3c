"""Trainings that can give no score: their seeds are fixed, so a study keeps why and goes on."""

from collections.abc import Mapping
from typing import Any

import optuna

from placement_search.errors import EvaluationError

GAP = "no score/"
"""Before the key that the score card would have in the study's attributes."""


def keep_gap(study: optuna.Study, key: str, error: Exception) -> None:
    """Write down that a training gave no score, and why, where it would give none again.

    Where memory ran out another machine may have more.

    Args:
        study: Keeps it.
        key: Of the score card that it lacks.
        error: What ended the training.
    """
    if isinstance(error, EvaluationError):
        study.set_user_attr(f"{GAP}{key}", str(error))


def read_gaps(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Why trainings gave no score, by the keys of the score cards that the study lacks."""
    return {k.removeprefix(GAP): v for k, v in attributes.items() if k.startswith(GAP)}


def gaps_of(gaps: Mapping[str, str], kind: str) -> dict[tuple[str, int], str]:
    """The same of retrainings of one kind, by layout id and replicate.

    Args:
        gaps: By key.
        kind: What their keys begin with.
    """
    found = {key.removeprefix(kind): why for key, why in gaps.items() if key.startswith(kind)}
    parts = {key.rpartition("/"): why for key, why in found.items()}
    return {(layout_id, int(replicate)): why for (layout_id, _, replicate), why in parts.items()}
