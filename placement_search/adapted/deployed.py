"""A trained layout as it is deployed: copies that only training needs are averaged into one."""

import itertools
from collections.abc import Mapping

from placement_search.adapted.model import AdaptedBackbone
from placement_search.adapted.rewired import Weights, rewired
from placement_search.errors import LayoutError
from placement_search.layout import Connection, Layout, ModuleSpec, make_module
from placement_search.modules import MODULE_TYPES
from placement_search.modules.contract import Deployed
from placement_search.modules.tied import TIED, is_tied


def deployed_layout(model: AdaptedBackbone) -> AdaptedBackbone:
    """The same backbone and head with every module as its type deploys it; see `Deployed`.

    What is one module at several connections (``tied``) becomes one module there.

    Args:
        model: Stays as it is.

    Returns:
        In evaluation mode, with weights of its own, in the layout's canonical order.

    Raises:
        LayoutError: If two modules between the same nodes become ones of one type.
    """
    made = {connection: module.deployed() for connection, module in model.wired}
    specs = _specs(made)
    becomes = {c: Connection(c.source, c.target, specs[c.module]) for c in made}
    try:
        layout = Layout(tuple(becomes.values()), model.layout.first_pass)
    except LayoutError as error:
        raise LayoutError(f"{model.layout.notation} can't be deployed: {error}") from error
    weights = {becomes[c]: _weights(made[c], module.state_dict()) for c, module in model.wired}
    return rewired(model, layout, weights)


def _weights(made: Deployed | None, own: Weights) -> Weights:
    return own if made is None else made.weights


def _specs(made: Mapping[Connection, Deployed | None]) -> dict[ModuleSpec, ModuleSpec]:
    """What the modules of connections become, by what they are; groups that are tied stay apart."""
    specs = {connection.module: connection.module for connection in made}
    taken = {c.module for c, each in made.items() if each is None}
    changed = {c.module: (c, each) for c, each in made.items() if each is not None}
    for spec, (connection, each) in changed.items():
        place = f"the deployed form of {connection.notation}"
        numbers = itertools.count(int(spec.settings[TIED])) if is_tied(spec) else iter([0])
        found = (
            make_module(MODULE_TYPES, each.type, {**each.settings, TIED: number}, place)
            for number in numbers
        )
        specs[spec] = next(new for new in found if not is_tied(new) or new not in taken)
        taken.add(specs[spec])
    return specs
