"""The gradients of all n² connections, as what proxies need of them.

``factors.py`` gives the two thin factors of every gradient, ``plan.py`` says how much of them
memory allows, ``bases.py`` finds the directions that matter where that is not all, ``cores.py``
sums the gradients in these directions, and ``spectra.py`` takes their singular values. No gradient
of a wide model is ever formed.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from placement_search.adapted.batches import text_lengths
from placement_search.proxies.bases import find_bases
from placement_search.proxies.cores import Cores
from placement_search.proxies.factors import FactorStream, GradientFactors
from placement_search.proxies.plan import MapPlan, map_plan
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


def gradient_map(chunks: Iterable[GradientFactors], n_directions: int | None = None) -> GradientMap:
    """The map of all ``G_ij``; how the examples are split into chunks changes nothing.

    Args:
        chunks: Factors of all examples; gone through once where the map is exact, else twice.
        n_directions: Directions of each node that are kept; None for all, which is exact.

    Raises:
        ValueError: If there is no chunk.
    """
    bases = None if n_directions is None else find_bases(chunks, n_directions)
    cores = Cores(bases)
    width = n_tokens = 0
    for chunk in chunks:
        cores.add(chunk)
        width = chunk.reads.shape[-1]
        n_tokens += chunk.reads.shape[1:3].numel()
    if not width:
        raise ValueError("a map needs the factors of at least one example; got none")
    values, missed = [], []
    for row, energies in cores.rows():
        values.append(completed(singular_values(row), energies, width, max_rank=n_tokens))
        missed.append(energies)
    return GradientMap(torch.stack(values), cores.example_energies, torch.stack(missed))


def planned_map(stream: FactorStream, plan: MapPlan) -> GradientMap:
    """The map of a stream of examples, by the sizes of ``plan``.

    Factors that are needed twice are kept where they fit, and else computed again.
    """
    stream = dataclasses.replace(stream, batch_size=plan.batch_size)
    if plan.is_exact:
        return gradient_map(stream)
    return gradient_map(tuple(stream) if plan.keeps_factors else stream, plan.n_directions)


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
    return map_plan(backbone.n_nodes, backbone.width, stream.n_examples, longest, memory_limit)
