"""The paper's search: greedy choices by a proxy, for every proxy, at every size."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from placement_search.layout import Layout
from placement_search.space.search_space import SearchSpace
from placement_search.study.greedy import greedy_choice
from placement_search.study.samplers.sampler import Proposal, Question, Setting, in_order

PROXY_ORDER = (
    "numerical_rank", "effective_rank", "participation_ratio", "stable_rank", "nuclear_norm",
    "frobenius_norm", "fisher",
)  # fmt: skip
"""Ranks first, as in the paper; proxies that are not named come after these."""


class GradientGuided:
    """Proposes what greedy choice by the proxies gives, and learns nothing from scores.

    The largest layouts come first, by each proxy in turn, with each discount; then smaller ones.
    All of them have one module: that of which most connections are allowed, of equal ones the
    dearest; those of the next one follow, in the same order. After them the last connection of each
    gives way to the next one of its proxy, and so on. Training settings, where the space has any,
    are drawn.

    Args:
        setting: What it works on.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._found: dict[Layout, None] = {}
        self._more = every_greedy_layout(setting)

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """See `Sampler`."""
        generator = random.Random(self._setting.seed_of(question.number, "training"))  # noqa: S311
        return in_order(self._setting, question, self._layouts(), generator)

    def _layouts(self) -> Iterator[Layout]:
        """Each layout once; those that earlier questions came to are kept."""
        yield from tuple(self._found)
        for layout in self._more:
            if layout not in self._found:
                self._found[layout] = None
                yield layout


def every_greedy_layout(setting: Setting) -> Iterator[Layout]:
    """All greedy choices with one module, those with the next one, and so on; see the class.

    Then those whose last connection is the next best, and so on.
    """
    space, chosen = setting.encoding.space, _Chosen(setting)
    ranks = {module: (space.choices.most(module), module) for module in range(len(space.modules))}
    # A sort leaves those of one module in their order.
    wishes = sorted(_wishes(setting), key=lambda wish: ranks[wish.module], reverse=True)
    for depth in range(len(space.groups)):
        yield from _granted(chosen, wishes, depth)


def greedy_layouts(setting: Setting) -> Iterator[Layout]:
    """Greedy choices by every proxy, the largest first, with modules in turn; some repeat."""
    return _granted(_Chosen(setting), _wishes(setting))


class _Wish(NamedTuple):
    """What a greedy choice is made by; see `_Chosen.layout`."""

    name: str
    gamma: float
    module: int
    size: int


def _wishes(setting: Setting) -> Iterator[_Wish]:
    """Every size, the largest first, with each discount, proxy and module, the dearest first."""
    space, proxies = setting.encoding.space, setting.proxies
    known = [name for name in PROXY_ORDER if name in proxies]
    names = [*known, *(name for name in proxies if name not in known)]
    modules = range(len(space.modules))[::-1]
    every = itertools.product(_sizes(space), setting.gammas, names, modules)
    return (_Wish(name, gamma, module, size) for size, gamma, name, module in every)


def _granted(chosen: "_Chosen", wishes: Iterable[_Wish], depth: int = 0) -> Iterator[Layout]:
    """The layouts of those wishes that can be met."""
    made = (chosen.layout(*wish, depth) for wish in wishes)
    return (layout for layout in made if layout is not None)


def first_choices(setting: Setting, names: Sequence[str]) -> Iterator[Layout]:
    """A greedy choice by each of some proxies, with modules in turn, the dearest first.

    A module is a type with its settings, so ranks of one type take turns. The layouts are as large
    as may be, and where a cost is an objective from the largest to the smallest.

    Args:
        setting: Whose space, proxies and first discount.
        names: Which proxies, in order; those that there are not are left out.
    """
    space, chosen = setting.encoding.space, _Chosen(setting)
    modules = itertools.cycle(reversed(range(len(space.modules))))
    known = [name for name in names if name in setting.proxies]
    step = 0.0
    if len(setting.directions) > 1:
        step = (space.at_most - space.at_least) / max(1, len(known) - 1)
    for number, (name, module) in enumerate(zip(known, modules, strict=False)):
        most = space.at_most - round(number * step)
        sizes = range(most, space.at_least - 1, -1)
        found = (chosen.layout(name, setting.gammas[0], module, size) for size in sizes)
        yield from itertools.islice((layout for layout in found if layout is not None), 1)


def _sizes(space: SearchSpace) -> range:
    """Numbers of connections, the largest first."""
    return range(space.at_most, space.at_least - 1, -1)


class _Chosen:
    """Greedy choices, each made once for all modules that fit the same groups."""

    def __init__(self, setting: Setting) -> None:
        self._space = setting.encoding.space
        self._proxies = setting.proxies
        self._made: dict[tuple[str, float, tuple[int, ...]], list[int]] = {}

    def layout(
        self, name: str, gamma: float, module: int, size: int, depth: int = 0
    ) -> Layout | None:
        """The choice of so many connections by a proxy, or None where rules forbid that.

        Args:
            name: The proxy.
            gamma: Strength of the discount.
            module: Of all connections.
            size: How many connections, or groups of them.
            depth: How many next best ones the last of them gives way to.
        """
        order = self._order(name, gamma, module, size + depth)
        last = size - 1 + depth
        # What is always there gives way to nothing.
        is_fixed = depth > 0 and size <= len(self._space.choices.always)
        if is_fixed or last >= len(order):
            return None
        groups = [*order[: size - 1], order[last]]
        # A place that rules forbid gives way to the next one.
        legal = self._space.choices.repaired([(group, module) for group in groups])
        return self._space.layout_of(legal) if len(legal) == size else None

    def _order(self, name: str, gamma: float, module: int, length: int) -> list[int]:
        """Greedy choices by a proxy, at least so many where there are; more are made at once."""
        fitting = tuple(self._space.choices.fitting(module))
        n_all = len(self._space.choices.always) + len(fitting)
        key = name, gamma, fitting
        made = self._made.get(key, [])
        if length > len(made) and (not made or len(made) < n_all):
            most = max(length, 2 * len(made), self._space.at_most)
            made = self._made[key] = greedy_choice(
                self._space, self._proxies[name], module, most, gamma
            )
        return made
