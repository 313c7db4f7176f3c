"""The gradients of all connections in a few directions of each node, summed batch by batch."""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from placement_search.proxies.bases import Bases, gaussian
from placement_search.proxies.factors import GradientFactors
from placement_search.proxies.plan import N_PROBES
from placement_search.proxies.precision import doubled, sum_dtype
from placement_search.proxies.sums import parted_sums

_SEED = 1
"""Of the probes; bases must not know it."""
_GRAM_BYTES = 64 * 1024**2
"""Memory for Gram matrices of some examples' tokens."""


class Cores:
    """Sums over examples from which maps are made, of bounded size.

    Args:
        bases: Directions that are kept; None for all.
        sampled: Sources whose connections have sums over each part of the examples, too.
    """

    def __init__(self, bases: Bases | None, sampled: Sequence[int] = ()) -> None:
        self._bases = bases
        self._sampled = tuple(sampled)
        self._n_examples = 0
        self._cores = self._probed = self._energies = parted_sums(torch.empty(0), ())
        self._probes = torch.empty(0)

    def add(self, chunk: GradientFactors) -> None:
        """Add the examples of ``chunk`` to the open part."""
        if not self._n_examples:
            self._start(chunk)
        reads, deltas = chunk.reads.flatten(1, 2), chunk.deltas.flatten(1, 2)
        self._add_cores(reads, deltas)
        if self._bases is not None:
            probed = torch.cat([d @ self._probes for d in deltas], 1)
            _add_products(self._probed.open, reads, probed)
        _add_energies(self._energies.open, chunk)
        self._n_examples += chunk.reads.shape[1]

    def end_part(self) -> None:
        """End the open part; what is added next belongs to another one."""
        for sums in (self._cores, self._probed, self._energies):
            sums.close()

    def rows(self) -> Iterable[tuple[Tensor, Tensor]]:
        """By source: gradients in the kept directions, and the energy that those miss.

        Over all parts that have ended.

        Yields:
            Shapes ``(n_nodes, n_directions, n_directions)`` and ``(n_nodes,)``, in double.
        """
        rows = zip(self._cores.whole, self._probed.whole, strict=True)
        for source, (row, probed) in enumerate(rows):
            yield _by_target(row), self._missed(source, row, probed)

    def part_rows(self) -> Iterable[tuple[Tensor, Tensor]]:
        """The same over the open part, by sampled source."""
        rows = zip(self._sampled, self._cores.part, self._probed.part, strict=True)
        for source, row, probed in rows:
            yield _by_target(row), self._missed(source, row, probed)

    @property
    def example_energies(self) -> Tensor:
        """Mean over examples of the squared norm of their own gradient, ``(n_nodes, n_nodes)``.

        Over all parts that have ended. Deltas are those of the mean loss over all examples, an
        n-th of each example's own.
        """
        return doubled(self._energies.whole) * self._n_examples

    @property
    def part_energies(self) -> Tensor:
        """What the open part adds to that, for sampled sources; ``(n_sampled, n_nodes)``.

        An n-th of it for n examples, in which parts, that are compared by rank, are alike.
        """
        return doubled(self._energies.part).clone()

    def _start(self, chunk: GradientFactors) -> None:
        n_nodes, *_, width = chunk.reads.shape
        kept = width if self._bases is None else self._bases.reads.shape[-1]
        sampled, new_zeros = self._sampled, chunk.reads.new_zeros
        self._cores = parted_sums(new_zeros((n_nodes, kept, n_nodes * kept)), sampled)
        dtype = sum_dtype(chunk.reads.device)
        self._energies = parted_sums(new_zeros((n_nodes, n_nodes), dtype=dtype), sampled)
        height = 0 if self._bases is None else width
        self._probed = parted_sums(new_zeros((n_nodes, height, n_nodes * N_PROBES)), sampled)
        if self._bases is not None:
            self._probes = gaussian((width, N_PROBES), chunk.reads, _SEED)

    def _add_cores(self, reads: Tensor, deltas: Tensor) -> None:
        n_nodes, n_tokens, _ = deltas.shape
        projected = deltas.new_empty((n_tokens, n_nodes, self._cores.whole.shape[1]))
        if self._bases is None:
            projected.copy_(deltas.transpose(0, 1))
            _add_products(self._cores.open, reads, projected.flatten(1))
            return
        for node, basis in enumerate(self._bases.deltas):
            projected[:, node] = deltas[node] @ basis
        sources = (read @ basis for read, basis in zip(reads, self._bases.reads, strict=True))
        _add_products(self._cores.open, sources, projected.flatten(1))

    def _missed(self, source: int, row: Tensor, probed: Tensor) -> Tensor:
        """``E‖R ω‖² = ‖R‖²`` for standard normal ``ω`` and ``R`` what the kept directions miss."""
        n_directions, n_nodes = len(row), len(self._cores.whole)
        if self._bases is None:
            return doubled(row.new_zeros(n_nodes))
        kept = self._bases.deltas.mT @ self._probes
        cores = row.view(n_directions, n_nodes, n_directions).transpose(0, 1)
        caught = self._bases.reads[source] @ (cores @ kept).transpose(0, 1).flatten(1)
        missed = doubled(probed - caught).view(-1, n_nodes, N_PROBES)
        return missed.square().sum((0, 2)) / N_PROBES


def _by_target(row: Tensor) -> Tensor:
    """One source's gradients in double, shape ``(n_nodes, n_directions, n_directions)``."""
    return doubled(row).view(len(row), -1, len(row)).transpose(0, 1)


def _add_products(totals: Iterable[Tensor], sources: Iterable[Tensor], targets: Tensor) -> None:
    """Add ``sourceᵀ targets`` for each source, without copies of the totals."""
    for total, source in zip(totals, sources, strict=True):
        total.addmm_(source.T, targets)


def _add_energies(totals: Sequence[Tensor], chunk: GradientFactors) -> None:
    """``‖Σ_t f(h_t)ᵀ δ_t‖² = Σ_ts (f_t·f_s)(δ_t·δ_s)``: two Gram matrices, no gradient."""
    n_nodes, _, n_tokens, _ = chunk.reads.shape
    at_once = max(1, _GRAM_BYTES // (2 * 12 * n_nodes * n_tokens**2))
    pairs = zip(chunk.reads.split(at_once, 1), chunk.deltas.split(at_once, 1), strict=True)
    for reads, deltas in pairs:
        grams = [(f @ f.mT).flatten(1).to(totals[0].dtype) for f in (reads, deltas)]
        for total, energies in zip(totals, grams[0] @ grams[1].T, strict=True):
            total.add_(energies)
