"""The masks of SparseAdapter (He et al. 2022): most weights of a module are left out beforehand.

The entries of a module's matrices compete by a score, before training; those that are kept are
trained, the others stay zero and are no parameters. Biases, norms, and what a module shares with
others are always kept. The paper prunes over all adapters together; here each module keeps its own
share, so that what a layout costs does not depend on scores. Its authors' flag ``sparsity`` is the
share that is kept, too.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Self

import torch
from torch import Tensor, nn

from placement_search.modules.contract import (
    ConnectionModule,
    InsideModule,
    LowRank,
    StateModule,
)

RANDOM, MAGNITUDE, SNIP = "random", "magnitude", "snip"
RULES = (RANDOM, MAGNITUDE, SNIP)
"""Drawn scores; ``|w|``; ``|w · gradient|`` (Lee et al. 2019)."""
USUAL_SPREAD = 0.02
"""Standard deviation of a drawn matrix where no other one of the module says what is usual."""
SMALL = 0.01
"""Of the usual spread, for `SNIP`: at zero its score of every entry would be zero."""

_UNALIGNED = "its mask keeps other entries of each unit"


class KeptEntries(nn.Module):
    """The kept entries of a module's matrices in one vector, and where they stand.

    The matrices are taken out of the module, and lie in it within `in_place` alone. By `SNIP` the
    entries are those of `MAGNITUDE` until `settle_masks` has seen gradients.

    Args:
        inner: The module, as it was drawn.
        names: Of its parameters that are masked.
        n_kept: How many of their entries are kept.
        rule: One of `RULES`.
    """

    def __init__(self, inner: nn.Module, names: Sequence[str], n_kept: int, rule: str) -> None:
        super().__init__()
        self._slots = []
        start = torch.cat([inner.get_parameter(name).detach().flatten() for name in names])
        for name in names:
            owner, _, last = name.rpartition(".")
            self._slots.append((inner.get_submodule(owner), last, inner.get_parameter(name).shape))
            delattr(*self._slots[-1][:2])
        self.kept = nn.Parameter(start.new_zeros(n_kept))
        self.mask: Tensor
        self.register_buffer("mask", torch.zeros(len(start), dtype=torch.bool))
        self._start: Tensor | None = start
        self._stand_in: Tensor | None = None
        self._keep(torch.rand(len(start)) if rule == RANDOM else self.drawn().abs())
        if rule != SNIP:
            self._start = None
        self.register_load_state_dict_post_hook(_settled)  # type: ignore[no-untyped-call]

    @property
    def is_waiting(self) -> bool:
        """Whether gradients are still to say which entries are kept."""
        return self._start is not None

    def settled(self) -> None:
        """Keep the entries that are kept now for good."""
        self._start = None

    def settle(self, scores: Tensor) -> None:
        """Keep the entries of the highest scores for good, with the values that they were drawn.

        Args:
            scores: Of all entries, shape ``(n_entries,)``; ties go to earlier entries.
        """
        self._keep(scores)
        self.settled()

    def drawn(self, share: float = 1.0) -> Tensor:
        """All entries as they were drawn, those of matrices that are zero drawn now.

        Args:
            share: Their standard deviation, as a factor of that of the other matrices.

        Returns:
            Shape ``(n_entries,)``.

        Raises:
            ValueError: If the entries are settled.
        """
        if self._start is None:
            raise ValueError("which entries are kept is settled, the others are forgotten")
        others = self._start[self._start != 0]
        spread = others.std(correction=0).item() if len(others) else USUAL_SPREAD
        return self._filled(self._start, share * spread)

    @torch.no_grad()
    def fill_zeros(self, spread: float, generator: torch.Generator) -> None:
        """Draw the kept entries of matrices that are zero, with this standard deviation."""
        self.kept.copy_(self._filled(self.dense(), spread, generator)[self.mask])

    def dense(self) -> Tensor:
        """All entries as they are now, shape ``(n_entries,)``."""
        if self._stand_in is not None:
            return self._stand_in
        zeros = self.kept.new_zeros(self.mask.shape)
        return zeros.masked_scatter(self.mask, self.kept)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Put the matrices where the module looks for them."""
        parts = self.dense().split(self._sizes)
        for (owner, name, shape), part in zip(self._slots, parts, strict=True):
            setattr(owner, name, part.view(shape))
        try:
            yield
        finally:
            for owner, name, _ in self._slots:
                delattr(owner, name)

    @contextmanager
    def standing_in(self, entries: Tensor) -> Iterator[None]:
        """Let other entries take the place of all of them."""
        self._stand_in = entries
        try:
            yield
        finally:
            self._stand_in = None

    @property
    def _sizes(self) -> list[int]:
        return [shape.numel() for _, _, shape in self._slots]

    def _filled(
        self, entries: Tensor, spread: float, generator: torch.Generator | None = None
    ) -> Tensor:
        parts = [
            part if part.any() else spread * torch.randn(len(part), generator=generator).to(part)
            for part in entries.split(self._sizes)
        ]
        return torch.cat(parts)

    def _keep(self, scores: Tensor) -> None:
        best = scores.cpu().argsort(descending=True, stable=True)[: len(self.kept)]
        mask = torch.zeros(self.mask.shape, dtype=torch.bool)
        mask[best] = True
        with torch.no_grad():
            self.mask.copy_(mask)
            if self._start is not None:
                self.kept.copy_(self._start[mask])


