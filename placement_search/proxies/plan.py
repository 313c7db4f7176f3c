"""How much of the gradients is kept, and whether their factors are, so that memory is bounded."""

import dataclasses
from dataclasses import dataclass

EXACT_WIDTH = 128
"""Models no wider than this are exact, where memory allows."""
MAX_DIRECTIONS = 384
"""Directions kept per node at most; wider models keep half of theirs up to this number."""
OVERSAMPLING = 64
"""Sketched directions beyond those kept, from which the best are chosen."""
N_PROBES = 16
"""Random vectors that measure what the kept directions miss; see `MISS_FACTOR`."""
N_SAMPLED = 8
"""Sources whose connections are mapped for each part of the examples, spread over all nodes.

Enough for a rank correlation, and a third of the memory of all 25 of a model of 12 blocks.
"""
BATCH_SIZE = 32
"""Examples in a batch at most: small enough that texts of one length share it."""
_BATCH_SHARE = 1 / 8
"""Of the memory, for making a batch's factors."""
_BYTES = 4
"""Of a float32. A model in double precision, which only tests use, takes twice the memory."""
_COPIES = 2.5
"""While a batch's factors are made: half of them as states, half as gradients, half copied, and
the whole of the batch before."""
_STEP = 32
"""Numbers of directions below `MAX_DIRECTIONS` are multiples of it."""


@dataclass(frozen=True, slots=True)
class MapPlan:
    """The sizes that a proxy map works with.

    Bytes count everything the map allocates, but not what the backbone itself needs for a forward
    and backward pass of ``batch_size`` examples.

    Args:
        n_nodes: Of the backbone.
        width: Of the backbone.
        n_examples: Examples that gradients are summed over.
        n_tokens: Of the longest example.
        n_directions: Kept per node; ``width`` where nothing is discarded.
        batch_size: Examples in one forward and backward pass.
        memory_limit: Bytes that the plan was made for.
        n_sampled: Sources that are mapped for each part of the examples.
    """

    n_nodes: int
    width: int
    n_examples: int
    n_tokens: int
    n_directions: int
    batch_size: int
    memory_limit: int
    n_sampled: int = 0

    @property
    def sampled(self) -> tuple[int, ...]:
        """The sampled sources, spread evenly from the first node to the last."""
        last, steps = self.n_nodes - 1, max(1, self.n_sampled - 1)
        return tuple(round(place * last / steps) for place in range(self.n_sampled))

    @property
    def is_exact(self) -> bool:
        """Whether gradients are kept whole."""
        return self.n_directions == self.width

    @property
    def factor_bytes(self) -> int:
        """Both factors of all examples."""
        return self._factors(self.n_examples)

    @property
    def keeps_factors(self) -> bool:
        """Whether factors that are needed twice fit, so that the backbone runs once."""
        return not self.is_exact and self.working_bytes + self.factor_bytes <= self.memory_limit

    @property
    def working_bytes(self) -> int:
        """The most that is held at any moment, besides the factors of all examples."""
        making, held = int(_COPIES * self._factors(self.batch_size)), self._factors(self.batch_size)
        whole = core_bytes(self.n_nodes, self.width, self.n_directions)
        cores = whole + whole * self.n_sampled // self.n_nodes + self._bases()
        first = self._sketches() + max(making, held + self._bases() + self._choosing())
        second = cores + max(making, held + max(self._projected(), self._row()))
        return second if self.is_exact else max(first, second)

    def _bases(self) -> int:
        return 0 if self.is_exact else self._per_channel(2 * self.n_directions)

    def _sketches(self) -> int:
        """Random matrices, and the sketches of reads and deltas."""
        return self._per_channel(3 * sketch_size(self.n_directions, self.width))

    def _choosing(self) -> int:
        """One node's basis from its sketch, in double."""
        sketched = sketch_size(self.n_directions, self.width)
        numbers = self.width * (2 * sketched + 3 * self.n_directions) + 3 * sketched**2
        return 2 * _BYTES * numbers

    def _row(self) -> int:
        """Decomposition of the gradients of one source in double: copy, Gram, and LAPACK's own."""
        return 2 * _BYTES * 4 * self.n_nodes * self.n_directions**2

    def _projected(self) -> int:
        """A batch's deltas in the kept directions, and probed twice while they are joined."""
        columns = self.n_nodes * (self.n_directions + 2 * N_PROBES) + 2 * self.n_directions
        return _BYTES * self.batch_size * self.n_tokens * columns

    def _factors(self, n_examples: int) -> int:
        return self._per_channel(2 * n_examples * self.n_tokens)

    def _per_channel(self, n_vectors: int) -> int:
        return _BYTES * n_vectors * self.n_nodes * self.width


def map_plan(
    n_nodes: int,
    width: int,
    n_examples: int,
    n_tokens: int,
    memory_limit: int,
    n_sampled: int = 0,
) -> MapPlan:
    """The largest sizes that ``memory_limit`` allows.

    Args:
        n_nodes: Of the backbone.
        width: Of the backbone.
        n_examples: Examples that gradients are summed over.
        n_tokens: Of the longest example.
        memory_limit: Bytes; see `MapPlan` for what counts. A plan for one example at a time and
            one direction is made even where that takes more.
        n_sampled: Sources that are mapped for each part of the examples.
    """
    per_example = int(_COPIES * 2 * _BYTES * n_nodes * width * n_tokens)
    batch_size = int(memory_limit * _BATCH_SHARE) // per_example
    batch_size = max(1, min(batch_size, BATCH_SIZE, n_examples))
    least = MapPlan(n_nodes, width, n_examples, n_tokens, 1, batch_size, memory_limit, n_sampled)
    most = width if width <= EXACT_WIDTH else min(width // 2, MAX_DIRECTIONS)
    fewer = range((most - 1) // _STEP * _STEP, 0, -_STEP)
    for n_directions in (most, *fewer):
        plan = dataclasses.replace(least, n_directions=n_directions)
        if plan.working_bytes <= memory_limit:
            return plan
    return least


def core_bytes(n_nodes: int, width: int, n_directions: int) -> int:
    """Bytes of the cores of all connections, and of the probes of what they miss."""
    probes = 0 if n_directions == width else N_PROBES * width
    return _BYTES * n_nodes**2 * (n_directions**2 + probes)


def sketch_size(n_directions: int, width: int) -> int:
    """Columns of the sketch from which ``n_directions`` are chosen."""
    return min(width, n_directions + OVERSAMPLING)
