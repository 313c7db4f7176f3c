"""The paper's search: greedy choices by a proxy, for every proxy, at every size."""

import itertools
import random
from collections.abc import Iterator, Mapping

from placement_search.layout import Layout
from placement_search.space.search_space import SearchSpace
from placement_search.study.greedy import GAMMA, greedy_choice
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
    # A greedy choice of few connections is the beginning of one of more.
    chosen = _Chosen(space, proxies)
    asked = itertools.product(GAMMAS, names)
    modules = list(reversed(range(len(space.modules))))
    sizes = range(space.at_most, space.at_least - 1, -1)
    for size, (gamma, name), module in itertools.product(sizes, asked, modules):
        groups = chosen.by(name, gamma, module)[:size]
        # A place that rules forbid gives way to the next one; a size that they forbid is left out.
        legal = space.choices.repaired([(group, module) for group in groups])
        if len(legal) == size:
            yield space.layout_of(legal)


class _Chosen:
    """Greedy choices, each made once for all modules that fit the same groups."""

    def __init__(self, space: SearchSpace, proxies: Mapping[str, Scores]) -> None:
        self._space = space
        self._proxies = proxies
        self._made: dict[tuple[str, float, tuple[int, ...]], list[int]] = {}

    def by(self, name: str, gamma: float, module: int) -> list[int]:
        """The largest choice by a proxy."""
        key = name, gamma, tuple(self._space.choices.fitting(module))
        if key not in self._made:
            self._made[key] = greedy_choice(
                self._space, self._proxies[name], module, self._space.at_most, gamma
            )
        return self._made[key]
