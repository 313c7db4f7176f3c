"""What a sampler of sets chooses from: layouts with their training settings."""

import random
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from placement_search.layout import Layout
from placement_search.space.search_space import SearchSpace
from placement_search.space.training import NO_CHOICE, TrainingChoice, TrainingSpace
from placement_search.study.samplers.sampler import random_training
from placement_search.study.samplers.set_features import Array


class Candidate(NamedTuple):
    """A layout and how it is trained."""

    layout: Layout
    training: TrainingChoice = NO_CHOICE


def random_candidates(space: SearchSpace, generator: random.Random, n: int) -> list[Candidate]:
    """Random layouts of a space, each with random training settings."""
    return [
        Candidate(space.random_layout(generator), random_training(space.training, generator))
        for _ in range(n)
    ]


def neighbours_of(
    space: SearchSpace, candidate: Candidate, generator: random.Random, n: int
) -> list[Candidate]:
    """Candidates one move away: another layout trained alike, or the same trained otherwise."""
    near = [
        Candidate(layout, candidate.training)
        for layout in space.neighbours(candidate.layout, generator, n)
    ]
    if not space.training.settings:
        return near
    trainings = {random_training(space.training, generator) for _ in range(max(1, n // 4))}
    others = sorted(trainings - {candidate.training}, key=lambda each: each.notation)
    return near + [Candidate(candidate.layout, training) for training in others]


def training_features(space: TrainingSpace, candidates: Sequence[Candidate]) -> Array:
    """Where training settings lie within their ranges, from -1 to 1.

    Returns:
        Shape ``(len(candidates), n_settings)``; 0 for a setting without a value.
    """
    rows = np.zeros((len(candidates), len(space.settings)))
    for column, (name, searched) in enumerate(space.settings):
        most = max(1, (searched.n_values or 2) - 1)
        for row, candidate in enumerate(candidates):
            value = getattr(candidate.training, name)
            if value is not None:
                rows[row, column] = 2 * searched.place_of(value) / most - 1
    return rows
