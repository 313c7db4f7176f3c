"""The same backbone and head under another layout, with weights of one's choice."""

from collections.abc import Mapping

from torch import Tensor

from placement_search.adapted.model import AdaptedBackbone
from placement_search.layout import Connection, Layout

Weights = Mapping[str, Tensor]
"""The state of a module, by name."""


def rewired(
    model: AdaptedBackbone, layout: Layout, weights: Mapping[Connection, Weights]
) -> AdaptedBackbone:
    """A model of ``layout`` on a model's backbone, with a copy of its head.

    Args:
        model: Stays as it is.
        layout: Of what is built.
        weights: By each connection of ``layout``; they are copied.

    Returns:
        In evaluation mode.
    """
    built = AdaptedBackbone(model.backbone, layout, model.head.out_features, pooling=model.pooling)
    for connection, module in built.wired:
        module.load_state_dict(weights[connection])
    built.head.load_state_dict(model.head.state_dict())
    return built.eval()
