"""``tiny_attention``: ``W2·MHA(W1·LN(h)+b1)+b2``, Zhao et al. (2022, arXiv 2211.01979).

An adapter that lets tokens look at each other through queries, keys and values of a few channels.
Formula, sizes and names follow the authors' code (cindermond/tiny-attn). Differences:

- ``W2`` and ``b2`` start at zero, theirs at a hundredth of the usual draw: ``start=0.01``.
- Their K experts of a layer follow each other, each adding a K-th of what it makes of the state
  that the one before left. Here all of them read the source and their mean is added: the two agree
  up to second order in what is added, and only the mean has a meaning where source and target are
  two nodes.
- The experts share one LayerNorm. Theirs have one each, of which deployment keeps the first.
- No dropout, theirs is 0.1 on the attention: trainings of a search are short.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, scaled_dot_product_attention

from placement_search.module_type import ModuleType, Setting, Settings
from placement_search.modules.contract import Deployed, HiddenLayer, StateModule, Units
from placement_search.places import Place


def _count(settings: Settings, place: Place) -> int:
    """The norm's two vectors; by expert the maps to q, k, v, through the attention, and back."""
    width, inner = place.width, int(settings["width"])
    into = 3 * inner * (width + 1)
    attention = 3 * inner * (inner + 1) + inner * (inner + 1)
    out = width * (inner + 1)
    return 2 * width + int(settings["heads"]) * (into + attention + out)


TYPE = ModuleType(
    name="tiny_attention",
    settings={
        "width": Setting(
            1, "width of queries, keys and values, in channels", minimum=1, is_always_written=True
        ),
        "heads": Setting(1, "experts of one head each, averaged into one when deployed", minimum=1),
        "start": Setting(
            0.0, "factor on the first values of the last map: 0 adds nothing at first", minimum=0
        ),
        "spread": Setting(
            1e-6, "standard deviation by which experts differ at first, in the first map", minimum=0
        ),
    },
    count=_count,
)


class TinyAttention(StateModule):
    """What a tiny attention adds: the mean over its experts, zero at first unless ``start`` is not.

    Args:
        settings: Complete settings of `TYPE`.
        place: Where it lies: its width, and whether tokens see only those before them.
    """

    def __init__(self, settings: Settings, place: Place) -> None:
        super().__init__()
        n_experts, inner = int(settings["heads"]), int(settings["width"])
        self.is_causal = place.is_causal
        self.norm = nn.LayerNorm(place.width)
        first = _Expert(place.width, inner)
        experts = [first, *(copy.deepcopy(first) for _ in range(n_experts - 1))]
        self.experts = nn.ModuleList(experts)
        for expert in experts:
            expert.vary(start=float(settings["start"]), spread=float(settings["spread"]))

    def forward(self, states: Tensor, mask: Tensor | None = None) -> Tensor:
        """See `StateModule`; a padded token is looked at by none but itself."""
        seen = _seen(states, mask, is_causal=self.is_causal)
        normed = self.norm(states)
        added = [expert(normed, seen) for expert in self.experts]
        return torch.stack(added).mean(0) if len(added) > 1 else added[0]

    def hidden_layers(self) -> tuple[HiddenLayer, ...]:
        """The channels between each two of its maps, in one order in all experts.

        They are those that queries, keys and values are made of, those that the attention's output
        is mapped to, those of queries and keys, which meet in a product, and those of values.
        """
        layers = (
            *((*_rows("down", part), Units("into.weight", 1, part, 3)) for part in range(3)),
            (*_rows("out"), Units("up.weight", 1)),
            (*_rows("into", 0), *_rows("into", 1)),
            (*_rows("into", 2), Units("out.weight", 1)),
        )
        experts = [f"experts.{number}." for number in range(len(self.experts))]
        return tuple(
            tuple(units._replace(name=name + units.name) for name in experts for units in layer)
            for layer in layers
        )

    def deployed(self) -> Deployed | None:
        """One expert with the mean of all experts' parameters.

        It is not the mean of what they add, but near it while the experts are near each other.
        """
        if len(self.experts) == 1:
            return None
        each = [expert.state_dict() for expert in self.experts]
        mean = {name: torch.stack([one[name] for one in each]).mean(0) for name in each[0]}
        weights = {f"norm.{name}": tensor for name, tensor in self.norm.state_dict().items()}
        weights |= {f"experts.0.{name}": tensor for name, tensor in mean.items()}
        inner = mean["out.bias"].shape[0]
        return Deployed(TYPE.name, {"width": inner}, weights)


class _Expert(nn.Module):
    """Down to queries, keys and values, one head of attention over tokens, and up again.

    The attention has the parameters of ``torch.nn.MultiheadAttention``, and its first values.
    """

    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, 3 * inner)
        self.into = nn.Linear(inner, 3 * inner)
        self.out = nn.Linear(inner, inner)
        self.up = nn.Linear(inner, width)
        nn.init.xavier_uniform_(self.into.weight)
        nn.init.zeros_(self.into.bias)
        nn.init.zeros_(self.out.bias)

    def forward(self, normed: Tensor, seen: Tensor | None) -> Tensor:
        maps = zip(self.into.weight.chunk(3), self.into.bias.chunk(3), strict=True)
        parts = zip(self.down(normed).chunk(3, dim=-1), maps, strict=True)
        queries, keys, values = (linear(part, *each) for part, each in parts)
        mixed = scaled_dot_product_attention(queries, keys, values, attn_mask=seen)
        added: Tensor = self.up(self.out(mixed))
        return added

    @torch.no_grad()
    def vary(self, *, start: float, spread: float) -> None:
        """Scale the last map, and move the first one a little."""
        self.up.weight.mul_(start)
        self.up.bias.mul_(start)
        self.down.weight.add_(spread * torch.randn_like(self.down.weight))


def _rows(name: str, part: int | None = None) -> tuple[Units, Units]:
    """Weight and bias that have units along their first axis, all of it or one of three parts."""
    where = (0, 1) if part is None else (part, 3)
    return Units(f"{name}.weight", 0, *where), Units(f"{name}.bias", 0, *where)


def _seen(states: Tensor, mask: Tensor | None, *, is_causal: bool) -> Tensor | None:
    """Which token (row) may look at which (column); None where all may look at all.

    Every token sees itself, a padded one too: a row without anything to see has no softmax.
    """
    if mask is None and not is_causal:
        return None
    n_tokens = states.shape[1]
    everywhere = torch.ones(n_tokens, n_tokens, dtype=torch.bool, device=states.device)
    before = everywhere.tril() if is_causal else everywhere
    if mask is None:
        return before
    itself = torch.eye(n_tokens, dtype=torch.bool, device=states.device)
    return (mask[:, None, :] | itself) & before
