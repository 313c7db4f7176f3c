"""What a module of a connection is: one that adds to a state, or one that works in a sub-layer."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Self

from torch import Tensor, nn

from placement_search.module_type import Settings


class Units(NamedTuple):
    """Where a parameter has the units of a hidden layer.

    Args:
        name: The parameter's.
        axis: Along which they lie.
        part: Of ``n_parts`` equal parts of its first axis the one that has them.
        n_parts: 1 where the whole parameter has them.
    """

    name: str
    axis: int
    part: int = 0
    n_parts: int = 1


HiddenLayer = tuple[Units, ...]
"""Every place of its units; they may trade places there together."""


class Deployed(NamedTuple):
    """A trained module as it is shipped.

    Args:
        type: Name of its module type.
        settings: Of that type, as far as they differ from its defaults.
        weights: The state of a module of that type with those settings.
    """

    type: str
    settings: Settings
    weights: Mapping[str, Tensor]


class ConnectionModule(nn.Module):
    """The trainable function of a connection.

    Attributes:
        is_random: Whether two passes over the same states may differ in training mode. What it
            draws then comes from a generator of its own, so that its company changes nothing.
    """

    is_random: bool = False

    def drawn(self, n_examples: int) -> "ConnectionModule":
        """What it is for one run of its model, in both passes of a recurrent layout.

        By default itself; else a module of its own sort, around the same parameters, with what it
        draws for each example.

        Args:
            n_examples: That the run sees.
        """
        del n_examples
        return self

    def reseed(self, seed: int) -> None:
        """Begin anew what is drawn, for another training; by default nothing is drawn."""
        del seed

    def share_with(self, first: Self) -> None:
        """Take over from ``first`` the parameters that both have in common; by default none.

        Args:
            first: The first module of the layout with the same type and settings.
        """

    def deployed(self) -> Deployed | None:
        """What it becomes when its training is over; None where it stays what it is."""
        return None

    def undeployed(self) -> str:
        """Why copies that it holds stay copies when it is deployed; empty where none do."""
        return ""

    def hidden_layers(self) -> Sequence[HiddenLayer]:
        """Layers whose units may trade places without a change of what it computes.

        Merging aligns the units of two modules by them; by default none, and parameters are
        averaged as they stand. What a layout's modules share belongs to no layer of one of them.
        Copies that `deployed` averages have one order, so that their mean is aligned too.
        """
        return ()

    def unaligned(self) -> str:
        """Why it has no hidden layers; read where it says none."""
        return "it has no hidden units"


def is_random(model: nn.Module) -> bool:
    """Whether two passes of a model in training mode may differ by what its modules draw."""
    return any(isinstance(each, ConnectionModule) and each.is_random for each in model.modules())


class StateModule(ConnectionModule):
    """What a connection adds to its target, made of the state at its source."""

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """What is added.

        Args:
            states: Shape ``(batch, tokens, width)``, in float32 or wider.
            mask: Which tokens are real, shape ``(batch, tokens)``; None where all are. What is
                added to a real token does not depend on the others.

        Returns:
            The shape of ``states``.
        """
        raise NotImplementedError


class LowRank(NamedTuple):
    """A change ``(alpha / rank) · B A x`` of what a linear map gives, with ``x`` what it reads.

    Args:
        down: ``A``, shape ``(rank, n_in)``.
        up: ``B``, shape ``(n_out, rank)``.
        alpha: See the formula.
    """

    down: Tensor
    up: Tensor
    alpha: float


class InsideModule(ConnectionModule):
    """What a connection changes inside the sub-layer that it goes around.

    Attributes:
        paths: Of the modules, inside the block, whose outputs it changes.
        reads: Of the linear maps, inside the block, for which it changes what they read.
    """

    paths: Sequence[str] = ()
    reads: Sequence[str] = ()

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """A module's output as it flows on; as it is, if its path is none of ``paths``.

        Args:
            path: The module's.
            given: What it read, shape ``(batch, tokens, n_in)``, in float32 or wider.
            output: What it gave, shape ``(batch, tokens, n_out)``, in float32 or wider.

        Returns:
            The shape of ``output``.
        """
        del path, given
        return output

    def reread(self, path: str, given: Tensor) -> Tensor:
        """What a linear map reads in place of ``given``; that, if its path is none of ``reads``.

        Args:
            path: The map's.
            given: What flows to it, shape ``(batch, tokens, n_in)``, in float32 or wider.

        Returns:
            The shape of ``given``.
        """
        del path
        return given

    def folded(
        self, path: str, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor | None] | None:
        """Weight and bias with which the module at ``path`` itself would give what flows on now.

        Args:
            path: One of ``paths`` or ``reads``.
            weight: Of the module: ``(n_out, n_in)`` of a linear map, ``(width,)`` of a norm.
            bias: Of the module, shape ``(n_out,)``; None where it has none.

        Returns:
            None, as by default, where no weights would give it.
        """
        del path, weight, bias
        return None

    def low_rank(self, path: str) -> LowRank | None:
        """The change at ``path`` as a low-rank update; None, as by default, if it is none."""
        del path
        return None
