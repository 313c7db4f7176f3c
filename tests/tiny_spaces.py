"""Search spaces of a few words, bound to the 25 nodes of width 64 of the embedded backbone."""

from placement_search.layout import ModuleTypes
from placement_search.modules import MODULE_TYPES
from placement_search.space.budget import Budget
from placement_search.space.file import SpaceFile
from placement_search.space.search_space import SearchSpace, bind_space

N_NODES, WIDTH = 25, 64
N_RANK_4, N_RANK_8 = 708, 1224
"""Parameters of a bottleneck of width 64 with LayerNorm: 2·64·r + r + 64 + 2·64."""


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
) -> SearchSpace:
    """A file, or the small one, on 25 nodes of width 64."""
    budget = Budget(max_parameters)
    return bind_space(file or space_file(), types, n_nodes=N_NODES, width=WIDTH, budget=budget)
