"""Layouts as vectors: where their connections lie, what they are, and what the proxies say of them.

A layout's vector is the sum of its connections' vectors. A connection's is made so that the product
of two of them is a kernel: near sources and near targets make two connections alike, and so do the
same kind, the same module and the same ranks by the proxies.
"""

import itertools
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


class Parts:
    """The connections of some layouts, behind each other.

    Args:
        layouts: At least one, each with a connection or more.
    """

    def __init__(self, layouts: Sequence[Layout]) -> None:
        self.connections = [each for layout in layouts for each in layout.connections]
        self.sizes = np.array([len(layout.connections) for layout in layouts])
        self.starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        self.sources = np.array([each.source for each in self.connections])
        self.targets = np.array([each.target for each in self.connections])

    def sums(self, rows: Array) -> Array:
        """The sum of its connections' rows for each layout, shape ``(n_layouts, n_columns)``."""
        return np.asarray(np.add.reduceat(rows, self.starts, axis=0))


class SetFeatures:
    """Turns layouts of one space into vectors.

    Args:
        space: Whose layouts.
        ranks: As `proxy_ranks` gives them.
        lengths: Distances, as shares of the backbone's nodes, over which nodes are alike.
    """

    def __init__(self, space: SearchSpace, ranks: Array, lengths: Sequence[float]) -> None:
        self._modules = {module: index for index, module in enumerate(space.modules)}
        self._ranks = ranks
        n_nodes = 1 + max(max(pair) for pair in space.pairs)
        self._nodes = [_node_features(n_nodes, length * n_nodes) for length in lengths]
        self._numbers: dict[Connection, int] = {}
        self._vectors = [np.empty((0, 0)) for _ in lengths]

    def of(self, parts: Parts) -> list[Array]:
        """Vectors of layouts by length, each of shape ``(n_layouts, n_features)``."""
        numbers = self._numbers
        fresh = [each for each in dict.fromkeys(parts.connections) if each not in numbers]
        if fresh:
            numbers.update(zip(fresh, itertools.count(len(numbers))))
            for index, nodes in enumerate(self._nodes):
                made = np.stack([self._made(connection, nodes) for connection in fresh])
                known = self._vectors[index]
                self._vectors[index] = np.concatenate([known, made]) if len(known) else made
        wanted = np.array([numbers[each] for each in parts.connections])
        return [parts.sums(vectors[wanted]) for vectors in self._vectors]

    def _made(self, connection: Connection, nodes: Array) -> Array:
        source, target = nodes[connection.source], nodes[connection.target]
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


def summary_features(space: SearchSpace, layouts: Sequence[Layout], parts: Parts) -> Array:
    """What a layout is as a whole: size, cost, depth and passes.

    Args:
        space: Whose layouts.
        layouts: At least one.
        parts: Their connections.

    Returns:
        Shape ``(len(layouts), 5)``.
    """
    columns = [
        parts.sizes,
        np.log1p([space.cost(layout) for layout in layouts]),
        np.minimum.reduceat(parts.targets, parts.starts),
        np.maximum.reduceat(parts.sources, parts.starts),
        np.maximum.reduceat(parts.sources > parts.targets, parts.starts),
    ]
    return np.stack(columns, axis=1).astype(float)


def rank_sums(ranks: Array, parts: Parts) -> Array:
    """The sums of the proxies' ranks over each layout's connections, ``(n_layouts, n_proxies)``.

    Args:
        ranks: As `proxy_ranks` gives them.
        parts: The layouts' connections.
    """
    return parts.sums(ranks[parts.sources, parts.targets])
