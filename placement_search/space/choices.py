"""The sets of choices that a space contains, and the way from a wished set to one of them."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from placement_search.space.largest import largest_set
from placement_search.space.legality import Completion, Legality, Pick, Traits

Choice = tuple[int, int]
"""The number of a group of connections, and that of its module."""
Completions = dict[tuple[int, tuple[int, ...], tuple[Choice, ...]], list[Pick] | None]
"""By how many choices there are to be, of which modules, and those made: what completes these."""


@dataclass(frozen=True, slots=True)
class Choices:
    """The sets of choices that a space contains.

    Args:
        traits: Of every group, by its number.
        always: Groups that every set has.
        at_least: Fewest choices.
        is_module_shared: Whether all choices of a set have one module.
        legality: What else they obey.
        free: The groups that a set may have or not.
        has_misfits: Whether there is a group that some module does not fit.
        alike: For every group the first free one that has the same traits, itself if none has.
    """

    traits: tuple[Traits, ...]
    always: frozenset[int]
    at_least: int
    is_module_shared: bool
    legality: Legality
    free: tuple[int, ...] = field(init=False, repr=False, compare=False)
    has_misfits: bool = field(init=False, repr=False, compare=False)
    _fitting: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)
    alike: tuple[int, ...] = field(init=False, repr=False, compare=False)
    _sorts: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what every move and repair reads."""
        free = tuple(group for group in range(len(self.traits)) if group not in self.always)
        object.__setattr__(self, "free", free)
        sorts: dict[Traits, list[int]] = {}
        for group in free:
            sorts.setdefault(self.traits[group], []).append(group)
        object.__setattr__(self, "_sorts", tuple(map(tuple, sorts.values())))
        alike = (sorts.get(traits, [group])[0] for group, traits in enumerate(self.traits))
        object.__setattr__(self, "alike", tuple(alike))
        misfits = frozenset[int]().union(*(traits.misfits for traits in self.traits))
        object.__setattr__(self, "has_misfits", bool(misfits))
        fitting = tuple(
            tuple(group for group in free if self.fits(group, module))
            if module in misfits
            else free
            for module in range(self.legality.n_modules)
        )
        object.__setattr__(self, "_fitting", fitting)

    @property
    def is_ruled(self) -> bool:
        """Whether rules may admit some sets with a module and forbid others that are as large."""
        is_limited = bool(self.legality.rules or self.legality.limits)
        if self.is_module_shared:
            return is_limited and len(self._sorts) > 1
        return is_limited or self.has_misfits

    def contains(self, chosen: Sequence[Choice]) -> bool:
        """Whether the space has a layout of just these choices."""
        groups = {group for group, _ in chosen}
        return (
            len(groups) == len(chosen) >= self.at_least
            and self.always <= groups
            and (not self.is_module_shared or len({module for _, module in chosen}) == 1)
            and self.legality.allows(self.picks(chosen))
        )

    def fits(self, group: int, module: int) -> bool:
        """Whether a module can be at all places of a group."""
        return module not in self.traits[group].misfits

    def fitting(self, module: int) -> tuple[int, ...]:
        """The groups that a set may have or not and that a module fits, sorted."""
        return self._fitting[module]

    def modules_of(self, group: int) -> Sequence[int]:
        """The modules that fit a group."""
        everything, misfits = range(self.legality.n_modules), self.traits[group].misfits
        return [module for module in everything if module not in misfits] if misfits else everything

    def picks(self, chosen: Sequence[Choice]) -> list[Pick]:
        """The choices as rules see them."""
        return [(self.traits[group], module) for group, module in chosen]

    def repaired(self, wished: Sequence[Choice]) -> list[Choice]:
        """The wished set where the space contains it, else a set near to it that it contains.

        Earlier wishes come first, after what is always there, which need not be wished for. One
        that can't be met gets a cheaper module, then a dearer one, then another group that can be
        had; where there is none, it is left out.

        Args:
            wished: Different groups.
        """
        if self.contains(wished):
            return list(wished)
        module = wished[0][1] if wished else 0
        unwished = sorted(self.always - {group for group, _ in wished})
        everything = [*wished, *((group, module) for group in unwished)]
        ordered = sorted(everything, key=lambda choice: choice[0] not in self.always)
        return _Repair(self, ordered).run()

    def filled(self, wished: Sequence[Choice], n: int) -> list[Choice]:
        """The same with ``n`` choices at least, where sets of so many are found.

        `repaired` keeps the first wishes though they may forbid the others, and then gives few.
        """
        made = self.repaired(wished)
        if len(made) >= n:
            return made
        larger = replace(self, at_least=n)
        return larger.repaired(wished) if larger.has_sets else made

    def completion(
        self,
        picks: Sequence[Pick],
        forced: Sequence[Traits],
        taken: set[int],
        modules: Sequence[int],
        n: int | None = None,
    ) -> list[Pick] | None:
        """Picks that make a legal set of these, with all forced ones; None where none are found.

        Args:
            picks: Made already.
            forced: Traits of the groups that are still to come in any case.
            taken: Groups that can't be chosen any more.
            modules: Numbers of the modules to choose from.
            n: How many there are to be in all, at least; the fewest of a set where none is given.
        """
        n_more = (self.at_least if n is None else n) - len(picks) - len(forced)
        return self._searched(picks, forced, taken, modules, n_more)[0]

    def _searched(
        self,
        picks: Sequence[Pick],
        forced: Sequence[Traits],
        taken: set[int],
        modules: Sequence[int],
        n_more: int,
    ) -> tuple[list[Pick] | None, bool]:
        """What completes picks, and whether the search for it gave up.

        It begins with cheap modules, and gets lost where those may be few, or keep others out; then
        it tries each module alone, and at last dear ones first.
        """
        stock, wholes = self._stock(taken), [modules, modules[::-1]]
        orders = [wholes[0], *([module] for module in modules), wholes[1]]
        for order in orders if len(modules) > 1 else [modules]:
            search = Completion(self.legality, stock, order)
            found = search.find(picks, forced, n_more)
            is_proof = order in wholes and not search.has_given_up
            if found is not None or is_proof:
                return found, False
        return None, True

    def _is_open(self, picks: Sequence[Pick], taken: set[int], modules: Sequence[int]) -> bool:
        """Whether picks may be part of a set: one was found, or the search for one gave up."""
        forced = self.forced(taken)
        n_more = self.at_least - len(picks) - len(forced)
        found, has_given_up = self._searched(picks, forced, taken, modules, n_more)
        return found is not None or has_given_up

    def _stock(self, taken: set[int]) -> dict[Traits, int]:
        """How many groups of each traits are left, in the order of the first ones that are."""
        gone = Counter(self.alike[group] for group in taken - self.always)
        found = [
            (next(group for group in sort if group not in taken), len(sort) - gone[sort[0]])
            for sort in self._sorts
            if len(sort) > gone[sort[0]]
        ]
        return {self.traits[group]: n for group, n in sorted(found)}

    def forced(self, taken: set[int]) -> list[Traits]:
        """Traits of the groups that are always there and not taken yet."""
        return [self.traits[group] for group in sorted(self.always - taken)]

    def most(self, module: int) -> int:
        """How many groups a set can have, all with this module, as far as a search finds.

        0 where none is possible.
        """
        return len(largest_set(self.legality, self._stock(set()), self.forced(set()), module))

    def is_possible(self, group: int) -> bool:
        """Whether a set may have this group; only where a search says so it may not."""
        traits = self.traits[group]
        return any(
            self._is_open([(traits, module)], {group}, usable)
            for usable in self.module_sets
            for module in usable
        )

    def is_usable(self, module: int) -> bool:
        """Whether a set may have this module; only where a search says so it may not."""
        if self.is_module_shared:
            return self._is_open([], set(), [module])
        (everything,) = self.module_sets
        first = {self.traits[group]: group for group in (*self.free, *sorted(self.always))}
        return any(
            self._is_open([(traits, module)], {group}, everything)
            for traits, group in first.items()
        )

    @property
    def module_sets(self) -> list[list[int]]:
        """The modules that a set chooses among: any, or one alone where all choices share it."""
        modules = list(range(self.legality.n_modules))
        return [[module] for module in modules] if self.is_module_shared else [modules]

    @property
    def has_sets(self) -> bool:
        """Whether a set was found at all."""
        forced = self.forced(set())
        found = (self.completion([], forced, set(), each) for each in self.module_sets)
        return any(each is not None for each in found)

    @property
    def is_empty(self) -> bool:
        """Whether there is no set at all; where the search for one gave up it is not known."""
        return not any(self._is_open([], set(), each) for each in self.module_sets)


