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
        test: What the test scores of the same seeds are on average, which no search sees.
    """

    observed: tuple[float, ...]
    worth: float
    test: float

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Tabled":
        """What the rows of one layout hold of it."""
        observed = tuple(row.validation for row in rows)
        return cls(observed, float(np.mean(observed)), float(np.mean([row.test for row in rows])))


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

    Attributes:
        owner: Fingerprints of the backbone and the examples that the rows are of.
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
        data = sorted({row.data or "all" for row in rows})
        self.owner = " ".join([*sorted({row.backbone for row in rows}), "+".join(data)])
        self.proxies = proxies
        self._open = open_space(n_nodes, at_most)
        found: dict[Layout, list[Row]] = {}
        for row in sorted(rows, key=lambda row: (row.layout, row.replicate)):
            layout = parse_layout(row.layout, MODULE_TYPES)
            if self._open.contains(layout):
                found.setdefault(layout, []).append(row)
        self._tabled = {layout: Tabled.of(each) for layout, each in found.items()}
        self._pool = Pool(list(self._tabled), n_nodes)

    @property
    def n_layouts(self) -> int:
        """Layouts that the table holds."""
        return len(self._tabled)

    @property
    def n_open(self) -> int | None:
        """Layouts that there are, tabled or not; None for more than are counted."""
        return self._open.n_layouts

    @cached_property
    def fingerprint(self) -> str:
        """Digest of the scores and proxies that a search meets here, and of what judges it."""
        scores = sorted(
            (layout.notation, each.observed, each.test) for layout, each in self._tabled.items()
        )
        text = json.dumps([scores, self.proxies], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def worths(self) -> list[float]:
        """What each layout is worth, the best first."""
        return sorted((each.worth for each in self._tabled.values()), reverse=True)

    @property
    def tests(self) -> list[float]:
        """Each layout's mean test score, the best first."""
        return sorted((each.test for each in self._tabled.values()), reverse=True)

    def space(self, tried: AbstractSet[Layout]) -> SearchSpace:
        """The space of one search: the open one where all of it is tabled, else a closed one.

        Args:
            tried: What the search has tried, which grows with it.
        """
        if self.n_layouts == self.n_open:
            return self._open
        return TabledSpace.within(self._open, self._pool, tried)

    def observed(self, layout: Layout, generator: random.Random) -> float:
        """The score of one training, by one of its seeds."""
        return generator.choice(self._tabled[layout].observed)

    def worth(self, layout: Layout) -> float:
        """The mean validation score over its seeds."""
        return self._tabled[layout].worth

    def test(self, layout: Layout) -> float:
        """The mean test score over its seeds."""
        return self._tabled[layout].test


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
