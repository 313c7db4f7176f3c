"""States of the bare backbone, and the features that a head reads from the final ones."""

from collections.abc import Iterable

import torch
from torch import Tensor

from placement_search.backbones.families import Pooling
from placement_search.backbones.graph import Inputs
from placement_search.backbones.loading import Backbone


def widened(state: Tensor) -> Tensor:
    """The same state in float32, or in a wider type that it has already."""
    return state.float() if state.dtype.itemsize < torch.float32.itemsize else state


def pooled(hidden: Tensor, mask: Tensor | None, pooling: Pooling) -> Tensor:
    """One feature vector per example from its final hidden states; padded tokens do not count.

    Args:
        hidden: Shape ``(batch, tokens, width)``.
        mask: Which tokens are real, shape ``(batch, tokens)``; None for all.
        pooling: First token, mean over the real ones, or the last real one.

    Returns:
        Shape ``(batch, width)``, in float32 or wider.
    """
    hidden = widened(hidden)
    if pooling is Pooling.CLS:
        return hidden[:, 0]
    if pooling is Pooling.LAST:
        if mask is None:
            return hidden[:, -1]
        places = torch.arange(hidden.shape[1], device=hidden.device)
        last = (mask * places).argmax(1)
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    if mask is None:
        return hidden.mean(1)
    weights = mask.to(hidden.dtype).unsqueeze(-1)
    return (hidden * weights).sum(1) / weights.sum(1)


class Recorder:
    """A visitor that keeps the states it passes, cut from the gradient, and adds nothing."""

    def __init__(self) -> None:
        self.states: dict[int, Tensor] = {}

    def addition(self, node: int, state: Tensor) -> None:
        """Nothing is added."""

    def passed(self, node: int, state: Tensor) -> None:
        """Keep the state."""
        self.states[node] = state.detach()


@torch.no_grad()
def bare_states(backbone: Backbone, inputs: Inputs, nodes: Iterable[int]) -> dict[int, Tensor]:
    """States of the bare backbone at ``nodes``, each of shape ``(batch, tokens, width)``."""
    recorder = Recorder()
    with backbone.graph.visited(recorder, list(nodes)):
        backbone.graph.run(inputs)
    return recorder.states
