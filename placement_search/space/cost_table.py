"""What layouts cost, predicted from what their modules and passes cost; nothing is run.

A layout uses of every resource a fixed part, a part for each connection by its module and place,
one for what connections with the same module share, and, where it is recurrent, a first pass. An
adapted first pass carries the other connections a second time.

Numbers by module and class of places stand in one row: those of all modules in class 0, then those
in class 1, and so on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from placement_search.layout import FirstPass, Layout, ModuleSpec
from placement_search.space.node_names import Pair
from placement_search.space.place_classes import PlaceClasses


class Usage(NamedTuple):
    """What a layout's costs depend on.

    Args:
        n_forward: Connections that are not recurrent, by module and class of places.
        n_recurrent: Recurrent connections, likewise.
        sources: Nodes that recurrent connections read.
        is_adapted: Whether the first pass carries the connections that are not recurrent.
    """

    n_forward: tuple[int, ...]
    n_recurrent: tuple[int, ...]
    sources: frozenset[int]
    is_adapted: bool


@dataclass(frozen=True, slots=True)
class Price:
    """How much of one resource layouts use.

    Args:
        modules: One connection with each module in each class of places, without what it shares;
            0 where it can't be.
        fixed: Every layout, one without connections too.
        first_pass: A frozen first pass up to each node; empty where it costs nothing.
        shared: What all connections with a module have together, by module, whatever their places;
            empty where no module shares anything.
    """

    modules: tuple[float, ...]
    fixed: float = 0
    first_pass: tuple[float, ...] = ()
    shared: tuple[float, ...] = ()

    def of(self, usage: Usage) -> float:
        """What a layout uses; a whole number where all prices are."""
        counts = [a + b for a, b in zip(usage.n_forward, usage.n_recurrent, strict=True)]
        total = self.fixed + _dot(counts, self.modules)
        if self.shared:
            n = len(self.shared)
            total += sum(price for m, price in enumerate(self.shared) if any(counts[m::n]))
        if usage.sources and self.first_pass:
            total += max(self.first_pass[source] for source in usage.sources)
            total += _dot(usage.n_forward, self.modules) if usage.is_adapted else 0
        return total

    def everywhere(self, n_classes: int) -> "Price":
        """The price where modules cost the same in all of so many classes of places."""
        return replace(self, modules=self.modules * n_classes)


def _dot(counts: Sequence[int], prices: Sequence[float]) -> float:
    return sum(count * price for count, price in zip(counts, prices, strict=True) if count)


@dataclass(frozen=True, slots=True)
class LayoutCosts:
    """What a layout costs by prediction; None for what no table says.

    Args:
        n_parameters: Trainable parameters of its adapters.
        n_bytes: Adapters and head on disk.
        flops_factor: Operations of a forward pass relative to the bare backbone.
        latency_factor: Time of a forward pass relative to the bare backbone.
        n_flops: The operations themselves, for one example.
    """

    n_parameters: int
    n_bytes: int | None = None
    flops_factor: float | None = None
    latency_factor: float | None = None
    n_flops: int | None = None


@dataclass(frozen=True, slots=True)
class CostTable:
    """The prices of a search space's modules on one backbone.

    Args:
        modules: The modules that prices are in the order of.
        parameters: Trainable parameters.
        n_bytes: Bytes on disk, of the head too; None where nobody counted.
        flops: Operations of a forward pass, its fixed part the bare backbone with its head's.
        latency: Seconds of a forward pass relative to the bare backbone's, so 1 is the fixed part.
        classes: The classes of places that prices are for.
        number_of: The modules' numbers.
    """

    modules: tuple[ModuleSpec, ...]
    parameters: Price
    n_bytes: Price | None = None
    flops: Price | None = None
    latency: Price | None = None
    classes: PlaceClasses = field(default_factory=PlaceClasses)
    number_of: Mapping[ModuleSpec, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every layout's usage reads."""
        numbers = {module: number for number, module in enumerate(self.modules)}
        object.__setattr__(self, "number_of", numbers)

    def usage(self, layout: Layout) -> Usage:
        """What the costs of a layout of these modules depend on.

        Raises:
            KeyError: If a connection has another module.
        """
        n_modules, classes = len(self.modules), self.classes.numbers
        n_cells = n_modules * len(self.classes.examples)
        forward, recurrent, sources = [0] * n_cells, [0] * n_cells, set()
        for connection in layout.connections:
            source, target = connection.source, connection.target
            cell = self.number_of[connection.module] + n_modules * classes.get((source, target), 0)
            if source > target:
                recurrent[cell] += 1
                sources.add(source)
            else:
                forward[cell] += 1
        is_adapted = layout.first_pass is FirstPass.ADAPTED
        return Usage(tuple(forward), tuple(recurrent), frozenset(sources), is_adapted)

    def dearest(self, pairs: Iterable[Pair]) -> tuple[int, ...]:
        """The most parameters of one connection with each module at any of these places.

        Those that it shares with other connections are left out.
        """
        n_modules, prices = len(self.modules), self.parameters.modules
        classes = {self.classes.numbers.get(pair, 0) for pair in pairs}
        return tuple(
            max(int(prices[first * n_modules + number]) for first in classes)
            for number in range(n_modules)
        )

    def costs(self, layout: Layout) -> LayoutCosts:
        """What a layout costs.

        Raises:
            KeyError: If a connection has a module that the table lacks.
        """
        return self.costs_of(self.usage(layout))

    def costs_of(self, usage: Usage) -> LayoutCosts:
        """The costs that depend on a usage."""
        flops, latency = self.flops, self.latency
        n_flops = None if flops is None else int(flops.of(usage))
        return LayoutCosts(
            n_parameters=int(self.parameters.of(usage)),
            n_bytes=None if self.n_bytes is None else int(self.n_bytes.of(usage)),
            flops_factor=None if flops is None or n_flops is None else n_flops / flops.fixed,
            latency_factor=None if latency is None else latency.of(usage) / latency.fixed,
            n_flops=n_flops,
        )

    def only(self, modules: Sequence[ModuleSpec]) -> "CostTable":
        """The table of some of its modules."""
        kept = [self.number_of[module] for module in modules]
        n_classes, n_modules = len(self.classes.examples), len(self.modules)
        cells = [first * n_modules + number for first in range(n_classes) for number in kept]

        def narrowed(price: Price) -> Price:
            shared = tuple(price.shared[number] for number in kept) if price.shared else ()
            each = tuple(price.modules[cell] for cell in cells)
            return replace(price, modules=each, shared=shared if any(shared) else ())

        return replace(
            self,
            modules=tuple(modules),
            parameters=narrowed(self.parameters),
            n_bytes=self.n_bytes and narrowed(self.n_bytes),
            flops=self.flops and narrowed(self.flops),
            latency=self.latency and narrowed(self.latency),
        )
