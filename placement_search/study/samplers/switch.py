"""Learned switches: what they keep is trained again, then a little less and a little more."""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from statistics import fmean

from placement_search.layout import Layout
from placement_search.space.node_names import Pair
from placement_search.space.search_space import SearchSpace
from placement_search.study.greedy import LegalChoices, Listed
from placement_search.study.samplers.sampler import Proposal, Question, Setting, in_order


class KeptBySwitches:
    """Proposes the connections that switches keep, and learns nothing from scores.

    All that they keep comes first, or as many as the space admits, the most probable ones; then
    those with one connection less, one more, and so on; each with the module first that the
    switches were trained with. Training settings, where the space has any, are drawn.

    Args:
        setting: What it works on.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._layouts = list(dict.fromkeys(kept_layouts(setting.encoding.space, setting.keep)))

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """See `Sampler`.

        Raises:
            ValueError: If no switches were trained.
        """
        if not self._setting.keep:
            raise ValueError("switches have to be trained before they say what they keep")
        generator = random.Random(self._setting.seed_of(question.number, "training"))  # noqa: S311
        return in_order(self._setting, question, self._layouts, generator)


def kept_layouts(space: SearchSpace, keep: Mapping[Pair, float]) -> Iterator[Layout]:
    """Layouts of the most probable connections, nested, the number that is kept first.

    Where all connections of a layout have one module, each module has its own most probable ones,
    among those that it fits.

    Args:
        space: Whose connections and modules they have.
        keep: By connection the probability that a switch keeps it, for those that have one.
    """
    known = {
        number: fmean(keep[pair] for pair in group)
        for number, group in enumerate(space.groups)
        if all(pair in keep for pair in group)
    }
    always = space.choices.always
    order = sorted({*known, *always}, key=lambda group: (-known.get(group, 0.0), group))
    legal = LegalChoices(space.choices, barred=set(range(len(space.groups))) - set(order))
    dearest = list(reversed(range(len(space.modules))))
    modules = by_fit(space, known) if space.is_module_shared else dearest
    sizes = [_sizes(space, known, module) for module in modules]
    for in_turn in itertools.zip_longest(*sizes):
        for module, size in zip(modules, in_turn, strict=True):
            if size is not None:
                found = legal.of(partial(Listed, order), module, size)
                yield from map(space.layout_of, itertools.islice(found, 1))


def by_fit(space: SearchSpace, groups: Iterable[int]) -> list[int]:
    """Numbers of the modules; those that fit most of these groups first, the dearest among equals.

    The first one is the module that switches are trained with where a layout has one for all: so
    most connections are tried out, and with as much as they can have.
    """
    asked, modules = list(groups), range(len(space.modules))
    n_fitting = [sum(space.choices.fits(group, module) for group in asked) for module in modules]
    return sorted(modules, key=lambda module: (-n_fitting[module], -module))


def _sizes(space: SearchSpace, known: Mapping[int, float], module: int) -> list[int]:
    """Numbers of groups with a module, by how near they are to that of those that are kept."""
    always = space.choices.always
    fitting = {
        number
        for number in known
        if not space.is_module_shared or space.choices.fits(number, module)
    }
    n_kept = len(always | {number for number in fitting if known[number] >= 0.5})
    sizes = range(space.at_least, min(space.at_most, len(always | fitting)) + 1)
    return sorted(sizes, key=lambda size: (abs(size - n_kept), size))
