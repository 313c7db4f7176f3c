"""The encoding: a few numbers per layout, every setting of which is a legal layout.

Each of ``at_most`` slots holds a source and a target on the unit interval. The source's number
falls on the sorted list of candidate connections and takes the source found there; the target's
number falls on that source's targets. So every candidate is equally likely under uniform numbers,
and near numbers mean near nodes. A slot whose connection is taken moves on to the next free
candidate. Slots beyond ``n_connections`` are ignored, and no choice can leave the budget: a module
that the rest of the budget can't pay for gives way to the dearest one that it can.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from placement_search.layout import Layout, ModuleSpec
from placement_search.space.search_space import Pair, SearchSpace


@dataclass(frozen=True, slots=True)
class Gene:
    """One number of the encoding: within [0, 1], or an integer of ``0 … n_values - 1``.

    Args:
        name: Unique within the encoding.
        n_values: Number of integers; None for the unit interval.
    """

    name: str
    n_values: int | None = None


Genes = Mapping[str, float | int]


class Encoding:
    """Translates between numbers and the layouts of a space."""

    def __init__(self, space: SearchSpace) -> None:
        self.space = space
        self._targets: dict[int, list[int]] = {}
        for source, target in space.pairs:
            self._targets.setdefault(source, []).append(target)
        self.genes = tuple(self._make_genes())

    def _make_genes(self) -> list[Gene]:
        space = self.space
        genes = []
        if space.at_most > space.at_least:
            genes.append(Gene("n_connections", space.at_most - space.at_least + 1))
        n_modules = len(space.modules)
        if n_modules > 1 and space.is_module_shared:
            genes.append(Gene("module", n_modules))
        for slot in range(space.at_most):
            genes += [Gene(f"source_{slot}"), Gene(f"target_{slot}")]
            if n_modules > 1 and not space.is_module_shared:
                genes.append(Gene(f"module_{slot}", n_modules))
        return genes

    def decode(self, genes: Genes) -> Layout:
        """The layout that the numbers mean; any numbers within their ranges mean a legal one."""
        space = self.space
        wanted = space.at_least + int(genes.get("n_connections", 0))
        modules = self._modules(genes, wanted)
        taken: dict[Pair, None] = {}
        for slot in range(len(modules)):
            taken[self._free_pair(genes, slot, taken)] = None
        return space.layout(list(taken), modules)

    def encode(self, layout: Layout) -> dict[str, float | int]:
        """Numbers that mean ``layout``, in the middle of their ranges; unused slots repeat its own.

        Raises:
            ValueError: If the space does not contain the layout.
        """
        if not self.space.contains(layout):
            raise ValueError(f"space {self.space.name!r} does not contain {layout.notation}")
        used = len(layout.connections)
        numbers: dict[str, float | int] = {"n_connections": used - self.space.at_least}
        for slot in range(self.space.at_most):
            connection = layout.connections[slot % used]
            module = self.space.modules.index(connection.module)
            targets = self._targets[connection.source]
            first = bisect_left(self.space.pairs, (connection.source,))
            middle = first + len(targets) / 2
            numbers["module"] = numbers[f"module_{slot}"] = module
            numbers[f"source_{slot}"] = middle / len(self.space.pairs)
            numbers[f"target_{slot}"] = (targets.index(connection.target) + 0.5) / len(targets)
        return {gene.name: numbers[gene.name] for gene in self.genes}

    def _free_pair(self, genes: Genes, slot: int, taken: Mapping[Pair, None]) -> Pair:
        pairs = self.space.pairs
        source, _ = pairs[_position(genes[f"source_{slot}"], len(pairs))]
        targets = self._targets[source]
        target = targets[_position(genes[f"target_{slot}"], len(targets))]
        index = bisect_left(pairs, (source, target))
        while pairs[index] in taken:
            index = (index + 1) % len(pairs)
        return pairs[index]

    def _modules(self, genes: Genes, wanted: int) -> list[ModuleSpec]:
        """One module per connection, as many connections as wanted and payable."""
        space, limit = self.space, self.space.budget.max_parameters
        left = math.inf if limit is None else limit
        if space.is_module_shared:
            index = int(genes.get("module", 0))
            payable = int(min(wanted, left // space.costs[index]))
            return [space.modules[index]] * payable
        cheapest = space.costs[0]
        chosen: list[ModuleSpec] = []
        for slot in range(int(min(wanted, left // cheapest))):
            still_due = max(space.at_least - len(chosen) - 1, 0) * cheapest
            index = int(genes.get(f"module_{slot}", 0))
            while index and space.costs[index] > left - still_due:
                index -= 1
            if space.costs[index] > left - still_due:
                break
            left -= space.costs[index]
            chosen.append(space.modules[index])
        return chosen


def _position(number: float, length: int) -> int:
    """The entry of a list of ``length`` that a number within [0, 1] falls on."""
    return min(int(number * length), length - 1)
