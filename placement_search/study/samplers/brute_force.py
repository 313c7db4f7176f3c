"""Every layout of a small space, each once."""

import itertools
import math
import random
from collections.abc import Iterator

from placement_search.errors import StudyError
from placement_search.layout import Layout
from placement_search.space.search_space import SearchSpace
from placement_search.study.samplers.sampler import Proposal, Question, Setting

MAX_LAYOUTS = 100_000
"""Layouts that a space may have; nobody trains more."""


class BruteForce:
    """Proposes all layouts of a space, in a random order that the seed fixes.

    Args:
        setting: What it works on.

    Raises:
        StudyError: If the space has too many layouts.
    """

    def __init__(self, setting: Setting) -> None:
        self._encoding = setting.encoding
        space = setting.encoding.space
        if space.log10_size > math.log10(MAX_LAYOUTS):
            raise StudyError(
                f"--sampler brute-force takes spaces of at most {MAX_LAYOUTS:,} layouts; "
                f"{space.name!r} has about 10^{space.log10_size:.1f}; narrow it, or take another"
            )
        found = list(all_layouts(space))
        random.Random(setting.seed_of("order")).shuffle(found)  # noqa: S311
        self._layouts = found

    def proposals(self, question: Question) -> Iterator[Proposal]:  # noqa: ARG002 - the protocol's
        """See `Sampler`."""
        for layout in self._layouts:
            yield Proposal(layout, self._encoding.encode(layout))


def all_layouts(space: SearchSpace) -> Iterator[Layout]:
    """Every layout of a space, the smallest first."""
    always, numbers = sorted(space.choices.always), range(len(space.modules))
    for size in range(max(0, space.at_least - len(always)), space.at_most - len(always) + 1):
        for free in itertools.combinations(space.choices.free, size):
            groups = [*always, *free]
            sets = (
                ((number,) * len(groups) for number in numbers)
                if space.is_module_shared
                else itertools.product(numbers, repeat=len(groups))
            )
            for modules in sets:
                chosen = list(zip(groups, modules, strict=True))
                if space.choices.contains(chosen):
                    yield space.layout_of(chosen)
