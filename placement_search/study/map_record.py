"""A proxy map as frozen values: the scores, and how stable they are."""

from dataclasses import dataclass, field

Grid = list[list[float]]
"""Scores by ``[source][target]``."""
RANDOM_HEAD = "@random_head"
"""Ends the names of proxies that were computed with random heads in place of the probed one."""


@dataclass(frozen=True, slots=True)
class ProxySpread:
    """How stable the proxies of a map are.

    Args:
        n_batches: Disjoint parts of the examples that were compared.
        n_heads: Head states that were compared, on one part: the probed one, and random ones.
        between_batches: By proxy, the mean of Spearman's rank correlation between the scores from
            any two parts, over the connections of some sources: 1 where examples do not matter.
            None where scores do not vary.
        between_heads: The same between any two head states.
        random_head: By proxy, the mean score over the random heads; ``[source][target]``.
    """

    n_batches: int
    n_heads: int
    between_batches: dict[str, float | None]
    between_heads: dict[str, float | None]
    random_head: dict[str, Grid] = field(default_factory=dict)

    @property
    def named(self) -> dict[str, Grid]:
        """The scores with random heads, by names that say so."""
        return {f"{name}{RANDOM_HEAD}": grid for name, grid in self.random_head.items()}


@dataclass(frozen=True, slots=True)
class ProxyMap:
    """Every proxy's score of every connection.

    Args:
        scores: By proxy; ``[source][target]``, larger for a better place.
        n_examples: Training examples that the gradients are summed over.
        loss: Mean loss of the probed head on them.
        seconds: Wall-clock time of the whole map.
        discarded: Largest share of a gradient's energy outside the directions that were kept, by
            estimate; 0 for an exact map.
        spread: How stable the proxies are; None in studies made before it was measured.
    """

    scores: dict[str, list[list[float]]]
    n_examples: int
    loss: float
    seconds: float
    discarded: float = 0.0
    spread: ProxySpread | None = None

    @property
    def all_scores(self) -> dict[str, Grid]:
        """The scores with the probed head by name, then those with random heads."""
        return self.scores | (self.spread.named if self.spread else {})
