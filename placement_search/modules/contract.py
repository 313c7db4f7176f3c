"""What a module of a connection is: one that adds to a state, or one that works in a sub-layer."""

from collections.abc import Sequence
from typing import Self

from torch import Tensor, nn

HiddenLayer = tuple[tuple[str, int], ...]
"""Every parameter, by name, that has the layer's units along an axis, and which axis."""


class ConnectionModule(nn.Module):
    """The trainable function of a connection."""

    def share_with(self, first: Self) -> None:
        """Take over from ``first`` the parameters that both have in common; by default none.

        Args:
            first: The first module of the layout with the same type and settings.
        """

    def hidden_layers(self) -> Sequence[HiddenLayer]:
        """Layers whose units may trade places without a change of what it computes.

        Merging aligns the units of two modules by them; by default none, and parameters are
        averaged as they stand. What a layout's modules share belongs to no layer of one of them.
        """
        return ()


class StateModule(ConnectionModule):
    """What a connection adds to its target, made of the state at its source."""

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """What is added.

        Args:
            states: Shape ``(batch, tokens, width)``, in float32 or wider.
            mask: Which tokens are real, shape ``(batch, tokens)``; None where all are.

        Returns:
            The shape of ``states``.
        """
        raise NotImplementedError


class InsideModule(ConnectionModule):
    """What a connection changes inside the sub-layer that it goes around.

    Attributes:
        paths: Of the modules, inside the block, whose outputs it changes.
    """

    paths: Sequence[str]

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """A module's output as it flows on.

        Args:
            path: The module's, one of ``paths``.
            given: What it read, shape ``(batch, tokens, n_in)``, in float32 or wider.
            output: What it gave, shape ``(batch, tokens, n_out)``, in float32 or wider.

        Returns:
            The shape of ``output``.
        """
        raise NotImplementedError
