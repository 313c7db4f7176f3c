"""What is compared: each module where its paper puts it, at its own size and at an equal budget."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from placement_search.layout import Connection, Layout, make_module
from placement_search.module_type import Scalar
from placement_search.modules import MODULE_TYPES, count_parameters
from placement_search.places import Places

Ends = Callable[[int], tuple[int, int]]
"""Source and target in a block, by the node that it begins with."""

AROUND_ATTENTION: Ends = lambda node: (node, node + 1)  # noqa: E731
AROUND_MLP: Ends = lambda node: (node + 1, node + 2)  # noqa: E731
AFTER_ATTENTION: Ends = lambda node: (node + 1, node + 1)  # noqa: E731
AFTER_MLP: Ends = lambda node: (node + 2, node + 2)  # noqa: E731

MAX_SCALE = 512
"""Largest rank or width that is tried to meet a budget."""


@dataclass(frozen=True, slots=True)
class Part:
    """One module in every block.

    Args:
        ends: Where it is.
        type: Its type.
        settings: What the paper sets.
        scaled: The settings that a budget lowers or raises together; none where nothing can.
    """

    ends: Ends
    type: str
    settings: Mapping[str, Scalar]
    scaled: tuple[str, ...] = ("rank",)


@dataclass(frozen=True, slots=True)
class Entry:
    """A method: its modules in every block."""

    name: str
    parts: tuple[Part, ...]

    def layout(self, n_blocks: int, scale: int | None = None) -> Layout:
        """The layout in all blocks, with the scaled setting replaced where one is given."""
        return Layout(tuple(self._connections(n_blocks, scale)))

    def _connections(self, n_blocks: int, scale: int | None) -> Iterator[Connection]:
        for part in self.parts:
            own = {} if scale is None else dict.fromkeys(part.scaled, scale)
            module = make_module(MODULE_TYPES, part.type, {**part.settings, **own}, self.name)
            for block in range(n_blocks):
                yield Connection(*part.ends(2 * block), module)

    def within(self, budget: int, n_blocks: int, places: Places) -> Layout | None:
        """The layout of the largest scale that costs at most ``budget`` parameters.

        Returns:
            None where the method has nothing to scale, or is too dear at its smallest.
        """
        if not any(part.scaled for part in self.parts):
            return None
        best = None
        for scale in range(1, MAX_SCALE + 1):
            layout = self.layout(n_blocks, scale)
            if count_parameters(layout, places) > budget:
                break
            best = layout
        return best


def _one(name: str, ends: Ends, kind: str, *scaled: str, **settings: Scalar) -> Entry:
    return Entry(name, (Part(ends, kind, settings, scaled),))


BARE: Mapping[str, Scalar] = {"norm": False, "activation": "relu"}
"""Bottlenecks of papers that have neither a norm before the maps nor GELU between them."""

ENTRIES: tuple[Entry, ...] = (
    _one("bottleneck", AFTER_MLP, "bottleneck", "rank", rank=8),
    _one("LoRA", AROUND_ATTENTION, "lora", "rank", rank=8, linears="query_value"),
    _one("Tiny-Attention", AFTER_ATTENTION, "tiny_attention", "width", width=1),
    _one("Hadamard", AROUND_ATTENTION, "hadamard"),
    _one("AdaMix", AFTER_MLP, "adamix", "rank", rank=8, norm=False),
    _one("AdapterBias", AROUND_MLP, "adapter_bias"),
    Entry(
        "ARC",
        (
            Part(AROUND_ATTENTION, "arc_inside", {"group": 0}),
            Part(AROUND_MLP, "arc_inside", {"group": 1}),
        ),
    ),
    Entry(
        "UniPELT (adapter, LoRA)",
        (
            Part(AFTER_MLP, "bottleneck", {"rank": 8, "gate": True, **BARE}),
            Part(
                AROUND_ATTENTION,
                "lora",
                {"rank": 8, "alpha": 8.0, "linears": "query_value", "gate": True},
                ("rank", "alpha"),
            ),
        ),
    ),
    _one("bottleneck, rational", AFTER_MLP, "bottleneck", "rank", rank=8, activation="rational"),
    Entry(
        "SparseAdapter (SNIP, a fifth)",
        tuple(
            Part(ends, "bottleneck", {"rank": 32, "mask": "snip", "kept": 0.2, **BARE})
            for ends in (AFTER_ATTENTION, AFTER_MLP)
        ),
    ),
)
HEAD = "head only"
FULL = "full fine-tuning"
REFERENCE = "LoRA"
"""Its own size is the equal budget."""
YARDSTICK = "bottleneck"
"""Its training step is the unit of the others' time."""
