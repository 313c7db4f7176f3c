"""A tabled task as a search sees it: a space of layouts, and an answer for every proposal."""

import random
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.placements.protocol import RANK, SIZES
from benchmarks.placements.table import Row
from placement_search.layout import Kind, Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.file import SpaceFile
from placement_search.space.search_space import SearchSpace, bind_space
from placement_search.study.samplers.sampler import Scores

UNMATCHED = 1.0
"""Distance that each connection more or less adds, as a share of the backbone's depth."""


@dataclass(frozen=True, slots=True)
class Tabled:
    """What the table holds of one layout.

    Args:
        observed: Validation score of each seed.
        worth: What they are on average.
    """

    observed: tuple[float, ...]
    worth: float


class World:
    """A task whose layouts have been trained before.

    A proposal that the table lacks is answered by the nearest layout that it has and the search has
    not seen: then that is the trial. So every sampler can be replayed, and what it learns from are
    real scores alone.

    Args:
        task: The task's name.
        rows: Of the task, all of one length of training.
        proxies: Its proxy map.
        n_nodes: Of the backbone.
        at_most: Largest layouts that take part: 1 for single connections.
    """

    def __init__(
        self,
        task: str,
        rows: Sequence[Row],
        proxies: Mapping[str, Scores],
        n_nodes: int,
        at_most: int = SIZES[1],
    ) -> None:
        self.task = task
        self.proxies = proxies
        self.space = _space(n_nodes, at_most)
        scores: dict[Layout, list[float]] = {}
        for row in sorted(rows, key=lambda row: (row.layout, row.replicate)):
            layout = parse_layout(row.layout, MODULE_TYPES)
            if self.space.contains(layout):
                scores.setdefault(layout, []).append(row.validation)
        self._tabled = {
            layout: Tabled(tuple(each), float(np.mean(each))) for layout, each in scores.items()
        }
        self._near = _Nearest(list(self._tabled), n_nodes)

    @property
    def n_layouts(self) -> int:
        """Layouts that the table holds."""
        return len(self._tabled)

    @property
    def worths(self) -> list[float]:
        """What each layout is worth, the best first."""
        return sorted((each.worth for each in self._tabled.values()), reverse=True)

    def trial(self, proposed: Layout, seen: Container[str]) -> Layout:
        """The layout that is evaluated when another one is proposed."""
        if proposed in self._tabled and proposed.id not in seen:
            return proposed
        return next(each for each in self._near.by_distance(proposed) if each.id not in seen)

    def observed(self, layout: Layout, generator: random.Random) -> float:
        """The score of one training, by one of its seeds."""
        return generator.choice(self._tabled[layout].observed)

    def worth(self, layout: Layout) -> float:
        """The mean score over its seeds."""
        return self._tabled[layout].worth


def _space(n_nodes: int, at_most: int) -> SearchSpace:
    file = SpaceFile.model_validate({
        "schema_version": 1,
        "name": "tabled",
        "kinds": list(Kind),
        "connections": {"at_most": at_most},
        "modules": [{"type": "bottleneck", "rank": RANK}],
    })  # fmt: skip
    # The width only says what a connection costs, which is the same for all.
    return bind_space(file, MODULE_TYPES, n_nodes=n_nodes, places=Places(1), budget=Budget())


class _Nearest:
    """Orders layouts by their distance from another one.

    The distance of two layouts is the mean way from each connection of the one to the nearest of
    the other, there and back, plus what their sizes differ by.
    """

    def __init__(self, layouts: Sequence[Layout], n_nodes: int) -> None:
        self._layouts = layouts
        self._n_nodes = n_nodes
        self._sizes = np.array([len(layout.connections) for layout in layouts])
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])
        self._ends = np.concatenate([self._ends_of(layout) for layout in layouts])

    def by_distance(self, layout: Layout) -> list[Layout]:
        """All layouts, the nearest first."""
        ends = self._ends_of(layout)
        ways = np.abs(self._ends[:, None] - ends).sum(-1)
        there = np.add.reduceat(ways.min(1), self._starts) / self._sizes
        back = np.minimum.reduceat(ways, self._starts).mean(1)
        more = UNMATCHED * np.abs(self._sizes - len(ends))
        order = np.argsort(there + back + more, kind="stable")
        return [self._layouts[index] for index in order]

    def _ends_of(self, layout: Layout) -> NDArray[np.float64]:
        ends = [(c.source, c.target) for c in layout.connections]
        return np.array(ends, dtype=float) / self._n_nodes
