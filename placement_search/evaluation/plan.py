"""How a layout is trained."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrainingPlan:
    """How a layout is trained; the same for every layout of a study.

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