def _settled(module: nn.Module, _: object) -> None:
    """Loaded entries are settled."""
    if isinstance(module, KeptEntries):
        module.settled()


class MaskedState(StateModule):
    """A state module of which some entries are kept.

    Args:
        inner: The module.
        entries: What of it is kept.
    """

    def __init__(self, inner: StateModule, entries: KeptEntries) -> None:
        super().__init__()
        self.inner = inner
        self.entries = entries

    def share_with(self, first: Self) -> None:
        """What is shared is not masked."""
        self.inner.share_with(first.inner)

    def unaligned(self) -> str:
        """Units could trade places only where they keep the same entries."""
        return _UNALIGNED

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`."""
        with self.entries.in_place():
            added: Tensor = self.inner(states, mask)
        return added

    def undeployed(self) -> str:
        """Each copy keeps entries of its own, and their mean would keep those of all."""
        with self.entries.in_place():
            has_copies = self.inner.deployed() is not None
        return "its mask keeps other entries in each copy" if has_copies else ""


class MaskedInside(InsideModule):
    """A module inside a sub-layer of which some entries are kept.

    Args:
        inner: The module.
        entries: What of it is kept.
    """

    def __init__(self, inner: InsideModule, entries: KeptEntries) -> None:
        super().__init__()
        self.inner = inner
        self.entries = entries
        self.paths, self.reads = inner.paths, inner.reads

    def share_with(self, first: Self) -> None:
        """What is shared is not masked."""
        self.inner.share_with(first.inner)

    def unaligned(self) -> str:
        """Units could trade places only where they keep the same entries."""
        return _UNALIGNED

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """See `InsideModule`."""
        with self.entries.in_place():
            return self.inner.changed(path, given, output)

    def reread(self, path: str, given: Tensor) -> Tensor:
        """See `InsideModule`."""
        with self.entries.in_place():
            return self.inner.reread(path, given)

    def folded(
        self, path: str, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor | None] | None:
        """As what is within, the entries that are left out being zeros."""
        with self.entries.in_place():
            return self.inner.folded(path, weight, bias)

    def low_rank(self, path: str) -> LowRank | None:
        """As what is within, the entries that are left out being zeros."""
        with self.entries.in_place():
            return self.inner.low_rank(path)


def masked(
    inner: ConnectionModule, names: Sequence[str], n_kept: int, rule: str
) -> ConnectionModule:
    """A module of which some entries are kept; see `KeptEntries`.

    Raises:
        TypeError: If it is neither a state module nor one inside a sub-layer.
    """
    entries = KeptEntries(inner, names, n_kept, rule)
    if isinstance(inner, StateModule):
        return MaskedState(inner, entries)
    if isinstance(inner, InsideModule):
        return MaskedInside(inner, entries)
    raise TypeError(f"{type(inner).__name__} is no module of a connection")


def settle_masks(model: nn.Module, loss: Callable[[], Tensor], seed: int) -> None:
    """Choose what is kept by `SNIP`, wherever a model waits for it; else nothing happens.

    The score of an entry is ``|w · dL/dw|``, all masks at once. Matrices that are zero at the start
    are drawn small for it: beside a zero matrix all scores are 0.

    Args:
        model: Freshly built.
        loss: The model's training loss on a batch.
        seed: Fixes what is drawn; the global random state stays as it was.
    """
    waiting = [m for m in model.modules() if isinstance(m, KeptEntries) and m.is_waiting]
    if not waiting:
        return
    was_training = model.training
    with torch.random.fork_rng(devices=[]), ExitStack() as stack:
        torch.default_generator.manual_seed(seed)
        tried = [each.drawn(SMALL).to(each.kept.device).requires_grad_() for each in waiting]
        for each, entries in zip(waiting, tried, strict=True):
            stack.enter_context(each.standing_in(entries))
        model.eval()
        stack.callback(model.train, was_training)
        with torch.enable_grad():
            gradients = torch.autograd.grad(loss(), tried)
    for each, entries, gradient in zip(waiting, tried, gradients, strict=True):
        each.settle((entries.detach() * gradient).abs())