class Growth:
    """A set that is made choice by choice, and picks that are known to complete it.

    Args:
        space: What is to contain it. Groups that are always there are to be taken first.
        modules: Those to choose from.
        n: How many choices it is to come to, at least.
        due: Picks that make a legal set of that many.
        barred: Groups that are not to be chosen.
        known: What completes sets that are alike to rules, of all that grow with the same groups
            barred; is added to.
    """

    def __init__(
        self,
        space: Choices,
        modules: Sequence[int],
        n: int,
        due: Sequence[Pick],
        barred: Collection[int] = (),
        known: Completions | None = None,
    ) -> None:
        self.made: list[Choice] = []
        self.due = list(due)
        self._space = space
        self._modules = modules
        self._n = n
        self._taken = set(barred)
        self._failed: set[Choice] = set()
        self._known: Completions = {} if known is None else known

    @property
    def left(self) -> list[int]:
        """The groups that a set may have or not and that are not taken."""
        return [group for group in self._space.free if group not in self._taken]

    def nearest(self, group: int, module: int) -> Choice | None:
        """A group with the wished module, else with the dearest other one that is admitted."""
        others = (each for each in reversed(self._modules) if each != module)
        wished = [module] if module in self._modules else []
        choices = ((group, each) for each in (*wished, *others))
        return next((choice for choice in choices if self.admits(choice)), None)

    def admits(self, choice: Choice) -> bool:
        """Whether the set can have this choice and still come to its number."""
        return self._due_with(choice) is not None

    def take(self, choice: Choice) -> bool:
        """Add a choice where that is possible; gives whether it is."""
        due = self._due_with(choice)
        if due is None:
            return False
        self.made.append(choice)
        self._taken.add(choice[0])
        self.due = due
        return True

    def _due_with(self, choice: Choice) -> list[Pick] | None:
        """What would complete the set with this choice; None where nothing is found."""
        group, module = choice
        if group in self._taken or not self._space.fits(group, module):
            return None
        if group in self._space.always:
            return self._due_after(choice)
        # What fails once fails later, too, and so do groups that rules see no difference between.
        sort = self._space.alike[group], module
        if sort in self._failed:
            return None
        due = self._due_after(choice)
        if due is None:
            self._failed.add(sort)
        return due

    def _due_after(self, choice: Choice) -> list[Pick] | None:
        """What would still complete the set; None where nothing is found."""
        pick = self._space.traits[choice[0]], choice[1]
        if pick in self.due:
            left = list(self.due)
            left.remove(pick)
            return left
        sorts = sorted((self._space.alike[group], each) for group, each in (*self.made, choice))
        alike = self._n, tuple(self._modules), tuple(sorts)
        if alike not in self._known:
            self._known[alike] = self._completion(choice)
        return self._known[alike]

    def _completion(self, choice: Choice) -> list[Pick] | None:
        picks, taken = self._space.picks([*self.made, choice]), self._taken | {choice[0]}
        forced = self._space.forced(taken)
        return self._space.completion(picks, forced, taken, self._modules, self._n)


