"""``adapter_bias``: ``a(x) · v`` on the output of an MLP (Fu et al. 2022).

``x`` is what the MLP's last map reads, ``a`` a linear map from it to one number for each token, and
``v`` a vector, as in the authors' code (Allen0307/AdapterBias): one for each layer, nothing shared.
"""

import torch
from torch import Tensor, nn

from placement_search.module_type import ModuleType, Settings
from placement_search.modules.contract import InsideModule
from placement_search.places import Place

KIND = "MLP"


def _count(settings: Settings, place: Place) -> int:
    """``a`` with its bias, and ``v``."""
    del settings
    if place.sublayer is None or not place.sublayer.linears:
        return 0
    last = place.sublayer.linears[-1]
    return last.n_in + 1 + last.n_out


def _misfit(settings: Settings, place: Place) -> str:
    del settings
    sublayer = place.sublayer
    if sublayer is None:
        return "has to go around one MLP sub-layer, from a node to the next"
    if sublayer.kind != KIND:
        which = "one fused block" if sublayer.kind == "whole" else f"the {sublayer.kind} sub-layer"
        return (
            f"shifts the output of an MLP alone, and goes around {which} (block {sublayer.block})"
        )
    return "" if sublayer.linears else f"finds no linear map in the MLP of block {sublayer.block}"


TYPE = ModuleType(name="adapter_bias", settings={}, count=_count, misfit=_misfit, is_inside=True)


class AdapterBias(InsideModule):
    """A shift along one direction, by as much as each token asks for.

    Args:
        settings: Complete settings of `TYPE`.
        place: Around an MLP sub-layer.

    Attributes:
        paths: The MLP's last map.
        amount: ``a``, from what that map reads to one number.
        direction: ``v``, shape ``(n_out,)``; zero at the start.
    """

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__()
        del settings
        if place.sublayer is None:
            raise ValueError("an AdapterBias goes around a sub-layer")
        last = place.sublayer.linears[-1]
        self.paths = (last.path,)
        self.amount = nn.Linear(last.n_in, 1)
        self.direction = nn.Parameter(torch.zeros(last.n_out))

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """See `InsideModule`; each token is shifted by itself."""
        del path
        added: Tensor = self.amount(given) * self.direction
        return output + added
