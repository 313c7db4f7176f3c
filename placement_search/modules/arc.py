"""``arc``: ``(f(h)(W ⊙ λ))Wᵀ + b``, Dong et al. (2023, arXiv 2310.06234).

One projection ``W`` is shared by all connections of a layout that have the same settings, and goes
back up as its own transpose; a connection of its own has ``λ``, one factor per column of ``W``, and
``b``. The authors have one projection for attention and one for MLPs (DavidYanAnDe/ARC): here two
values of ``group``.

They change what a sub-layer reads after the backbone's LayerNorm and not the residual stream, as
`arc_inside` does; here any two states can be connected, and nothing can be folded, since what is
added to a state flows on beside the maps that read it. With ``norm`` it is no longer linear. Their
``λ`` starts at zero before attention and at random before MLPs, here at zero; ``W`` starts as
theirs (Xavier).
"""

from typing import Self

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

from placement_search.module_type import ModuleType, Setting, Settings
from placement_search.modules.contract import ConnectionModule, StateModule
from placement_search.places import Place


def _count(settings: Settings, place: Place) -> int:
    """The factors, the bias, and the norm's two vectors."""
    return int(settings["rank"]) + (1 + 2 * bool(settings["norm"])) * place.width


def _count_shared(settings: Settings, width: int) -> int:
    """The projection."""
    return width * int(settings["rank"])


TYPE = ModuleType(
    name="arc",
    settings={
        "rank": Setting(50, "columns of the shared projection", minimum=1, is_always_written=True),
        "group": Setting(0, "tells projections apart that modules alike would share", minimum=0),
        "norm": Setting(default=False, doc="a trainable LayerNorm before the projection"),
    },
    count=_count,
    count_shared=_count_shared,
)


class SharedProjection(ConnectionModule):
    """The parameters of both forms of ARC.

    Attributes:
        projection: ``W``, shape ``(width, rank)``; of all connections that share it.
        factors: ``λ``, shape ``(rank,)``; zero at the start.
        bias: ``b``, shape ``(width,)``; zero at the start.
    """

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.projection = nn.Parameter(nn.init.xavier_uniform_(torch.empty(width, rank)))
        self.factors = nn.Parameter(torch.zeros(rank))
        self.bias = nn.Parameter(torch.zeros(width))

    def share_with(self, first: Self) -> None:
        """Use the projection of ``first``."""
        self.projection = first.projection

    def unaligned(self) -> str:
        """The columns of the projection are units of all connections that share it."""
        return "other connections may share its projection"


class Arc(SharedProjection, StateModule):
    """What a rescaled shared projection adds: zero at the start since ``λ`` and ``b`` are.

    Args:
        settings: Complete settings of `TYPE`.
        place: Where it lies; its width alone matters.
    """

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__(place.width, int(settings["rank"]))
        self.norm = nn.LayerNorm(place.width) if settings["norm"] else nn.Identity()

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`; each token is read by itself, so padding does not matter."""
        del mask
        scaled = (self.norm(states) @ self.projection) * self.factors
        return linear(scaled, self.projection, self.bias)
