"""Learned switches: what they keep is trained again, then a little less and a little more."""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping
from statistics import fmean

from placement_search.layout import Layout
from placement_search.space.choices import Choice
from placement_search.space.node_names import Pair
from placement_search.space.search_space import SearchSpace
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
    dearest = list(reversed(range(len(space.modules))))
    modules = by_fit(space, known) if space.is_module_shared else dearest
    wishes = [_nested(space, known, module) for module in modules]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*wishes, fillvalue=[]))
    for wish in filter(None, in_turn):
        # A place that rules forbid gives way to the next one; a size that they forbid is left out.
        legal = space.choices.repaired(wish)
        if len(legal) == len(wish):
            yield space.layout_of(legal)


def by_fit(space: SearchSpace, groups: Iterable[int]) -> list[int]:
    """Numbers of the modules; those that fit most of these groups first, the dearest among equals.

    The first one is the module that switches are trained with where a layout has one for all: so
    most connections are tried out, and with as much as they can have.
    """
    asked, modules = list(groups), range(len(space.modules))
    n_fitting = [sum(space.choices.fits(group, module) for group in asked) for module in modules]
    return sorted(modules, key=lambda module: (-n_fitting[module], -module))


def _nested(space: SearchSpace, known: Mapping[int, float], module: int) -> list[list[Choice]]:
    """The most probable groups with a module, by how near their number is to what is kept."""
    always = space.choices.always
    fitting = [
        number
        for number in known
        if not space.is_module_shared or space.choices.fits(number, module)
    ]
    order = sorted(fitting, key=lambda number: (number not in always, -known[number], number))
    n_kept = sum(known[number] >= 0.5 or number in always for number in order)
    sizes = range(max(space.at_least, len(always)), min(space.at_most, len(order)) + 1)
    nearest = sorted(sizes, key=lambda size: (abs(size - n_kept), size))
    return [[(group, module) for group in order[:size]] for size in nearest]
