"""Every layout of a small space, each once."""

import itertools
import math
import random
from collections.abc import Iterator

from placement_search.errors import StudyError
from placement_search.layout import Layout
from placement_search.space.search_space import SearchSpace
from placement_search.space.training import TrainingChoice, TrainingSpace
from placement_search.study.samplers.sampler import Proposal, Question, Setting

MAX_LAYOUTS = 100_000
"""Layouts that a space may have; nobody trains more."""


class BruteForce:
    """Proposes all layouts of a space, in a random order that the seed fixes.

    Args:
        setting: What it works on.

    Raises:
        StudyError: If the space has too many layouts, or an interval of training settings.
    """

    def __init__(self, setting: Setting) -> None:
        self._encoding = setting.encoding
        space = setting.encoding.space
        if any(searched.n_values is None for _, searched in space.training.settings):
            raise StudyError(
                f"--sampler brute-force takes lists of training settings, {space.name!r} has an "
                "interval; list its values, or take another sampler"
            )
        if space.log10_size > math.log10(MAX_LAYOUTS):
            raise StudyError(
                f"--sampler brute-force takes spaces of at most {MAX_LAYOUTS:,} layouts; "
                f"{space.name!r} has about 10^{space.log10_size:.1f}; narrow it, or take another"
            )
        found = list(itertools.product(all_layouts(space), all_trainings(space.training)))
        random.Random(setting.seed_of("order")).shuffle(found)  # noqa: S311
        self._found = found

    def proposals(self, question: Question) -> Iterator[Proposal]:  # noqa: ARG002 - the protocol's
        """See `Sampler`."""
        for layout, training in self._found:
            yield Proposal.of(self._encoding, layout, training)


def all_trainings(space: TrainingSpace) -> Iterator[TrainingChoice]:
    """Every choice of training settings, each of which has a list of values."""
    names = [name for name, _ in space.settings]
    for values in itertools.product(*(searched.values for _, searched in space.settings)):
        yield TrainingChoice(**dict(zip(names, values, strict=True)))


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
