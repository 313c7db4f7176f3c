"""The paper's search: greedy choices by a proxy, for every proxy, at every size."""

import itertools
import random
from collections.abc import Iterator, Mapping

from placement_search.layout import Layout
from placement_search.space.search_space import SearchSpace
from placement_search.study.greedy import GAMMA, greedy_groups
from placement_search.study.samplers.candidates import random_training
from placement_search.study.samplers.sampler import Proposal, Question, Scores, Setting

PROXY_ORDER = (
    "numerical_rank", "effective_rank", "participation_ratio", "stable_rank", "nuclear_norm",
    "frobenius_norm", "fisher",
)  # fmt: skip
"""Ranks first, as in the paper; proxies that are not named come after these."""
GAMMAS = (GAMMA, 0.0)
"""The paper's discount, then the plain best."""


class GradientGuided:
    """Proposes what greedy choice by the proxies gives, and learns nothing from scores.

    The largest layouts come first, by each proxy in turn; then without the discount, then smaller
    ones. Training settings, where the space has any, are drawn.

    Args:
        setting: What it works on.
    """

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._layouts = list(dict.fromkeys(greedy_layouts(setting.encoding.space, setting.proxies)))

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """See `Sampler`."""
        generator = random.Random(self._setting.seed_of(question.number, "training"))  # noqa: S311
        encoding = self._setting.encoding
        for layout in self._layouts:
            yield Proposal.of(encoding, layout, random_training(encoding.space.training, generator))


def greedy_layouts(space: SearchSpace, proxies: Mapping[str, Scores]) -> Iterator[Layout]:
    """Greedy choices of a space, largest first; some come more than once.

    Args:
        space: Whose connections and modules they have.
        proxies: By name.
    """
    known = [name for name in PROXY_ORDER if name in proxies]
    names = [*known, *(name for name in proxies if name not in known)]
    always = sorted(space.choices.always)
    # A greedy choice of few connections is the beginning of one of more.
    chosen = {
        (gamma, name): greedy_groups(proxies[name], space.groups, space.at_most, gamma, always)
        for gamma, name in itertools.product(GAMMAS, names)
    }
    modules = reversed(range(len(space.modules)))
    sizes = range(space.at_most, max(space.at_least, len(always)) - 1, -1)
    for size, groups, module in itertools.product(sizes, chosen.values(), list(modules)):
        # A place that rules forbid gives way to the next one; a size that they forbid is left out.
        legal = space.choices.repaired([(group, module) for group in groups[:size]])
        if len(legal) == size:
            yield space.layout_of(legal)
