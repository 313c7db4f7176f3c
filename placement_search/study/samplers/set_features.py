"""Layouts as vectors: where their connections lie, what they are, and what the proxies say of them.

A layout's vector is the sum of its connections' vectors. A connection's is made so that the product
of two of them is a kernel: near sources and near targets make two connections alike, and so do the
same kind, the same module and the same ranks by the proxies.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from placement_search.layout import Connection, Kind, Layout
from placement_search.space.search_space import SearchSpace
from placement_search.study.samplers.sampler import Scores

Array = NDArray[np.float64]

PLACE, ENDS, KIND, MODULE, PROXIES = 0.35, 0.15, 0.1, 0.1, 0.15
"""Shares of a connection's kernel: both ends together, each end alone, and what else it is.

They add up to one, each end counted for itself. Set by thought and not tuned on any task.
"""
KEPT = 1e-3
"""Directions of the kernel over nodes are kept down to this share of the largest."""


class SetFeatures:
    """Turns layouts of one space into vectors.

    Args:
        space: Whose layouts.
        ranks: As `proxy_ranks` gives them.
        length: Distance, as a share of the backbone's nodes, over which nodes are alike.
    """

    def __init__(self, space: SearchSpace, ranks: Array, length: float) -> None:
        self._modules = {module: index for index, module in enumerate(space.modules)}
        self._ranks = ranks
        n_nodes = 1 + max(max(pair) for pair in space.pairs)
        self._nodes = _node_features(n_nodes, length * n_nodes)
        self._known: dict[Connection, Array] = {}

    def of(self, layouts: Sequence[Layout]) -> Array:
        """Vectors of layouts, shape ``(len(layouts), n_features)``."""
        return np.stack([sum(map(self._vector, layout.connections)) for layout in layouts])

    def _vector(self, connection: Connection) -> Array:
        known = self._known.get(connection)
        if known is None:
            known = self._known[connection] = self._made(connection)
        return known

    def _made(self, connection: Connection) -> Array:
        source, target = self._nodes[connection.source], self._nodes[connection.target]
        kind = np.eye(len(Kind))[list(Kind).index(connection.kind)]
        module = np.eye(len(self._modules))[self._modules[connection.module]]
        ranks = self._ranks[connection.source, connection.target]
        return np.concatenate([
            np.sqrt(PLACE) * np.outer(source, target).ravel(),
            np.sqrt(ENDS) * source,
            np.sqrt(ENDS) * target,
            np.sqrt(KIND) * kind,
            np.sqrt(MODULE) * module,
            np.sqrt(PROXIES / max(1, len(ranks))) * ranks,
        ])  # fmt: skip


def proxy_ranks(space: SearchSpace, proxies: Mapping[str, Scores]) -> Array:
    """How each proxy ranks the connections of a space, as normal scores.

    Those are what a normal variable would be at the same rank, so that the best few differ from
    each other as much as they differ from the rest.

    Returns:
        Shape ``(n_nodes, n_nodes, n_proxies)``; 0 for connections that the space leaves out.
    """
    n_nodes = 1 + max(max(pair) for pair in space.pairs)
    sources, targets = np.array(space.pairs).T
    ranks = np.zeros((n_nodes, n_nodes, len(proxies)))
    for index, scores in enumerate(proxies.values()):
        ranked = stats.rankdata(np.asarray(scores, dtype=float)[sources, targets])
        ranks[sources, targets, index] = stats.norm.ppf((ranked - 0.5) / len(ranked))
    return ranks


def _node_features(n_nodes: int, length: float) -> Array:
    """Vectors of nodes whose products are a Gaussian of the nodes' distance."""
    nodes = np.arange(n_nodes)
    kernel = np.exp(-0.5 * ((nodes[:, None] - nodes) / length) ** 2)
    values, vectors = np.linalg.eigh(kernel)
    kept = values > KEPT * values[-1]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def summary_features(space: SearchSpace, ranks: Array, layouts: Sequence[Layout]) -> Array:
    """What a layout is as a whole: size, cost, depth, passes, and its sums of the proxies' ranks.

    Args:
        space: Whose layouts.
        ranks: As `proxy_ranks` gives them.
        layouts: At least one.

    Returns:
        Shape ``(len(layouts), 5 + n_proxies)``.
    """
    rows = []
    for layout in layouts:
        ends = np.array([(c.source, c.target) for c in layout.connections])
        rows.append([
            len(ends),
            np.log1p(space.cost(layout)),
            ends[:, 1].min(),
            ends[:, 0].max(),
            layout.is_recurrent,
        ])  # fmt: skip
    return np.concatenate([np.array(rows, dtype=float), rank_sums(ranks, layouts)], axis=1)


def rank_sums(ranks: Array, layouts: Sequence[Layout]) -> Array:
    """The sums of the proxies' ranks over each layout's connections, ``(n_layouts, n_proxies)``.

    Args:
        ranks: As `proxy_ranks` gives them.
        layouts: At least one.
    """
    ends = ([(c.source, c.target) for c in layout.connections] for layout in layouts)
    return np.stack([ranks[tuple(zip(*each, strict=True))].sum(0) for each in ends])
