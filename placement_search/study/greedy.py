"""A greedy choice of connections by a proxy, places near chosen ones discounted; loads no torch."""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from statistics import fmean
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from placement_search.layout_scores import DISCOUNT, kept_share
from placement_search.space.choices import Choice, Choices, Completions, Growth
from placement_search.space.groups import Group
from placement_search.space.legality import Pick

GAMMA = DISCOUNT
"""Strength of the discount in the paper; 0 is none."""


def greedy_groups(
    scores: Sequence[Sequence[float]],
    groups: Sequence[Group],
    n: int,
    gamma: float = GAMMA,
    taken: Sequence[int] = (),
) -> list[int]:
    """The numbers of ``n`` groups of connections with high scores that do not crowd together.

    Gradient Guided Adapters (Nowak et al. 2024): the place with the highest score is taken again
    and again, and after each choice the score of every place is multiplied by
    ``1 - gamma ** distance`` to it. The paper leaves the distance open, see
    `layout_scores.distance`. A group has the mean of its connections' scores, and two groups the
    smallest distance between their connections. Ties go to the earlier of ``groups``.

    Args:
        scores: By ``[source][target]``, at least 0, larger for a better place.
        groups: The groups to choose from, different ones.
        n: How many; all of them where there are fewer.
        gamma: Strength of the discount, within [0, 1].
        taken: Numbers of groups that are chosen in any case; they come first, and count.

    Raises:
        ValueError: If gamma is outside its range, or the score of a place is negative or NaN, which
            a discount would not make worse.
    """
    ranking = Ranking(group_scores(scores, groups), Discount(groups, gamma))
    chosen: list[int] = []
    while len(chosen) < min(max(n, len(taken)), len(groups)):
        is_given = len(chosen) < len(taken)
        chosen.append(taken[len(chosen)] if is_given else next(ranking.best_first()))
        ranking.choose(chosen[-1])
    return chosen


class Discount:
    """What is left of groups' scores near chosen ones.

    Args:
        groups: All groups.
        gamma: Strength of the discount, within [0, 1].

    Raises:
        ValueError: If gamma is outside its range.
    """

    def __init__(self, groups: Sequence[Group], gamma: float) -> None:
        if not 0 <= gamma <= 1:
            raise ValueError(f"gamma must lie within 0 and 1, got {gamma}")
        self.groups = groups
        self._gamma = gamma
        self._near: dict[int, NDArray[np.float64]] = {}

    def near(self, chosen: int) -> NDArray[np.float64]:
        """By group, the share of its score that is left once this one is chosen."""
        if chosen not in self._near:
            other = self.groups[chosen]
            kept = [_kept(group, other, self._gamma) for group in self.groups]
            self._near[chosen] = np.array(kept)
        return self._near[chosen]


class Order(Protocol):
    """Groups, the best first, while some are chosen."""

    def best_first(self) -> Iterable[int]:
        """The groups that are not chosen."""

    def choose(self, group: int) -> None:
        """Choose a group."""


class Ranking:
    """Groups by the scores that are left of them while some are chosen, one after another.

    Args:
        scores: By group, at least 0.
        discount: Of the groups.
    """

    def __init__(self, scores: Sequence[float], discount: Discount) -> None:
        self._discount = discount
        self._left = np.array(scores, dtype=float)
        self._chosen: set[int] = set()

    def best_first(self) -> Iterator[int]:
        """The groups that are not chosen, by what is left; of equal ones the earlier."""
        order = np.argsort(-self._left, kind="stable").tolist()
        return (group for group in order if group not in self._chosen)

    def choose(self, group: int) -> None:
        """Choose a group, which leaves less of those near it."""
        self._left = self._left * self._discount.near(group)
        self._chosen.add(group)


class Listed:
    """Groups in an order that choices do not change.

    Args:
        order: The best first.
    """

    def __init__(self, order: Sequence[int]) -> None:
        self._left = list(order)

    def best_first(self) -> list[int]:
        """The groups that are not chosen."""
        return self._left

    def choose(self, group: int) -> None:
        """Choose a group."""
        self._left = [each for each in self._left if each != group]


