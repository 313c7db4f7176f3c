"""A trained layout as it is deployed: copies that only training needs are averaged into one."""

import itertools
from collections.abc import Mapping

from torch import Tensor

from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import LayoutError
from placement_search.layout import Connection, Layout, ModuleSpec, make_module
from placement_search.modules import MODULE_TYPES
from placement_search.modules.contract import Deployed
from placement_search.modules.tied import TIED, is_tied


def deployed_layout(model: AdaptedBackbone) -> AdaptedBackbone:
    """The same backbone and head with every module as its type deploys it; see `Deployed`.

    Args:
        model: Stays as it is.

    Returns:
        In evaluation mode, with weights of its own, in the layout's canonical order.

    Raises:
        LayoutError: If two modules between the same nodes become ones of one type.
    """
    parts = []
    made_of = {c.module: c.module for c, module in model.wired if module.deployed() is None}
    for connection, module in model.wired:
        ends, made = (connection.source, connection.target), module.deployed()
        spec: ModuleSpec = connection.module
        weights: Mapping[str, Tensor] = module.state_dict()
        if made is not None:
            spec, weights = _spec(connection, made, made_of), made.weights
        parts.append((Connection(*ends, spec), weights))
    try:
        layout = Layout(tuple(connection for connection, _ in parts), model.layout.first_pass)
    except LayoutError as error:
        raise LayoutError(f"{model.layout.notation} can't be deployed: {error}") from error
    deployed = AdaptedBackbone(
        model.backbone, layout, model.head.out_features, pooling=model.pooling
    )
    held = dict(parts)
    for connection, module in deployed.wired:
        module.load_state_dict(held[connection])
    deployed.head.load_state_dict(model.head.state_dict())
    return deployed.eval()


def _spec(
    connection: Connection, made: Deployed, made_of: dict[ModuleSpec, ModuleSpec]
) -> ModuleSpec:
    """What a connection's module is called when it is deployed; tied ones stay tied.

    Args:
        connection: As it was trained.
        made: What its module becomes.
        made_of: By the name of a tied module, so far, the one that it was; two that were different
            get different numbers.
    """
    place = f"the deployed form of {connection.notation}"
    if not is_tied(connection.module):
        return make_module(MODULE_TYPES, made.type, made.settings, place)
    for number in itertools.count(int(connection.module.settings[TIED])):
        spec = make_module(MODULE_TYPES, made.type, {**made.settings, TIED: number}, place)
        if made_of.setdefault(spec, connection.module) == connection.module:
            break
    return spec
