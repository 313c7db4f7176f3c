"""``lora``: ``W x + (alpha / rank) · B A x`` for linear maps of a sub-layer (Hu et al. 2021).

Initial values are those of PEFT: ``A`` Kaiming-uniform, ``B`` zero. The map that goes around one
sub-layer changes maps of that sub-layer alone, so a layout of these is what PEFT calls LoRA.
"""

import math
from typing import Final, cast

from torch import Tensor, nn

from placement_search.module_type import ModuleType, Setting, Settings
from placement_search.modules.contract import HiddenLayer, InsideModule, LowRank, Units
from placement_search.places import Linear, Place

QUERY_VALUE: Final = frozenset({
    "q", "q_lin", "q_proj", "query", "query_proj",
    "v", "v_lin", "v_proj", "value", "value_proj",
    "Wqkv", "c_attn", "in_proj", "qkv", "qkv_proj", "query_key_value",
})  # fmt: skip
"""What models call their maps to queries and values; the last ones make keys as well."""


def chosen(settings: Settings, place: Place) -> tuple[Linear, ...]:
    """The linear maps that ``linears`` names, in running order; none where there are none."""
    found = place.sublayer.linears if place.sublayer is not None else ()
    match settings["linears"]:
        case "inputs":
            return found[:-1]
        case "output":
            return found[-1:]
        case "query_value":
            return tuple(linear for linear in found if linear.name in QUERY_VALUE)
    return found


def _count(settings: Settings, place: Place) -> int:
    """``A`` and ``B`` of each map."""
    rank = int(settings["rank"])
    return sum(rank * (linear.n_in + linear.n_out) for linear in chosen(settings, place))


def _misfit(settings: Settings, place: Place) -> str:
    if place.sublayer is None:
        return "has to go around one sub-layer, from a node to the next, whose maps it changes"
    if chosen(settings, place):
        return ""
    names = ", ".join(linear.name for linear in place.sublayer.linears) or "none"
    return (
        f"finds no linear map for linears={settings['linears']} in the {place.sublayer.kind} "
        f"sub-layer of block {place.sublayer.block}, whose maps are: {names}"
    )


TYPE = ModuleType(
    name="lora",
    settings={
        "rank": Setting(8, "width between A and B, in channels", minimum=1, is_always_written=True),
        "alpha": Setting(16.0, "the update is scaled by alpha / rank"),
        "linears": Setting(
            "all",
            "maps of the sub-layer: all, all but the last, the last, those to queries and values",
            choices=("all", "inputs", "output", "query_value"),
        ),
    },
    count=_count,
    misfit=_misfit,
    is_inside=True,
)


class Lora(InsideModule):
    """A low-rank update of linear maps, zero at the start since ``B`` is zero.

    Args:
        settings: Complete settings of `TYPE`.
        place: Around the sub-layer whose maps it changes.

    Attributes:
        paths: The changed maps.
        down: ``A`` of each of them, in their order.
        up: ``B`` of each.
        alpha: The setting.
        scale: ``alpha / rank``.
    """

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__()
        rank = int(settings["rank"])
        linears = chosen(settings, place)
        self.paths = tuple(linear.path for linear in linears)
        self.alpha = float(settings["alpha"])
        self.scale = self.alpha / rank
        self.down = nn.ModuleList(nn.Linear(each.n_in, rank, bias=False) for each in linears)
        self.up = nn.ModuleList(nn.Linear(rank, each.n_out, bias=False) for each in linears)
        for down, up in zip(self.down, self.up, strict=True):
            nn.init.kaiming_uniform_(down.get_parameter("weight"), a=math.sqrt(5))
            nn.init.zeros_(up.get_parameter("weight"))

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """Of each map the directions between A and B."""
        indices = range(len(self.paths))
        return tuple((Units(f"down.{i}.weight", 0), Units(f"up.{i}.weight", 1)) for i in indices)

    def low_rank(self, path: str) -> LowRank:
        """See `InsideModule`."""
        index = self.paths.index(path)
        # In a mask they are tensors and no parameters.
        down, up = (cast("nn.Linear", maps[index]).weight for maps in (self.down, self.up))
        return LowRank(down, up, self.alpha)

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """See `InsideModule`; each token is read by itself."""
        index = self.paths.index(path)
        update: Tensor = self.up[index](self.down[index](given))
        return output + self.scale * update

    def folded(
        self, path: str, weight: Tensor, bias: Tensor | None
    ) -> tuple[Tensor, Tensor | None]:
        """See `InsideModule`: ``W' = W + (alpha / rank) · B A``."""
        down, up, _ = self.low_rank(path)
        return weight + self.scale * (up @ down).to(weight), bias
