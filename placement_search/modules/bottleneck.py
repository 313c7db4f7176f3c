"""``bottleneck``: ``s · U(act(D(norm(h))))``, the adapter of Houlsby et al. (2019).

The paper on placement (Nowak et al. 2024, Equation 2) uses a low-rank bottleneck too, but leaves
normalisation, activation, scale and initialisation open; here they are settings.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from placement_search.module_type import ModuleType, Setting, Settings
from placement_search.modules.contract import HiddenLayer, StateModule, Units
from placement_search.modules.rational import N_PARAMETERS as N_RATIONAL
from placement_search.modules.rational import Rational
from placement_search.places import Place

ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "identity": nn.Identity,
    "rational": Rational,
}


def _count(settings: Settings, place: Place) -> int:
    """Down, up, their biases, norm, scale, and a learned activation."""
    rank = int(settings["rank"])
    n_vectors = 1 + 2 * bool(settings["norm"]) + bool(settings["scale_per_channel"])
    n_learned = N_RATIONAL if settings["activation"] == "rational" else 0
    return 2 * place.width * rank + rank + n_vectors * place.width + n_learned


TYPE = ModuleType(
    name="bottleneck",
    settings={
        "rank": Setting(
            8, "width of the bottleneck, in channels", minimum=1, is_always_written=True
        ),
        "activation": Setting(
            "gelu",
            "non-linearity between the maps, rational for a learned one",
            choices=(*ACTIVATIONS,),
        ),
        "norm": Setting(default=True, doc="a trainable LayerNorm before the down map"),
        "scale": Setting(1.0, "factor on what is added, or its start when it is learned"),
        "scale_per_channel": Setting(
            default=False, doc="a learned factor per channel in place of one fixed factor"
        ),
    },
    count=_count,
)


class Bottleneck(StateModule):
    """What a bottleneck adds: ``s · U(act(D(norm(h))))``, zero at the start since ``U`` is zero.

    Args:
        settings: Complete settings of `TYPE`.
        place: Where it lies; its width alone matters.
    """

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__()
        width = place.width
        rank = int(settings["rank"])
        self.norm = nn.LayerNorm(width) if settings["norm"] else nn.Identity()
        self.down = nn.Linear(width, rank)
        self.activation = ACTIVATIONS[str(settings["activation"])]()
        self.up = nn.Linear(rank, width)
        scale = torch.tensor(float(settings["scale"]))
        if settings["scale_per_channel"]:
            self.scale: Tensor = nn.Parameter(scale.repeat(width))
        else:
            self.register_buffer("scale", scale, persistent=False)
        nn.init.zeros_(self.up.weight)
        nn.init.zeros_(self.up.bias)

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """The units of the bottleneck: rows of the down map and columns of the up map."""
        return ((Units("down.weight", 0), Units("down.bias", 0), Units("up.weight", 1)),)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`; each token is read by itself, so padding does not matter."""
        del mask
        hidden = self.activation(self.down(self.norm(states)))
        added: Tensor = self.scale * self.up(hidden)
        return added
