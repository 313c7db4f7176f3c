"""A tabled task as a search sees it: a space of layouts, and an answer for every proposal."""

import hashlib
import json
import random
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from benchmarks.placements.protocol import RANK, SIZES
from benchmarks.placements.table import Row
from benchmarks.placements.tabled_space import Pool, TabledSpace
from placement_search.layout import Kind, Layout, parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.file import SpaceFile
from placement_search.space.search_space import SearchSpace, bind_space
from placement_search.study.samplers.sampler import Scores


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

    What a search proposes is tabled, since its space holds nothing else (see `TabledSpace`). So
    every sampler can be replayed, and what it learns from are real scores alone.

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
        self._open = open_space(n_nodes, at_most)
        scores: dict[Layout, list[float]] = {}
        for row in sorted(rows, key=lambda row: (row.layout, row.replicate)):
            layout = parse_layout(row.layout, MODULE_TYPES)
            if self._open.contains(layout):
                scores.setdefault(layout, []).append(row.validation)
        self._tabled = {
            layout: Tabled(tuple(each), float(np.mean(each))) for layout, each in scores.items()
        }
        self._pool = Pool(list(self._tabled), n_nodes)

    @property
    def n_layouts(self) -> int:
        """Layouts that the table holds."""
        return len(self._tabled)

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the scores and proxies that a search meets here."""
        scores = sorted((layout.notation, each.observed) for layout, each in self._tabled.items())
        text = json.dumps([scores, self.proxies], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def worths(self) -> list[float]:
        """What each layout is worth, the best first."""
        return sorted((each.worth for each in self._tabled.values()), reverse=True)

    def space(self, tried: AbstractSet[Layout]) -> SearchSpace:
        """The space of one search: the open one where all of it is tabled, else a closed one.

        Args:
            tried: What the search has tried, which grows with it.
        """
        if self.n_layouts == self._open.n_layouts:
            return self._open
        return TabledSpace.within(self._open, self._pool, tried)

    def observed(self, layout: Layout, generator: random.Random) -> float:
        """The score of one training, by one of its seeds."""
        return generator.choice(self._tabled[layout].observed)

    def worth(self, layout: Layout) -> float:
        """The mean score over its seeds."""
        return self._tabled[layout].worth


def open_space(n_nodes: int, at_most: int) -> SearchSpace:
    """All layouts of up to so many connections, with the protocol's module."""
    file = SpaceFile.model_validate({
        "schema_version": 1,
        "name": "tabled",
        "kinds": list(Kind),
        "connections": {"at_most": at_most},
        "modules": [{"type": "bottleneck", "rank": RANK}],
    })  # fmt: skip
    # The width only says what a connection costs, which is the same for all.
    return bind_space(file, MODULE_TYPES, n_nodes=n_nodes, places=Places(1), budget=Budget())
