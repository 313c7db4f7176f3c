"""Training settings of a trial in its attributes, where the space proposes any."""

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from placement_search.space.training import TrainingChoice

TRAINING = "training"
_CHOICES = TypeAdapter(TrainingChoice)


def stored(choice: TrainingChoice) -> dict[str, Any]:
    """The attributes that hold a choice; none for one that changes nothing."""
    return {TRAINING: _CHOICES.dump_python(choice, mode="json")} if choice.notation else {}


def training_of(attributes: Mapping[str, Any]) -> TrainingChoice:
    """The choice that a trial's attributes hold."""
    return _CHOICES.validate_python(attributes.get(TRAINING, {}))
