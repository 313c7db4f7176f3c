"""The same weights under another layout."""

from collections.abc import Mapping

from placement_search.adapted.model import AdaptedBackbone
from placement_search.adapted.rewired import rewired
from placement_search.layout import Connection, Layout


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
    given = dict(model.wired)
    from_whom = {c: (origins or {}).get(c, c) for c in layout.connections}
    return rewired(model, layout, {c: given[own].state_dict() for c, own in from_whom.items()})
