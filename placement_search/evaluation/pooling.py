"""Which pooling: the one that a linear head does best with on the bare backbone's features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from placement_search.adapted.frozen import Features
from placement_search.adapted.probe import probe_head
from placement_search.backbones.families import Pooling
from placement_search.rounding import score_text
from placement_search.tasks.task import Task

AUTO = "auto"


@dataclass(frozen=True, slots=True)
class PoolingChoice:
    """A pooling and why.

    Args:
        pooling: How tokens become one feature.
        scores: Validation score of the head probe by pooling; empty where nothing was compared.
    """

    pooling: Pooling
    scores: Mapping[str, float]

    def describe(self) -> str:
        """The choice in one line."""
        if not self.scores:
            return f"pooling: {self.pooling}"
        compared = ", ".join(f"{name} {score_text(score)}" for name, score in self.scores.items())
        return f"pooling: {self.pooling}, by the head probe's validation score ({compared})"


def choose_pooling(
    task: Task,
    poolings: Sequence[Pooling],
    features: Sequence[Features],
    labels: Sequence[Tensor],
) -> PoolingChoice:
    """Fit the head probe for every pooling and compare validation scores; the first wins a tie.

    Args:
        task: What labels and scores mean.
        poolings: What the backbone allows, at least one; its family's own way first.
        features: Of the training and the validation split, by pooling.
        labels: Of the same splits.
    """
    if len(poolings) == 1:
        return PoolingChoice(poolings[0], {})
    scores: dict[str, float] = {}
    for pooling in poolings:
        train, validation = (part[pooling] for part in features)
        head = probe_head(train, labels[0], task.target, task.n_outputs)
        scores[pooling.value] = task.score(head.logits(validation), labels[1])
    sign = task.metric.sign
    best = max(poolings, key=lambda pooling: sign * scores[pooling.value])
    return PoolingChoice(best, scores)
