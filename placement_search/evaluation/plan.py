"""How a layout is trained."""

import math
from dataclasses import asdict, dataclass, replace
from typing import Self

from placement_search.errors import EvaluationError
from placement_search.space.training import TrainingChoice


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How a layout is trained; the same for every layout of a study, but for `with_choice`.

    Args:
        epochs: Passes over the training split.
        batch_size: Examples in one step.
        learning_rate: Peak of the schedule, for adapters and head.
        weight_decay: AdamW's decoupled weight decay.
        warm_up: Share of all steps over which the rate rises linearly; then it falls by a cosine.
    """

    epochs: int = 4
    batch_size: int = 64
    learning_rate: float = 1e-2
    weight_decay: float = 0.01
    warm_up: float = 0.1

    def __post_init__(self) -> None:
        """Check the ranges.

        Raises:
            EvaluationError: Naming every value that is out of range.
        """
        rules = {
            "epochs must be at least 1": self.epochs >= 1,
            "batch_size must be at least 1": self.batch_size >= 1,
            "learning_rate must be above 0 and finite": 0 < self.learning_rate < math.inf,
            "weight_decay must be at least 0 and finite": 0 <= self.weight_decay < math.inf,
            "warm_up must lie within 0 and 1": 0 <= self.warm_up <= 1,
        }
        broken = [
            f"{rule}, got {getattr(self, rule.split()[0])}"
            for rule, is_kept in rules.items()
            if not is_kept
        ]
        if broken:
            raise EvaluationError("; ".join(broken))

    def with_choice(self, choice: TrainingChoice) -> Self:
        """The same plan with the settings that were chosen for one layout."""
        return replace(self, **{k: v for k, v in asdict(choice).items() if v is not None})
