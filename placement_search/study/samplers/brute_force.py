"""Every layout of a small space, each once."""

import itertools
import math
import random
from collections.abc import Container, Iterator, Sequence

from placement_search.errors import StudyError
from placement_search.layout import Layout
from placement_search.space.choices import Choice, Choices
from placement_search.space.search_space import SearchSpace
from placement_search.space.training import TrainingChoice, TrainingSpace
from placement_search.study import records
from placement_search.study.samplers.candidates import Candidate
from placement_search.study.samplers.sampler import Proposal, Question, Setting

MAX_LAYOUTS = 100_000
"""Layouts, with their training settings, that a space may have; nobody trains more."""


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
        _check_size(space)
        found = list(map(Candidate, *zip(*_everything(space), strict=True)))
        random.Random(setting.seed_of("order")).shuffle(found)  # noqa: S311
        self._found = {each.training.id_with(each.layout.id): each for each in found}

    def proposals(self, question: Question) -> Iterator[Proposal]:
        """See `Sampler`."""
        before = (*question.trials, *question.pending)
        return self.unseen({trial.user_attrs[records.LAYOUT_ID] for trial in before})

    def unseen(self, seen: Container[str]) -> Iterator[Proposal]:
        """All layouts but those with these ids."""
        for name, candidate in self._found.items():
            if name not in seen:
                yield Proposal.of(self._encoding, *candidate)


def _check_size(space: SearchSpace) -> None:
    """Check that a space can be gone through.

    Raises:
        StudyError: If it can't.
    """
    counts = [searched.n_values for _, searched in space.training.settings]
    if None in counts:
        raise StudyError(
            f"--sampler brute-force takes lists of training settings, {space.name!r} has an "
            "interval; list its values, or take another sampler"
        )
    n_trainings = math.prod(count for count in counts if count)
    n_layouts = space.n_layouts
    if n_layouts is None or n_layouts * n_trainings > MAX_LAYOUTS:
        raise StudyError(
            f"--sampler brute-force takes spaces of at most {MAX_LAYOUTS:,} layouts; "
            f"{space.name!r} has about 10^{space.log10_size + math.log10(n_trainings):.1f}; "
            "narrow it, or take another"
        )


def _everything(space: SearchSpace) -> Iterator[tuple[Layout, TrainingChoice]]:
    return itertools.product(all_layouts(space), all_trainings(space.training))


def all_trainings(space: TrainingSpace) -> Iterator[TrainingChoice]:
    """Every choice of training settings, each of which has a list of values."""
    names = [name for name, _ in space.settings]
    for values in itertools.product(*(searched.values for _, searched in space.settings)):
        yield TrainingChoice(**dict(zip(names, values, strict=True)))


def all_layouts(space: SearchSpace) -> Iterator[Layout]:
    """Every layout of a space."""
    choices = space.choices
    for modules in choices.module_sets:
        for begun in _begun(choices, [], sorted(choices.always), modules):
            for chosen in _grown(choices, begun, modules, 0):
                if choices.contains(chosen):
                    yield space.layout_of(chosen)


def _begun(
    choices: Choices, chosen: list[Choice], always: Sequence[int], modules: Sequence[int]
) -> Iterator[list[Choice]]:
    """What is always there with modules of every legal sort, beside what is chosen."""
    if not choices.legality.allows(choices.picks(chosen)):
        return
    if not always:
        yield chosen
        return
    for module in modules:
        yield from _begun(choices, [*chosen, (always[0], module)], always[1:], modules)


def _grown(
    choices: Choices, chosen: list[Choice], modules: Sequence[int], first: int
) -> Iterator[list[Choice]]:
    """A set of choices and all larger ones, as far as the rules allow.

    What is legal stays legal when a choice is dropped, so nothing grows from what is not.
    """
    free = choices.free
    is_short = len(chosen) + len(free) - first < choices.at_least
    if is_short or not choices.legality.allows(choices.picks(chosen)):
        return
    yield chosen
    for index in range(first, len(free)):
        for module in modules:
            yield from _grown(choices, [*chosen, (free[index], module)], modules, index + 1)
