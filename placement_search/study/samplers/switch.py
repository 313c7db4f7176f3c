"""Learned switches: what they keep is trained again, then a little less and a little more."""

import itertools
import random
from collections.abc import Iterator, Mapping
from statistics import fmean

from placement_search.layout import Layout
from placement_search.space.node_names import Pair
from placement_search.space.search_space import SearchSpace
from placement_search.study.samplers.candidates import random_training
from placement_search.study.samplers.sampler import Proposal, Question, Setting


class KeptBySwitches:
    """Proposes the connections that switches keep, and learns nothing from scores.

    All that they keep comes first, or as many as the space admits, the most probable ones; then
    those with one connection less, one more, and so on; each with the dearest module first, which
    the switches were trained with. Training settings, where the space has any, are drawn.

    Args:
        setting: What it works on.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._layouts = list(dict.fromkeys(kept_layouts(setting.encoding.space, setting.keep)))

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """See `Sampler`."""
        generator = random.Random(self._setting.seed_of(question.number, "training"))  # noqa: S311
        encoding = self._setting.encoding
        for layout in self._layouts:
            yield Proposal.of(encoding, layout, random_training(encoding.space.training, generator))


def kept_layouts(space: SearchSpace, keep: Mapping[Pair, float]) -> Iterator[Layout]:
    """Layouts of the most probable connections, nested, the number that is kept first.

    Args:
        space: Whose connections and modules they have.
        keep: By connection the probability that a switch keeps it, for those that have one.
    """
    always = space.choices.always
    known = {
        number: fmean(keep[pair] for pair in group)
        for number, group in enumerate(space.groups)
        if all(pair in keep for pair in group)
    }
    order = sorted(known, key=lambda number: (number not in always, -known[number], number))
    n_kept = sum(known[number] >= 0.5 or number in always for number in order)
    sizes = range(max(space.at_least, len(always)), min(space.at_most, len(order)) + 1)
    modules = reversed(range(len(space.modules)))
    nearest = sorted(sizes, key=lambda size: (abs(size - n_kept), size))
    for size, module in itertools.product(nearest, list(modules)):
        # A place that rules forbid gives way to the next one; a size that they forbid is left out.
        legal = space.choices.repaired([(group, module) for group in order[:size]])
        if len(legal) == size:
            yield space.layout_of(legal)
