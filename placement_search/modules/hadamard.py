"""``hadamard``: ``w ⊙ a + b`` on the output ``a`` of self-attention (Chen et al. 2023).

The paper's summaries leave open whether ``a`` is taken before or after the output map; here it is
after it, and either way folds into that map. The norm that follows is unfrozen, as in the paper: a
factor and a shift after the frozen norm, ``a ⊙ norm(x) + c``, are the functions that its own weight
and bias can be trained to, and where it has no bias the shift comes on top.

The paper trains in two stages, first the classifier alone, then adapter and norm. Every evaluation
here starts from a probed head, which is that first stage.
"""

import torch
from torch import Tensor, nn

from placement_search.module_type import ModuleType, Setting, Settings
from placement_search.modules.contract import InsideModule
from placement_search.places import Place

KIND = "attention"


def _count(settings: Settings, place: Place) -> int:
    """Factor and shift of the output, and of the norm."""
    return (2 + 2 * bool(settings["norm"])) * place.width


def _misfit(settings: Settings, place: Place) -> str:
    sublayer = place.sublayer
    if sublayer is None:
        return "has to go around one attention sub-layer, from a node to the next"
    if sublayer.kind != KIND:
        which = "one fused block" if sublayer.kind == "whole" else f"the {sublayer.kind} sub-layer"
        return (
            f"scales the output of attention alone, and goes around {which} (block "
            f"{sublayer.block})"
        )
    if not sublayer.linears:
        return f"finds no output map in the attention of block {sublayer.block}"
    if settings["norm"] and sublayer.norm is None:
        return (
            f"finds no norm behind the attention of block {sublayer.block} in that block; "
            "say norm=false"
        )
    return ""


TYPE = ModuleType(
    name="hadamard",
    settings={
        "norm": Setting(default=True, doc="whether the norm that follows is trained as well"),
    },
    count=_count,
    misfit=_misfit,
    is_inside=True,
)


class Hadamard(InsideModule):
    """A factor and a shift per channel, which change nothing at the start.

    Args:
        settings: Complete settings of `TYPE`.
        place: Around an attention sub-layer.

    Attributes:
        paths: The attention's last map, then the norm where it is trained.
        factors: Of each of them, shape ``(width,)``; one at the start.
        shifts: The same; zero at the start.
    """

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__()
        if place.sublayer is None:
            raise ValueError("a Hadamard adapter goes around a sub-layer")
        paths = [place.sublayer.linears[-1].path]
        if settings["norm"] and place.sublayer.norm is not None:
            paths.append(place.sublayer.norm)
        self.paths = tuple(paths)
        self.factors = nn.ParameterList(torch.ones(place.width) for _ in paths)
        self.shifts = nn.ParameterList(torch.zeros(place.width) for _ in paths)

    def changed(self, path: str, given: Tensor, output: Tensor) -> Tensor:
        """See `InsideModule`; each token is scaled by itself."""
        del given
        index = self.paths.index(path)
        scaled: Tensor = output * self.factors[index] + self.shifts[index]
        return scaled

    def folded(self, path: str, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Tensor]:
        """See `InsideModule`: ``W' = diag(w) W`` and ``b' = w ⊙ b + shift``, of norms as well."""
        index = self.paths.index(path)
        factor, shift = self.factors[index].to(weight), self.shifts[index].to(weight)
        scaled = factor.unsqueeze(-1) * weight if weight.dim() == 2 else factor * weight
        return scaled, shift if bias is None else factor * bias + shift
