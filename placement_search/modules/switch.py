"""The switch of Adaptable Adapters (Moosavi et al. 2022): a learned choice to keep or to drop.

While it is trained, each example draws once in a run how far the module is on, from a
Gumbel-softmax (Jang et al. 2017) of two logits, so that gradients reach them; afterwards the larger
logit decides. It is a wrapper for training and no part of a layout: what is kept is trained again
without it.
"""

from typing import Self

import torch
from torch import Tensor, nn

from placement_search.modules.contract import ConnectionModule, InsideModule, StateModule

TEMPERATURE = 0.1
"""Of the Gumbel-softmax, as the authors' code has it; draws are then nearly 0 or 1."""


class Switch(nn.Module):
    """Two logits, to drop and to keep, equal at the start.

    Args:
        seed: Fixes what is drawn, apart from all other random numbers.
        speed: The logits are the parameters times this; by Adam they learn so much faster.
    """

    def __init__(self, seed: int, speed: float = 1.0) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(2))
        self._speed = speed
        self._generator = torch.Generator().manual_seed(seed)

    @property
    def keep(self) -> float:
        """How probable it is that an example keeps the module; kept for good from one half on."""
        return (self._speed * self.logits.detach()).softmax(-1)[1].item()

    def forward(self, n_examples: int) -> Tensor:
        """How far the module is on for each example, within 0 and 1: ``(n_examples, 1, 1)``."""
        if not self.training:
            return self.logits.new_full((n_examples, 1, 1), float(self.keep >= 0.5))
        waits = torch.empty(n_examples, 2).exponential_(generator=self._generator)
        # The logarithm of an exponential's draw is minus a Gumbel's.
        noise = -waits.clamp(min=torch.finfo(waits.dtype).tiny).log().to(self.logits.device)
        drawn = ((self._speed * self.logits + noise) / TEMPERATURE).softmax(-1)
        return drawn[:, 1].view(-1, 1, 1)


class SwitchedState(StateModule):
    """A state module behind a switch.

    Args:
        inner: The module.
        switch: Its switch.
    """

    def __init__(self, inner: StateModule, switch: Switch) -> None:
        super().__init__()
        self.inner = inner
        self.switch = switch

    def share_with(self, first: Self) -> None:
        """The modules within share, switches do not."""
        self.inner.share_with(first.inner)

    def drawn(self, n_examples: int) -> StateModule:
        """The module as far as it is on for each example; see `ConnectionModule`."""
        return _DrawnState(self.inner, self.switch(n_examples))

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`; draws for this call alone."""
        added: Tensor = self.drawn(len(states))(states, mask)
        return added


class SwitchedInside(InsideModule):
    """A module inside a sub-layer behind a switch, which all its paths share in a run.

    Args:
        inner: The module.
        switch: Its switch.
    """

    def __init__(self, inner: InsideModule, switch: Switch) -> None:
        super().__init__()
        self.inner = inner
        self.switch = switch
        self.paths, self.reads = inner.paths, inner.reads

    def share_with(self, first: Self) -> None:
        """The modules within share, switches do not."""
        self.inner.share_with(first.inner)

    def drawn(self, n_examples: int) -> InsideModule:
        """The module as far as it is on for each example; see `ConnectionModule`."""
        return _DrawnInside(self.inner, self.switch(n_examples))

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """See `InsideModule`; draws for this call alone."""
        return self.drawn(len(given)).changed(path, given, output)

    def reread(self, path: str, given: Tensor) -> Tensor:
        """See `InsideModule`; draws for this call alone."""
        return self.drawn(len(given)).reread(path, given)


class _DrawnState(StateModule):
    """A state module that is ``on`` so far for each example, shape ``(n_examples, 1, 1)``."""

    def __init__(self, inner: StateModule, on: Tensor) -> None:
        super().__init__()
        self.inner = inner
        self._on = on

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        added: Tensor = self._on * self.inner(states, mask)
        return added


class _DrawnInside(InsideModule):
    """The same of a module inside a sub-layer."""

    def __init__(self, inner: InsideModule, on: Tensor) -> None:
        super().__init__()
        self.inner = inner
        self.paths, self.reads = inner.paths, inner.reads
        self._on = on

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        return output + self._by_row(given) * (self.inner.changed(path, given, output) - output)

    def reread(self, path: str, given: Tensor) -> Tensor:
        return given + self._by_row(given) * (self.inner.reread(path, given) - given)

    def _by_row(self, given: Tensor) -> Tensor:
        """How far it is on: for each example, or on average where all of them read one row."""
        return self._on if len(given) == len(self._on) else self._on.mean()


def switched(inner: ConnectionModule, switch: Switch) -> SwitchedState | SwitchedInside:
    """A module behind a switch.

    Raises:
        TypeError: If it is neither a state module nor one inside a sub-layer.
    """
    if isinstance(inner, StateModule):
        return SwitchedState(inner, switch)
    if isinstance(inner, InsideModule):
        return SwitchedInside(inner, switch)
    raise TypeError(f"{type(inner).__name__} is no module of a connection")
