"""The encoding: a few numbers per layout, every setting of which is a legal layout.

Each of ``at_most`` slots holds a source and a target on the unit interval. The source's number
falls on the sorted list of candidate connections and takes the source found there; the target's
number falls on that source's targets. So every candidate is equally likely under uniform numbers,
and near numbers mean near nodes. A slot whose connection is taken moves on to the next free
candidate; a group of connections that come together stands in the list by its first one. Slots
beyond ``n_connections`` are ignored; connections that are always there have no slot. No setting can
leave the space: where budget or conditions forbid what the numbers wish, the nearest that they
allow takes its place (see `Choices.repaired`).
"""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass

from placement_search.layout import Layout
from placement_search.space.choices import Choice
from placement_search.space.search_space import SearchSpace
from placement_search.space.training import NO_CHOICE, TrainingChoice


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
        self._always = sorted(space.choices.always)
        self._groups = space.choices.free
        # Groups are sorted, so those without the ones that are always there are sorted too.
        self._pairs = [space.groups[group][0] for group in self._groups]
        self._targets: dict[int, list[int]] = {}
        for source, target in self._pairs:
            self._targets.setdefault(source, []).append(target)
        self._n_slots = space.at_most - len(self._always)
        self.genes = tuple(self._make_genes())

    def _make_genes(self) -> list[Gene]:
        space, n_modules = self.space, len(self.space.modules)
        is_each = n_modules > 1 and not space.is_module_shared
        genes = []
        if space.at_most > space.at_least:
            genes.append(Gene("n_connections", space.at_most - space.at_least + 1))
        if n_modules > 1 and space.is_module_shared:
            genes.append(Gene("module", n_modules))
        if is_each:
            genes += [Gene(f"module_always_{i}", n_modules) for i in range(len(self._always))]
        for slot in range(self._n_slots):
            genes += [Gene(f"source_{slot}"), Gene(f"target_{slot}")]
            if is_each:
                genes.append(Gene(f"module_{slot}", n_modules))
        for name, searched in space.training.settings:
            if searched.n_values != 1:
                genes.append(Gene(name, searched.n_values))
        return genes

    def decode(self, genes: Genes) -> Layout:
        """The layout that the numbers mean; any numbers within their ranges mean a legal one."""
        space = self.space
        shared = genes.get("module", 0)
        wished: dict[int, int] = {
            group: int(genes.get(f"module_always_{index}", shared))
            for index, group in enumerate(self._always)
        }
        wanted = space.at_least + int(genes.get("n_connections", 0))
        for slot in range(wanted - len(self._always)):
            wished[self._free_group(genes, slot, wished)] = int(genes.get(f"module_{slot}", shared))
        return space.layout_of(space.choices.repaired(list(wished.items())))

    def decode_training(self, genes: Genes) -> TrainingChoice:
        """The training settings that the numbers mean; nothing for those the space leaves alone."""
        settings = self.space.training.settings
        return TrainingChoice(**{name: s.at(genes.get(name, 0)) for name, s in settings})

    def encode(
        self, layout: Layout, training: TrainingChoice = NO_CHOICE
    ) -> dict[str, float | int]:
        """Numbers that mean ``layout``, in the middle of their ranges; unused slots repeat its own.

        Args:
            layout: One that the space contains.
            training: Its training settings; those of no value stand at their first or lowest.

        Raises:
            ValueError: If the space does not contain the layout, or a training setting.
        """
        chosen = self.space.chosen(layout)
        if chosen is None or not self.space.contains(layout):
            raise ValueError(f"space {self.space.name!r} does not contain {layout.notation}")
        modules, free = dict(chosen), [c for c in chosen if c[0] not in self.space.choices.always]
        numbers: dict[str, float | int] = {"n_connections": len(chosen) - self.space.at_least}
        numbers["module"] = chosen[0][1] if chosen else 0
        for index, group in enumerate(self._always):
            numbers[f"module_always_{index}"] = modules[group]
        for slot in range(self._n_slots):
            numbers |= self._slot_numbers(slot, free[slot % len(free)] if free else None)
        numbers |= self._training_numbers(training)
        return {gene.name: numbers[gene.name] for gene in self.genes}

    def _slot_numbers(self, slot: int, choice: Choice | None) -> dict[str, float | int]:
        """Numbers that mean a choice; for none, any that are legal."""
        group, module = choice or (self._groups[0], 0)
        source, target = self.space.groups[group][0]
        targets = self._targets[source]
        first = bisect_left(self._pairs, (source,))
        return {
            f"source_{slot}": (first + len(targets) / 2) / len(self._pairs),
            f"target_{slot}": (targets.index(target) + 0.5) / len(targets),
            f"module_{slot}": module,
        }

    def _training_numbers(self, training: TrainingChoice) -> dict[str, float | int]:
        given = {name: getattr(training, name) for name, _ in self.space.training.settings}
        return {
            name: searched.place_of(searched.at(0) if given[name] is None else given[name])
            for name, searched in self.space.training.settings
        }

    def _free_group(self, genes: Genes, slot: int, taken: Mapping[int, int]) -> int:
        pairs = self._pairs
        source, _ = pairs[_position(genes[f"source_{slot}"], len(pairs))]
        targets = self._targets[source]
        target = targets[_position(genes[f"target_{slot}"], len(targets))]
        index = bisect_left(pairs, (source, target))
        while self._groups[index] in taken:
            index = (index + 1) % len(pairs)
        return self._groups[index]


def _position(number: float, length: int) -> int:
    """The entry of a list of ``length`` that a number within [0, 1] falls on."""
    return min(int(number * length), length - 1)
