"""Layouts from elsewhere that a study starts from, as other studies exported them; no torch."""

import itertools
from collections.abc import Iterable
from dataclasses import dataclass

from placement_search.space.training import NO_CHOICE, TrainingChoice

START = "start: "
"""What the roles of such layouts begin with; the task that they were found on follows."""


@dataclass(frozen=True, slots=True)
class StartLayout:
    """A layout that was found on another task, with what its file says of it.

    Args:
        layout: Its notation.
        task: The task that it was found on.
        study: The study that found it.
        backbone: Fingerprint of the backbone that it was found on.
        metric: What its score is.
        score: Its validation score there, the mean over ``n_seeds`` seeds.
        n_seeds: Retrainings behind the score; 1 where there were no finals.
        training: How it was trained there, as far as its file says.
    """

    layout: str
    task: str
    study: str
    backbone: str
    metric: str
    score: float
    n_seeds: int
    training: TrainingChoice = NO_CHOICE


ADAPTED = "adapted start: "
"""What the roles of those begin with that a study made of such layouts, see `adapted`."""


def named_starts(starts: Iterable[StartLayout]) -> dict[str, StartLayout]:
    """The layouts by role, whatever the order in which they were given.

    The role names the task; several of one task are numbered. A layout that comes twice from one
    study counts once.
    """
    ordered = sorted(
        set(starts),
        key=lambda s: (
            s.task,
            s.study,
            s.layout,
            s.score,
            s.n_seeds,
            s.training.notation,
            s.backbone,
            s.metric,
        ),
    )
    named: dict[str, StartLayout] = {}
    for start in ordered:
        first = f"{START}{start.task}"
        numbered = (f"{first} {number}" for number in itertools.count(2))
        # A task may be called as the second one of another.
        named[next(r for r in itertools.chain([first], numbered) if r not in named)] = start
    return named


def is_start(role: str) -> bool:
    """Whether a trial's role is that of a layout from elsewhere, or of one made of it."""
    return role.startswith(START) or is_adapted(role)


def is_adapted(role: str) -> bool:
    """Whether a trial's role is that of a layout made of one from elsewhere."""
    return role.startswith(ADAPTED)


def adapted_role(role: str) -> str:
    """The role of what is made of the layout from elsewhere that has this one."""
    return ADAPTED + role.removeprefix(START)
