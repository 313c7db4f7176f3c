"""How strongly each sub-layer answers real states, against random ones of the same norms."""

from collections.abc import Mapping

import torch
from torch import Tensor

from placement_search.adapted.states import widened
from placement_search.backbones.loading import Backbone
from placement_search.proxies.bases import gaussian

_SEED = 2
"""Of the random states: the same examples give the same norms."""


@torch.no_grad()
def feature_norms(backbone: Backbone, inputs: Mapping[str, Tensor]) -> Tensor:
    """The normalised feature norm of every sub-layer.

    The feature of sub-layer k is what it changes, ``h[k+1] - h[k]``: in a pre-norm model just what
    it adds. Its norm over real tokens, on the states that reach it, is divided by the norm on
    Gaussian states of the same norm, token by token. Two forward passes: the bare one, and one
    whose state is made random anew at every node.

    Args:
        backbone: The frozen backbone; it is left as it was.
        inputs: Inputs of some examples, each of shape ``(n_examples, …)``, on its device.

    Returns:
        Shape ``(n_nodes - 1,)``, in double: 1 where real states are to a sub-layer as random ones.
    """
    nodes = range(backbone.n_nodes)
    mask = backbone.graph.token_mask(inputs)
    real = _Changes(mask, None)
    with backbone.graph.visited(real, nodes):
        backbone.graph.run(inputs)
    random = _Changes(mask, real.norms)
    with backbone.graph.visited(random, nodes):
        backbone.graph.run(inputs)
    tiny = torch.finfo(torch.float64).tiny
    found, expected = (torch.tensor(each.changes).double() + tiny for each in (real, random))
    return found / expected


class _Changes:
    """Measures what each sub-layer changes; with norms, of random states that have them."""

    def __init__(self, mask: Tensor | None, norms: list[Tensor] | None) -> None:
        self.changes: list[float] = []
        self.norms: list[Tensor] = []
        self._mask = mask
        self._given = norms
        self._before: Tensor | None = None

    def addition(self, node: int, state: Tensor) -> Tensor | None:
        """What turns the state into a random one of the given norms."""
        seen = widened(state)
        if self._before is not None:
            self.changes.append(self._mean((seen - self._before).norm(dim=-1)))
        if self._given is None:
            return None
        random = gaussian(tuple(seen.shape), seen, _SEED + node)
        random *= (self._given[node] / random.norm(dim=-1)).unsqueeze(-1)
        return random.to(state.dtype) - state

    def passed(self, node: int, state: Tensor) -> None:  # noqa: ARG002 - a visitor's
        """Keep the state that the next sub-layer reads, and its norm of each token."""
        self._before = widened(state)
        self.norms.append(self._before.norm(dim=-1))

    def _mean(self, norms: Tensor) -> float:
        return float((norms if self._mask is None else norms[self._mask]).mean())
