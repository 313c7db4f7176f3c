"""What a search is after: the score alone, or the score against a cost."""

from collections.abc import Callable, Mapping

from placement_search.errors import StudyError, did_you_mean
from placement_search.evaluation.score_card import Costs, ScoreCard

SCORE = "score"
COSTS: Mapping[str, Callable[[Costs], int]] = {
    "parameters": lambda costs: costs.n_adapter_parameters,
    "flops": lambda costs: costs.n_flops,
    "bytes": lambda costs: costs.n_bytes,
}
"""The costs that a score can be set against, as a score card counts them."""
TITLES: Mapping[str, str] = {
    "parameters": "trainable parameters of the adapters",
    "flops": "floating-point operations per example",
    "bytes": "bytes of adapters and head on disk",
}
"""The same in words."""


def parse_objective(objective: str) -> str | None:
    """The cost that the score is set against; None where the score is all.

    Args:
        objective: ``score``, or ``score`` and a cost with a comma between.

    Raises:
        StudyError: If it is neither.
    """
    known = [SCORE, *(f"{SCORE},{cost}" for cost in COSTS)]
    written = ",".join(part.strip() for part in objective.split(","))
    if written not in known:
        raise StudyError(
            f"--objective takes one of {'; '.join(known)}; got {objective!r}"
            f"{did_you_mean(written, known)}"
        )
    return written.partition(",")[2] or None


def cost_of(card: ScoreCard, cost: str) -> int:
    """What a trial's layout costs, in the unit of that cost."""
    return COSTS[cost](card.costs)
