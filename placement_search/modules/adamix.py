"""``adamix``: a bottleneck with several copies of its maps, Wang et al. (2022, arXiv 2205.12410).

``U_b(GELU(D_a(norm(h))))``: in training each pass draws one ``a`` of M down maps, and one ``b``
where the up maps are several too, uniformly and independently, for the whole batch (authors' code,
microsoft/AdaMix). Otherwise it computes with the mean of the copies, and it is deployed as the
``bottleneck`` with those means. The authors' runs share one up map. Their class copies one draw of
the down map; in their runs on BERT and RoBERTa transformers then draws every copy anew
(``alike=false``).

They put it on the MLP's output before that is added to the residual stream, without a norm of its
own; here it reads its connection's node, with a norm unless ``norm=false``.
"""

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, linear

from placement_search.module_type import ModuleType, Setting, Settings
from placement_search.modules.contract import Deployed, HiddenLayer, StateModule, Units
from placement_search.places import Place


def _count(settings: Settings, place: Place) -> int:
    """All copies of down and up with their biases, and the norm's two vectors."""
    width, rank, n_downs = place.width, int(settings["rank"]), int(settings["experts"])
    n_ups = 1 if settings["share_up"] else n_downs
    maps = n_downs * (width + 1) * rank + n_ups * (rank + 1) * width
    return maps + 2 * width * bool(settings["norm"])


TYPE = ModuleType(
    name="adamix",
    settings={
        "rank": Setting(
            8, "width of the bottleneck, in channels", minimum=1, is_always_written=True
        ),
        "experts": Setting(4, "copies of the down map, averaged when deployed", minimum=1),
        "share_up": Setting(default=True, doc="one up map, not as many as down maps"),
        "alike": Setting(default=True, doc="copies of the down map begin as one draw"),
        "norm": Setting(default=True, doc="a trainable LayerNorm before the down map"),
    },
    count=_count,
)


_MAP = ("weight", "bias")


class AdaMix(StateModule):
    """What one of several bottlenecks adds; zero at the start since the up maps are.

    Args:
        settings: Complete settings of `TYPE`.
        place: Where it lies; its width alone matters.

    Attributes:
        routes_at_inference: Whether evaluation mode draws copies as training does, to compare with.
    """

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__()
        width, rank, n_downs = place.width, int(settings["rank"]), int(settings["experts"])
        self.norm = nn.LayerNorm(width) if settings["norm"] else nn.Identity()
        self.downs = nn.ModuleList(nn.Linear(width, rank) for _ in range(n_downs))
        if settings["alike"]:
            for copy in self.downs[1:]:
                copy.load_state_dict(self.downs[0].state_dict())
        n_ups = 1 if settings["share_up"] else n_downs
        self.ups = nn.ModuleList(nn.Linear(rank, width) for _ in range(n_ups))
        for parameter in self.ups.parameters():
            nn.init.zeros_(parameter)
        self.is_random = n_downs > 1
        self.routes_at_inference = False
        # Its own, so that no other module's draws change its routes; a seed and not a weight.
        seed = int(torch.randint(2**62, ()))
        self._generator = torch.Generator().manual_seed(seed)

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`; each token is read by itself, so padding does not matter."""
        del mask
        if self.training or self.routes_at_inference:
            return self.routed(states, self._drawn(self.downs), self._drawn(self.ups))
        return self._added(states, _mean(self.downs), _mean(self.ups))

    def reseed(self, seed: int) -> None:
        """See `ConnectionModule`."""
        self._generator.manual_seed(seed)

    def routed(self, states: Tensor, index_down: int, index_up: int) -> Tensor:
        """What one pair of copies adds.

        Args:
            states: Shape ``(batch, tokens, width)``.
            index_down: Of the copy of the down map, from 0.
            index_up: Of the up map; 0 where there is one.

        Returns:
            The shape of ``states``.
        """
        return self._added(states, _mean([self.downs[index_down]]), _mean([self.ups[index_up]]))

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """The units of the bottleneck, in one order in all copies, as any down meets any up."""
        into = (Units(f"downs.{n}.{name}", 0) for n in range(len(self.downs)) for name in _MAP)
        out = (Units(f"ups.{n}.weight", 1) for n in range(len(self.ups)))
        return ((*into, *out),)

    def deployed(self) -> Deployed:
        """The bottleneck of the same rank with the mean of the copies, which adds the same."""
        down, up = _mean(self.downs), _mean(self.ups)
        weights = {f"norm.{name}": tensor for name, tensor in self.norm.state_dict().items()}
        weights |= {"down.weight": down[0], "down.bias": down[1]}
        weights |= {"up.weight": up[0], "up.bias": up[1]}
        settings = {"rank": len(down[1]), "norm": isinstance(self.norm, nn.LayerNorm)}
        return Deployed("bottleneck", settings, {n: t.detach() for n, t in weights.items()})

    def _drawn(self, copies: nn.ModuleList) -> int:
        return int(torch.randint(len(copies), (), generator=self._generator))

    def _added(
        self, states: Tensor, down: tuple[Tensor, Tensor], up: tuple[Tensor, Tensor]
    ) -> Tensor:
        return linear(gelu(linear(self.norm(states), *down)), *up)


def _mean(copies: Iterable[nn.Module]) -> tuple[Tensor, Tensor]:
    """Weight and bias averaged over linear maps."""
    maps = cast("list[nn.Linear]", list(copies))
    # A mask puts plain tensors in the place of parameters.
    weights, biases = torch.stack([m.weight for m in maps]), torch.stack([m.bias for m in maps])
    return weights.mean(0), biases.mean(0)
