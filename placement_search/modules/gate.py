"""The gate of UniPELT (Mao et al. 2022): how much of what a module does, learned from its input.

A state module has one gate for each example, the mean over its tokens, as that paper's adapters
have; a module inside a sub-layer has one for each token and each map, as its LoRA has.
"""

from typing import Self

import torch
from torch import Tensor, nn

from placement_search.modules.contract import (
    ConnectionModule,
    Deployed,
    HiddenLayer,
    InsideModule,
    StateModule,
)


class GatedState(StateModule):
    """A state module's addition times ``g``, the mean over real tokens of ``sigmoid(w·h + b)``.

    Where tokens see only those before them, the mean of a token is over itself and those.

    Args:
        inner: The module.
        width: Channels of the states.
        is_causal: Whether tokens see only those before them.
    """

    def __init__(self, inner: StateModule, width: int, *, is_causal: bool) -> None:
        super().__init__()
        self.inner = inner
        self.gate = nn.Linear(width, 1)
        self._is_causal = is_causal

    def share_with(self, first: Self) -> None:
        """The modules within share, gates do not."""
        self.inner.share_with(first.inner)

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Those of the module within."""
        return _within(self.inner)

    def unaligned(self) -> str:
        """As what is within."""
        return self.inner.unaligned()

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`."""
        added: Tensor = self.strength(states, mask) * self.inner(states, mask)
        return added

    def deployed(self) -> Deployed | None:
        """What is within as it is deployed, behind the same gate."""
        made = self.inner.deployed()
        if made is None:
            return None
        weights = {f"inner.{name}": tensor for name, tensor in made.weights.items()}
        weights |= {f"gate.{name}": tensor for name, tensor in self.gate.state_dict().items()}
        return Deployed(made.type, {**made.settings, "gate": True}, weights)

    def undeployed(self) -> str:
        """As what is within."""
        return self.inner.undeployed()

    def strength(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """The gate's value.

        Args:
            states: Shape ``(batch, tokens, width)``.
            mask: Which tokens are real, shape ``(batch, tokens)``; None where all are.

        Returns:
            Within 0 and 1, of shape ``(batch, 1, 1)``, or ``(batch, tokens, 1)`` where causal; 0
            before the first real token.
        """
        opened = torch.sigmoid(self.gate(states))
        if states.ndim == 1:
            return opened
        is_real = torch.ones_like(opened) if mask is None else mask.unsqueeze(-1).to(opened.dtype)
        opened = torch.where(is_real > 0, opened, 0.0)
        if self._is_causal:
            return opened.cumsum(-2) / is_real.cumsum(-2).clamp(min=1)
        return opened.sum(-2, keepdim=True) / is_real.sum(-2, keepdim=True).clamp(min=1)


class GatedInside(InsideModule):
    """What a module changes inside a sub-layer times ``sigmoid(w·x + b)``, for each token.

    Args:
        inner: The module.
        widths: Channels of what flows to each of its paths and reads, in their order.
    """

    def __init__(self, inner: InsideModule, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.inner = inner
        self.paths, self.reads = inner.paths, inner.reads
        self.gates = nn.ModuleList(nn.Linear(width, 1) for width in widths)

    def share_with(self, first: Self) -> None:
        """The modules within share, gates do not."""
        self.inner.share_with(first.inner)

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Those of the module within."""
        return _within(self.inner)

    def unaligned(self) -> str:
        """As what is within."""
        return self.inner.unaligned()

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """See `InsideModule`."""
        change = self.inner.changed(path, given, output) - output
        return output + self._opened(path, given) * change

    def reread(self, path: str, given: Tensor) -> Tensor:
        """See `InsideModule`."""
        return given + self._opened(path, given) * (self.inner.reread(path, given) - given)

    def _opened(self, path: str, given: Tensor) -> Tensor:
        gate = self.gates[[*self.paths, *self.reads].index(path)]
        return torch.sigmoid(gate(given))


def _within(inner: ConnectionModule) -> tuple[HiddenLayer, ...]:
    """A module's hidden layers by the names that they have in its gate."""
    return tuple(
        tuple(units._replace(name=f"inner.{units.name}") for units in layer)
        for layer in inner.hidden_layers()
    )
