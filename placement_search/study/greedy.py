"""A greedy choice of connections by a proxy, places near chosen ones discounted; loads no torch."""

from collections.abc import Sequence
from statistics import fmean

from placement_search.layout_scores import DISCOUNT, kept_share
from placement_search.space.groups import Group
from placement_search.space.search_space import SearchSpace

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
    left = _group_scores(scores, groups)
    if not 0 <= gamma <= 1:
        raise ValueError(f"gamma must lie within 0 and 1, got {gamma}")
    chosen: list[int] = []
    while left and len(chosen) < max(n, len(taken)):
        is_given = len(chosen) < len(taken)
        best = taken[len(chosen)] if is_given else max(left, key=left.__getitem__)
        del left[best]
        chosen.append(best)
        for number in left:
            left[number] *= _kept(groups[number], groups[best], gamma)
    return chosen


def greedy_choice(
    space: SearchSpace,
    scores: Sequence[Sequence[float]],
    module: int,
    n: int,
    gamma: float = GAMMA,
) -> list[int]:
    """The numbers of ``n`` groups of a space as `greedy_groups` chooses them for one module.

    Those that are always there come first; no other one is chosen that the module does not fit.

    Args:
        space: Whose groups.
        scores: See `greedy_groups`.
        module: The module's number.
        n: How many; fewer where the module fits fewer.
        gamma: See `greedy_groups`.
    """
    always = sorted(space.choices.always)
    known = sorted([*always, *space.choices.fitting(module)])
    taken = [known.index(group) for group in always]
    groups = [space.groups[group] for group in known]
    return [known[place] for place in greedy_groups(scores, groups, n, gamma, taken)]


def _group_scores(scores: Sequence[Sequence[float]], groups: Sequence[Group]) -> dict[int, float]:
    """The mean of every group's connections, by its number."""
    for source, target in (pair for group in groups for pair in group):
        if not scores[source][target] >= 0:
            raise ValueError(
                f"scores must be at least 0, got {scores[source][target]} of {source}>{target}"
            )
    return {n: fmean(scores[s][t] for s, t in group) for n, group in enumerate(groups)}


def _kept(group: Group, chosen: Group, gamma: float) -> float:
    """The share of a group's score that is left by its connection nearest to a chosen group."""
    return min(kept_share(pair, other, gamma) for pair in group for other in chosen)