class LegalChoices:
    """The best choices that rules admit; what they leave possible is worked out once.

    Args:
        choices: What contains them.
        barred: Groups that are not to be chosen.
    """

    def __init__(self, choices: Choices, barred: Collection[int] = ()) -> None:
        self._choices = choices
        self._barred = set(barred) - choices.always
        self._known: Completions = {}

    def of(self, order: Callable[[], Order], module: int, n: int) -> Iterator[list[Choice]]:
        """Sets of ``n`` choices; all but the last one are the same, which is the next best in each.

        What is always there comes first. Then the best group is taken again and again with which
        the set can still come to ``n``. Where connections may have different modules, a group that
        can't have the wished one gets the dearest other one that it can have.

        Args:
            order: Makes an order of all groups, of which none is chosen.
            module: The wished one's number.
            n: How many; at least as many as are always there. No set comes where none is found.
        """
        growth, ranked = self._growth(order(), module, n), order()
        if growth is None:
            return
        for group in sorted(self._choices.always):
            _take(growth, ranked, growth.nearest(group, module))
        while len(growth.made) < n - 1:
            _take(growth, ranked, _best(growth, ranked, module))
        if len(growth.made) == n:
            yield growth.made
            return
        while (last := _best(growth, ranked, module)) is not None:
            yield [*growth.made, last]
            ranked.choose(last[0])

    def _growth(self, order: Order, module: int, n: int) -> Growth | None:
        """An empty set that can come to ``n``: to the best ones where nothing forbids those."""
        choices = self._choices
        everything = tuple(range(choices.legality.n_modules))
        modules = (module,) if choices.is_module_shared else everything
        due: list[Pick] | None = choices.picks(wished := self._wished(order, module, n))
        if len(wished) < n or not choices.contains(wished):
            due = self._found(modules, n)
        if due is None:
            return None
        return Growth(choices, modules, n, due, self._barred, self._known)

    def _found(self, modules: tuple[int, ...], n: int) -> list[Pick] | None:
        """Picks that make a legal set of ``n``; None where none are found."""
        if (n, modules, ()) not in self._known:
            forced = self._choices.forced(set())
            found = self._choices.completion([], forced, self._barred, modules, n)
            self._known[n, modules, ()] = found
        return self._known[n, modules, ()]

    def _wished(self, order: Order, module: int, n: int) -> list[Choice]:
        """The best ``n`` choices without a look at rules, but for where modules fit."""
        wished: list[Choice] = []
        always = sorted(self._choices.always)
        while len(wished) < n:
            given = always[len(wished) : len(wished) + 1] or order.best_first()
            options = (self._fitting(group, module) for group in given if group not in self._barred)
            best = next(filter(None, options), None)
            if best is None:
                break
            wished.append(best)
            order.choose(best[0])
        return wished

    def _fitting(self, group: int, module: int) -> Choice | None:
        """A group with the wished module, or the dearest that fits where it may have another."""
        if self._choices.fits(group, module):
            return group, module
        others = () if self._choices.is_module_shared else self._choices.modules_of(group)
        return (group, others[-1]) if others else None


class FittingChoices:
    """Legal choices among the places that a module fits; where those are too few, among all.

    Args:
        choices: What contains them.
    """

    def __init__(self, choices: Choices) -> None:
        self._choices = choices
        self._legal: dict[frozenset[int], LegalChoices] = {}

    def of(self, order: Callable[[], Order], module: int, n: int) -> Iterator[list[Choice]]:
        """See `LegalChoices.of`."""
        choices = self._choices
        misfits = frozenset(choices.free).difference(choices.fitting(module))
        for barred in dict.fromkeys((misfits, frozenset[int]())):
            if barred not in self._legal:
                self._legal[barred] = LegalChoices(choices, barred)
            found = self._legal[barred].of(order, module, n)
            for first in found:
                return itertools.chain([first], found)
        return iter(())


def _best(growth: Growth, ranked: Order, module: int) -> Choice | None:
    """The best group that is admitted, with its module."""
    found = (growth.nearest(group, module) for group in ranked.best_first())
    return next(filter(None, found), None)


def _take(growth: Growth, ranked: Order, choice: Choice | None) -> None:
    """Take a choice, of which there is one as long as a set can be completed."""
    if choice is None or not growth.take(choice):
        raise RuntimeError("picks that complete a set were none of its choices")
    ranked.choose(choice[0])


def group_scores(scores: Sequence[Sequence[float]], groups: Sequence[Group]) -> list[float]:
    """The mean of every group's connections.

    Raises:
        ValueError: If the score of a place is negative or NaN.
    """
    for source, target in (pair for group in groups for pair in group):
        if not scores[source][target] >= 0:
            raise ValueError(
                f"scores must be at least 0, got {scores[source][target]} of {source}>{target}"
            )
    return [fmean(scores[s][t] for s, t in group) for group in groups]


def _kept(group: Group, chosen: Group, gamma: float) -> float:
    """The share of a group's score that is left by its connection nearest to a chosen group."""
    return min(kept_share(pair, other, gamma) for pair in group for other in chosen)
