"""A search space of the layouts that a table holds: whatever is wished, one of those comes."""

import dataclasses
import random
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import islice
from typing import Self

import numpy as np
from numpy.typing import NDArray

from placement_search.layout import Layout
from placement_search.space.choices import Choice
from placement_search.space.search_space import SearchSpace

UNMATCHED = 1.0
"""Distance that each connection more or less adds, as a share of the backbone's depth."""


class Pool:
    """The layouts of a table, by how near they are to another one.

    The distance of two layouts is the mean way from each connection of the one to the nearest of
    the other, there and back, plus what their sizes differ by.

    Args:
        layouts: Different ones, each with a connection or more.
        n_nodes: Of the backbone.
    """

    def __init__(self, layouts: Sequence[Layout], n_nodes: int) -> None:
        self.layouts = tuple(layouts)
        self.known = frozenset(layouts)
        self.by_size: dict[int, list[Layout]] = {}
        for layout in layouts:
            self.by_size.setdefault(len(layout.connections), []).append(layout)
        self._n_nodes = n_nodes
        self._sizes = np.array([len(layout.connections) for layout in layouts])
        self._starts = np.concatenate([[0], np.cumsum(self._sizes)[:-1]])
        self._ends = np.concatenate([self._ends_of(layout) for layout in layouts])

    def by_distance(self, layout: Layout) -> Iterator[Layout]:
        """All layouts, the nearest first."""
        ends = self._ends_of(layout)
        ways = np.abs(self._ends[:, None] - ends).sum(-1)
        there = np.add.reduceat(ways.min(1), self._starts) / self._sizes
        back = np.minimum.reduceat(ways, self._starts).mean(1)
        more = UNMATCHED * np.abs(self._sizes - len(ends))
        order = np.argsort(there + back + more, kind="stable")
        return (self.layouts[index] for index in order)

    def _ends_of(self, layout: Layout) -> NDArray[np.float64]:
        ends = [(c.source, c.target) for c in layout.connections]
        return np.array(ends, dtype=float) / self._n_nodes


@dataclass(frozen=True)
class TabledSpace(SearchSpace):
    """A space of tabled layouts, as one search sees it.

    Choices that make up no tabled layout, a wish, mean the nearest one that the search has not
    tried and that no other wish of it means, as choices that break a rule mean the nearest that do
    not. So samplers that draw numbers and greedy choices come upon the tabled layout next to what
    they wished, and samplers that weigh candidates weigh tabled ones. Closed is what samplers ask:
    `layout_of`, `contains`, `random_layout`, `neighbours` and `n_layouts`.

    Args:
        pool: What is tabled, all of it within the open space.
        tried: What the search has tried; whoever searches adds to it.
    """

    pool: Pool
    tried: AbstractSet[Layout] = field(compare=False)
    _meant: dict[Layout, Layout] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def within(cls, space: SearchSpace, pool: Pool, tried: AbstractSet[Layout]) -> Self:
        """The part of a space that is tabled."""
        of_space = [each.name for each in dataclasses.fields(space) if each.init]
        return cls(**{name: getattr(space, name) for name in of_space}, pool=pool, tried=tried)

    @property
    def n_layouts(self) -> int:
        """How many are tabled."""
        return len(self.pool.layouts)

    def contains(self, layout: Layout) -> bool:
        """Whether the layout is tabled."""
        return layout in self.pool.known

    def layout_of(self, chosen: Sequence[Choice]) -> Layout:
        """The layout of these choices, or the tabled one that they mean."""
        wished = super().layout_of(chosen)
        if wished in self.pool.known:
            return wished
        if wished not in self._meant:
            self._meant[wished] = self._nearest(wished)
        return self._meant[wished]

    def _nearest(self, wished: Layout) -> Layout:
        """New and meant by no other wish; where there is none left new, and at last any."""
        near, taken = list(self._near(wished)), set(self._meant.values())
        unmeant = (each for each in near if each not in taken)
        return next(unmeant, near[0] if near else next(self.pool.by_distance(wished)))

    def random_layout(self, generator: random.Random) -> Layout:
        """A size, then a tabled layout of it, new ones as long as there are any."""
        size = generator.choice(sorted(self.pool.by_size))
        of_size = self.pool.by_size[size]
        return generator.choice([each for each in of_size if each not in self.tried] or of_size)

    def neighbours(self, layout: Layout, generator: random.Random, n: int) -> list[Layout]:
        """The nearest other layouts that are new."""
        del generator
        return list(islice((each for each in self._near(layout) if each != layout), n))

    def _near(self, layout: Layout) -> Iterator[Layout]:
        return (each for each in self.pool.by_distance(layout) if each not in self.tried)
