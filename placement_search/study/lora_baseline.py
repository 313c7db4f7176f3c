"""The baseline of the field: LoRA on the queries and values of every layer."""

from collections.abc import Mapping

from placement_search.layout import Connection, Layout, ModuleTypes, make_module
from placement_search.module_type import Scalar
from placement_search.places import Places
from placement_search.space.place_classes import misfit
from placement_search.study.baselines import Baseline

LORA = "LoRA in every layer"
SETTINGS: Mapping[str, Scalar] = {"rank": 8, "linears": "query_value"}
"""The maps that Hu et al. (2021) settled on, at PEFT's default rank."""


def lora_baseline(
    places: Places, types: ModuleTypes
) -> tuple[tuple[Baseline, ...], dict[str, str]]:
    """LoRA around every sub-layer that has maps to queries and values.

    It stands at its usual rank whatever the budget is, as a reference like adapters in every layer.

    Args:
        places: Of the backbone.
        types: The module types.

    Returns:
        The baseline; or none, and by its role why there is none.
    """
    module = make_module(types, "lora", SETTINGS, "a baseline")
    connections = tuple(
        Connection(source, source + 1, module)
        for source in range(len(places.sublayers))
        if not misfit(module, types, places.at(source, source + 1))
    )
    if connections:
        return (Baseline(LORA, Layout(connections)),), {}
    reason = "left out: no linear map of the backbone has a name that says queries or values"
    return (), {LORA: reason}
