"""``arc_inside``: ``x + (x(W ⊙ λ))Wᵀ + b`` for what a sub-layer's first maps read.

Dong et al. (2023, arXiv 2310.06234), where they have it: behind the backbone's LayerNorm and before
attention or an MLP, while the residual stream flows on as it was. It folds into those maps. What is
shared, what is a connection's own and what starts where is as in `arc`, which adds to states.
"""

from torch import Tensor
from torch.nn.functional import linear

from placement_search.module_type import ModuleType, Setting, Settings
from placement_search.modules.arc import SharedProjection
from placement_search.modules.contract import InsideModule
from placement_search.places import Linear, Place


def first_maps(place: Place) -> tuple[Linear, ...]:
    """The maps of a sub-layer that read what flows into it: to queries, keys, values, say."""
    found = place.sublayer.linears if place.sublayer is not None else ()
    return tuple(each for each in found if each.is_first)


def _count(settings: Settings, place: Place) -> int:
    """The factors and the bias."""
    return int(settings["rank"]) + place.width


def _count_shared(settings: Settings, width: int) -> int:
    """The projection."""
    return width * int(settings["rank"])


def _misfit(settings: Settings, place: Place) -> str:
    del settings
    sublayer = place.sublayer
    if sublayer is None:
        return "has to go around one sub-layer, from a node to the next, whose input it changes"
    if sublayer.kind == "whole":
        return (
            "stands before attention or before an MLP, and goes around one fused block (block "
            f"{sublayer.block})"
        )
    maps = first_maps(place)
    if not maps:
        return f"finds no linear map in the {sublayer.kind} sub-layer of block {sublayer.block}"
    if maps[0].n_in != place.width:
        return (
            f"changes {place.width} channels, and {maps[0].path} of block {sublayer.block} reads "
            f"{maps[0].n_in}"
        )
    return ""


TYPE = ModuleType(
    name="arc_inside",
    settings={
        "rank": Setting(50, "columns of the shared projection", minimum=1, is_always_written=True),
        "group": Setting(0, "tells projections apart that modules alike would share", minimum=0),
    },
    count=_count,
    count_shared=_count_shared,
    misfit=_misfit,
    is_inside=True,
)


class ArcInside(SharedProjection, InsideModule):
    """A rescaled shared projection before a sub-layer's first maps, nothing at the start.

    Args:
        settings: Complete settings of `TYPE`.
        place: Around the sub-layer.

    Attributes:
        reads: The first maps.
    """

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__(place.width, int(settings["rank"]))
        self.reads = tuple(each.path for each in first_maps(place))

    def reread(self, path: str, given: Tensor) -> Tensor:
        """See `InsideModule`; each token is read by itself."""
        del path
        return given + linear((given @ self.projection) * self.factors, self.projection, self.bias)

    def folded(self, path: str, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `InsideModule`: ``V' = V + V W diag(λ) Wᵀ`` and ``c' = c + V b``."""
        del path
        change = (self.projection * self.factors) @ self.projection.T
        shift = weight @ self.bias.to(weight)
        return weight + weight @ change.to(weight), shift if bias is None else bias + shift