class _Repair:
    """One repair: wishes taken one after another, and something near to those that can't be."""

    def __init__(self, space: Choices, wished: Sequence[Choice]) -> None:
        self._space = space
        self._wished = wished
        first = wished[0][1] if wished else 0
        everything = list(range(space.legality.n_modules))
        sets = [[m] for m in self._near(first)] if space.is_module_shared else [everything]
        self._modules, due = next(
            (modules, found)
            for modules in sets
            if (found := space.completion([], space.forced(set()), set(), modules)) is not None
        )
        self._growth = Growth(space, self._modules, space.at_least, due)

    def run(self) -> list[Choice]:
        """A set that the space contains."""
        growth = self._growth
        for group, module in self._wished:
            self._take_near(group, module)
        for traits, module in list(growth.due):
            growth.take((next(g for g in growth.left if self._space.traits[g] == traits), module))
        return growth.made

    def _near(self, module: int) -> list[int]:
        """All modules: this one, the cheaper ones downwards, then the dearer ones upwards."""
        n_modules = self._space.legality.n_modules
        return [*range(module, -1, -1), *range(module + 1, n_modules)]

    def _take_near(self, group: int, module: int) -> None:
        """Take a wish, or what is nearest to it, where anything can be taken."""
        near = [m for m in self._near(module) if m in self._modules]
        is_met = any(self._growth.take((group, m)) for m in near)
        if not is_met and group not in self._space.always:
            self._take_other(group, near)

    def _take_other(self, group: int, modules: list[int]) -> None:
        """Take another group, as far along those that can be had as this one is along all.

        So the wishes that can't be met spread over those that can, whatever their order.
        """
        free, alike = self._space.free, self._space.alike
        place = bisect_left(free, group)
        left = self._growth.left
        for module in modules:
            last = {alike[each]: each for each in left}
            legal = {first for first, each in last.items() if self._growth.admits((each, module))}
            open_ = [each for each in left if alike[each] in legal]
            if open_:
                self._growth.take((open_[place * len(open_) // len(free)], module))
                return
