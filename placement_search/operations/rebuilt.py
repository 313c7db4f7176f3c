"""The same weights under another layout."""

from collections.abc import Mapping
from typing import cast

from placement_search.adapted.model import AdaptedBackbone
from placement_search.layout import Connection, Layout
from placement_search.modules.contract import ConnectionModule


def modules_of(model: AdaptedBackbone) -> dict[Connection, ConnectionModule]:
    """A model's modules by their connections."""
    modules = cast("list[ConnectionModule]", list(model.adapters))
    return dict(zip(model.layout.connections, modules, strict=True))


def rebuilt(
    model: AdaptedBackbone, layout: Layout, origins: Mapping[Connection, Connection] | None = None
) -> AdaptedBackbone:
    """A model of ``layout`` on the same backbone, with copies of another's weights and its head.

    Args:
        model: Whose weights are copied; it stays as it is.
        layout: Of what is built.
        origins: Where each connection's weights come from; its own where it is not named. What
            connections of ``layout`` share comes from the same connection.
    """
    built = AdaptedBackbone(model.backbone, layout, model.head.out_features, pooling=model.pooling)
    given = modules_of(model)
    for connection, module in modules_of(built).items():
        source = given[(origins or {}).get(connection, connection)]
        module.load_state_dict(source.state_dict())
    built.head.load_state_dict(model.head.state_dict())
    return built.eval()
