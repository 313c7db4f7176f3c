"""The gradients of all n² connections, as what proxies need of them.

``factors.py`` gives the two thin factors of every gradient, ``plan.py`` says how much of them
memory allows, ``bases.py`` finds the directions that matter where that is not all, ``cores.py``
sums the gradients in these directions, and ``spectra.py`` takes their singular values. No gradient
of a wide model is ever formed.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from placement_search.adapted.batches import text_lengths
from placement_search.proxies.bases import find_bases
from placement_search.proxies.cores import Cores
from placement_search.proxies.factors import FactorStream, GradientFactors
from placement_search.proxies.plan import N_SAMPLED, MapPlan, map_plan
from placement_search.proxies.spectra import completed, singular_values

MISS_FACTOR = 4
"""The discarded energy is at most this many times its estimate, but for a small probability.

With 16 probes that is 1e-3 where all that is discarded lies in one direction, and 1e-10 where it
spreads evenly over four: a chi-square variable with 16 degrees of freedom a direction.
"""


@dataclass(frozen=True, slots=True, eq=False)
class GradientMap:
    """What all proxies of a connection are computed from; indexed ``[source, target]``.

    Args:
        singular_values: Of ``G_ij``, descending, shape ``(n_nodes, n_nodes, width)``. Where
            directions were discarded, the kept ones' values, none above its true one, and a tail
            with the energy of the others.
        example_energies: Mean over examples of ``‖g_ij‖²``, where ``g_ij`` is the gradient of that
            example's own loss; shape ``(n_nodes, n_nodes)``.
        discarded: The energy of the tail, an unbiased estimate of ``‖G_ij‖²`` less that of the
            kept values; 0 where all are; shape ``(n_nodes, n_nodes)``.
    """

    singular_values: Tensor
    example_energies: Tensor
    discarded: Tensor

    @property
    def energies(self) -> Tensor:
        """``‖G_ij‖²``, the discarded part included; shape ``(n_nodes, n_nodes)``."""
        return self.singular_values.square().sum(-1)

    @property
    def discarded_bound(self) -> Tensor:
        """The most energy that the kept values lack; see `MISS_FACTOR`.

        Shape ``(n_nodes, n_nodes)``.
        """
        return MISS_FACTOR * self.discarded

    @property
    def largest_discarded_share(self) -> float:
        """The largest share of a gradient's energy that was discarded; 0 for an exact map."""
        tiny = torch.finfo(self.discarded.dtype).tiny
        return float((self.discarded / self.energies.clamp_min(tiny)).max())


@dataclass(frozen=True, slots=True, eq=False)
class PartedMap:
    """A map of all examples, and maps of disjoint parts of them for some of the sources.

    Args:
        whole: Of all examples.
        sampled: The sources of the parts' maps, in their order.
        parts: By part; indexed ``[sampled source, target]``. Deltas are those of the mean loss over
            all examples, so norms are a part's share of it.
    """

    whole: GradientMap
    sampled: tuple[int, ...] = ()
    parts: tuple[GradientMap, ...] = ()


def gradient_map(chunks: Iterable[GradientFactors], n_directions: int | None = None) -> GradientMap:
    """The map of all ``G_ij``; how the examples are split into chunks changes nothing.

    Args:
        chunks: Factors of all examples; gone through once where the map is exact, else twice.
        n_directions: Directions of each node that are kept; None for all, which is exact.

    Raises:
        ValueError: If there is no chunk.
    """
    return parted_map(chunks, n_directions).whole


def parted_map(
    chunks: Iterable[GradientFactors],
    n_directions: int | None = None,
    sampled: Sequence[int] = (),
) -> PartedMap:
    """The map of all ``G_ij``, and that of each part of the examples for some sources.

    Args:
        chunks: Factors of all examples, a part's behind each other; see `gradient_map`.
        n_directions: See there.
        sampled: Sources that each part has a map of; parts are not looked at where there are none.

    Raises:
        ValueError: If there is no chunk.
    """
    cores = Cores(None if n_directions is None else find_bases(chunks, n_directions), sampled)
    parts = []
    width = n_tokens = 0
    for _, group in itertools.groupby(chunks, key=lambda chunk: chunk.part):
        n_before = n_tokens
        for chunk in group:
            cores.add(chunk)
            width = chunk.reads.shape[-1]
            n_tokens += chunk.reads.shape[1:3].numel()
            del chunk  # The next part's first chunk is there before this part's map is made.
        if sampled:
            part = _mapped(cores.part_rows(), cores.part_energies, width, n_tokens - n_before)
            parts.append(part)
        cores.end_part()
    if not width:
        raise ValueError("a map needs the factors of at least one example; got none")
    whole = _mapped(cores.rows(), cores.example_energies, width, n_tokens)
    return PartedMap(whole, tuple(sampled), tuple(parts))


def _mapped(
    rows: Iterable[tuple[Tensor, Tensor]], energies: Tensor, width: int, n_tokens: int
) -> GradientMap:
    values, missed = [], []
    for row, energy in rows:
        values.append(completed(singular_values(row), energy, width, max_rank=n_tokens))
        missed.append(energy)
    return GradientMap(torch.stack(values), energies, torch.stack(missed))


def planned_map(stream: FactorStream, plan: MapPlan) -> PartedMap:
    """The map of a stream of examples and of its parts, by the sizes of ``plan``.

    Factors that are needed twice are kept where they fit, and else computed again.
    """
    stream = dataclasses.replace(stream, batch_size=plan.batch_size)
    if plan.is_exact:
        return parted_map(stream, sampled=plan.sampled)
    chunks = tuple(stream) if plan.keeps_factors else stream
    return parted_map(chunks, plan.n_directions, plan.sampled)


def plan_of(stream: FactorStream, memory_limit: int) -> MapPlan:
    """The sizes that ``memory_limit`` bytes allow for this backbone and these examples."""
    backbone = stream.backbone
    lengths = text_lengths(stream.inputs)
    if lengths is None:
        one = {name: tensor[:1] for name, tensor in stream.inputs.items()}
        with torch.no_grad():
            longest = backbone.graph.run(one).shape[1]
    else:
        longest = int(lengths.max())
    n_sampled = min(N_SAMPLED, backbone.n_nodes) if stream.n_parts > 1 else 0
    return map_plan(
        backbone.n_nodes, backbone.width, stream.n_examples, longest, memory_limit, n_sampled
    )
