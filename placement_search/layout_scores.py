"""Scores of whole layouts from their connections' scores, as sums and as coverage; plain lists."""

from collections.abc import Callable, Mapping, Sequence

from placement_search.layout import Layout

Grid = Sequence[Sequence[float]]
"""Scores of connections by ``[source][target]``, larger for a better place, at least 0."""
Pair = tuple[int, int]
"""Source and target of a connection."""

DISCOUNT = 0.6
"""Strength of the discount near a chosen connection, as Nowak et al. (2024) set it."""


def layout_sum(scores: Grid, layout: Layout) -> float:
    """The sum of its connections' scores, which grows with their number.

    Cost: no pass; n steps for n connections. Source: the objective of the greedy search of Nowak
    et al. (2024), without its discount.
    """
    return sum(scores[c.source][c.target] for c in layout.connections)


def coverage(scores: Grid, layout: Layout, strength: float = DISCOUNT) -> float:
    """The sum of its connections' scores where those near each other share what they cover.

    Connections are taken as the greedy search of Nowak et al. (2024, GGA) takes them: the highest
    score first, after which every other score is multiplied by ``1 - gamma^d`` with d its distance
    from the one taken. So two neighbours are worth less than two distant places with the same
    scores. The paper does not say what distance is; see `distance`.

    Cost: no pass; n² steps for n connections.

    Args:
        scores: Of all connections.
        layout: Whose connections are summed.
        strength: Gamma, within 0 and 1: 0 discounts the same pair alone, 1 counts only the first.

    Returns:
        At most `layout_sum`, and at least the highest of its connections' scores; 0 for none.
    """
    left = [((c.source, c.target), scores[c.source][c.target]) for c in layout.connections]
    covered = 0.0
    while left:
        taken = max(left, key=lambda entry: entry[1])
        left.remove(taken)
        covered += taken[1]
        left = [(pair, score * kept_share(pair, taken[0], strength)) for pair, score in left]
    return covered


def kept_share(pair: Pair, chosen: Pair, strength: float = DISCOUNT) -> float:
    """``1 - gamma^d``: the share of a score that is left at distance d of a taken connection.

    0 at the taken one itself, 0.4 beside it, 0.64 two steps away.
    """
    return 1.0 - strength ** distance(pair, chosen) if pair != chosen else 0.0


def distance(one: Pair, other: Pair) -> int:
    """Steps along the residual stream between the sources, and between the targets, together."""
    return abs(one[0] - other[0]) + abs(one[1] - other[1])


AGGREGATES: Mapping[str, Callable[[Grid, Layout], float]] = {
    "sum": layout_sum,
    "coverage": coverage,
}
"""The ways from a proxy of a connection to one of a layout, by name."""
