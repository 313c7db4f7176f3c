"""Search spaces of a few words, bound to the 25 nodes of width 64 of the embedded backbone."""

from placement_search.layout import ModuleTypes
from placement_search.modules import MODULE_TYPES
from placement_search.places import Linear, Places, SubLayer
from placement_search.space.budget import Budget
from placement_search.space.cost_table import CostTable, Price
from placement_search.space.file import SpaceFile
from placement_search.space.module_choices import parameter_price, read_modules
from placement_search.space.place_classes import place_classes
from placement_search.space.search_space import SearchSpace, bind_space

N_NODES, WIDTH = 25, 64
N_RANK_4, N_RANK_8 = 708, 1224
"""Parameters of a bottleneck of width 64 with LayerNorm: 2·64·r + r + 64 + 2·64."""

ATTENTION = tuple(
    Linear(f"attention.{name}_proj", WIDTH, WIDTH, has_bias=True, is_first=name != "o")
    for name in ("q", "k", "v", "o")
)
MLP = (
    Linear("mlp.fc1", WIDTH, 4 * WIDTH, has_bias=True, is_first=True),
    Linear("mlp.fc2", 4 * WIDTH, WIDTH, has_bias=True),
)
PLACES = Places(
    WIDTH,
    sublayers=tuple(
        sublayer
        for block in range(N_NODES // 2)
        for sublayer in (
            SubLayer(block, "attention", ATTENTION, "layernorm_after"),
            SubLayer(block, "MLP", MLP, None),
        )
    ),
)
"""The sub-layers of the embedded backbone."""


def space_file(**changes: object) -> SpaceFile:
    """A small file, with other entries where ``changes`` has them."""
    entries: dict[str, object] = {
        "schema_version": 1,
        "name": "tiny",
        "kinds": ["sequential", "parallel", "long_range", "recurrent"],
        "connections": {"at_least": 1, "at_most": 3},
        "modules": [{"type": "bottleneck", "rank": [4, 8]}],
    }
    return SpaceFile.model_validate(entries | changes)


def bound(
    file: SpaceFile | None = None,
    max_parameters: int | None = None,
    types: ModuleTypes = MODULE_TYPES,
    *,
    budget: Budget | None = None,
    sublayers: int = 2,
    places: Places = PLACES,
) -> SearchSpace:
    """A file, or the small one, on 25 nodes of width 64; the table is there for other budgets."""
    file = file or space_file()
    table = None if budget is None else price_table(file, types, places)
    return bind_space(
        file,
        types,
        n_nodes=N_NODES,
        places=places,
        budget=budget or Budget(max_parameters),
        sublayers=sublayers,
        table=table,
    )


def price_table(
    file: SpaceFile, types: ModuleTypes = MODULE_TYPES, places: Places = PLACES
) -> CostTable:
    """Round prices: a module's FLOPs are ten times its parameters, the backbone's 100,000.

    A first pass is the dearer the further it goes, and takes as much time as the backbone.
    """
    modules = tuple(read_modules(file, types, places))
    classes = place_classes(modules, types, places, N_NODES)
    parameters = parameter_price(modules, types, places, classes)
    costs, shared = parameters.modules, parameters.shared
    return CostTable(
        modules=modules,
        parameters=parameters,
        n_bytes=Price(
            tuple(4 * cost for cost in costs), 1000, shared=tuple(4 * cost for cost in shared)
        ),
        flops=Price(
            tuple(10 * cost for cost in costs),
            fixed=100_000,
            first_pass=tuple(4000 * (node // 2 * 2) for node in range(N_NODES)),
        ),
        latency=Price(tuple(0.01 for _ in costs), fixed=1.0, first_pass=(0.9,) * N_NODES),
        classes=classes,
    )
