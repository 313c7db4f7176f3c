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
        reports_per_epoch: Validation scores in each epoch, at equal distances, one at its end.
        consistency: Weight of the divergence between two passes over the same examples, added to
            the loss of the first where a layout has modules that draw (AdaMix, Wang et al. 2022:
            1); a step then has two forward passes.
        drop_lowest: In every pass, a number of the layout's lowest targets drawn uniformly from 0
            to this one lose their connections (AdapterDrop, Rücklé et al. 2021: 11 of 12 blocks).
    """

    epochs: int = 4
    batch_size: int = 64
    learning_rate: float = 1e-2
    weight_decay: float = 0.01
    warm_up: float = 0.1
    reports_per_epoch: int = 1
    consistency: float = 0.0
    drop_lowest: int = 0

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
            "reports_per_epoch must be at least 1": self.reports_per_epoch >= 1,
            "consistency must be at least 0 and finite": 0 <= self.consistency < math.inf,
            "drop_lowest must be at least 0": self.drop_lowest >= 0,
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

    @property
    def n_reports(self) -> int:
        """Validation scores of a whole training."""
        return self.epochs * self.reports_per_epoch

    def steps_per_epoch(self, n_examples: int) -> int:
        """Optimizer steps of an epoch over so many examples.

        Raises:
            EvaluationError: If there is to be more than one report in a step.
        """
        n_steps = math.ceil(n_examples / self.batch_size)
        if self.reports_per_epoch > n_steps:
            raise EvaluationError(
                f"reports_per_epoch must be at most the steps of an epoch, {n_steps} for "
                f"{n_examples} training examples in batches of {self.batch_size}, got "
                f"{self.reports_per_epoch}; ask for fewer (--reports-per-epoch)"
            )
        return n_steps
