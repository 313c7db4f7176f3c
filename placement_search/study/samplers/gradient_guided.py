"""The paper's search: greedy choices by a proxy, for every proxy, at every size."""

import itertools
import random
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from placement_search.layout import Layout
from placement_search.space.choices import Choice
from placement_search.space.search_space import SearchSpace
from placement_search.study.greedy import Discount, FittingChoices, Ranking, group_scores
from placement_search.study.samplers.sampler import Proposal, Question, Setting, in_order

PROXY_ORDER = (
    "numerical_rank", "effective_rank", "participation_ratio", "stable_rank", "nuclear_norm",
    "frobenius_norm", "fisher",
)  # fmt: skip
"""Ranks first, as in the paper; proxies that are not named come after these."""


class GradientGuided:
    """Proposes what greedy choice by the proxies gives, and learns nothing from scores.

    The largest layouts come first, by each proxy in turn, with each discount; then smaller ones.
    They wish for one module: that of which most connections are allowed, of equal ones the
    dearest; those of the next one follow, in the same order. Where connections may have different
    modules, one that can't have that module has the dearest other one; places that it does not fit
    are taken where others are too few. After them the last
    connection of each gives way to the next one of its proxy, and so on. Training settings, where
    the space has any, are drawn.

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
    for _ in space.groups:
        yield from _granted(chosen, wishes)


def greedy_layouts(setting: Setting) -> Iterator[Layout]:
    """Greedy choices by every proxy, the largest first, with modules in turn; some repeat."""
    return _granted(_Chosen(setting), _wishes(setting))


class _Wish(NamedTuple):
    """A proxy, the strength of the discount, the module, and how many groups of connections."""

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


def _granted(chosen: "_Chosen", wishes: Iterable[_Wish]) -> Iterator[Layout]:
    """The next layouts of those wishes that can be met."""
    made = map(chosen.next_layout, wishes)
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
        wishes = (_Wish(name, setting.gammas[0], module, size) for size in sizes)
        yield from itertools.islice(_granted(chosen, wishes), 1)


def _sizes(space: SearchSpace) -> range:
    """Numbers of connections, the largest first."""
    return range(space.at_most, space.at_least - 1, -1)


class _Chosen:
    """Greedy choices, each worked out once and gone on from where a next best one is asked for."""

    def __init__(self, setting: Setting) -> None:
        self._space = setting.encoding.space
        groups = self._space.groups
        self._scores = {name: group_scores(each, groups) for name, each in setting.proxies.items()}
        self._discounts = {gamma: Discount(groups, gamma) for gamma in setting.gammas}
        self._legal = FittingChoices(self._space.choices)
        self._begun: dict[_Wish, Iterator[list[Choice]]] = {}

    def next_layout(self, wish: _Wish) -> Layout | None:
        """The best choice that rules admit, then that whose last one is the next best, and so on.

        None where there is no other one.
        """
        if wish not in self._begun:
            order = partial(Ranking, self._scores[wish.name], self._discounts[wish.gamma])
            self._begun[wish] = self._legal.of(order, wish.module, wish.size)
        made = next(self._begun[wish], None)
        return None if made is None else self._space.layout_of(made)
