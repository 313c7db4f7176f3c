"""Searches replayed on tabled scores: a sampler asks, a table answers, nothing is trained."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.lone_search import LoneSearch
from benchmarks.placements.world import World
from placement_search.layout import Layout
from placement_search.study.samplers.proposer import SpaceExhaustedError


@dataclass(frozen=True, slots=True)
class Replay:
    """One search.

    Args:
        worths: What each trial's layout is worth, in the order of trials.
        scores: What was observed of it.
        tests: Its mean test score.
    """

    worths: tuple[float, ...]
    scores: tuple[float, ...]
    tests: tuple[float, ...]

    def incumbents(self) -> list[int]:
        """Which trial's layout scored best so far, after each trial; from 0."""
        best, found = 0, []
        for number, score in enumerate(self.scores):
            best = number if score > self.scores[best] else best
            found.append(best)
        return found


def trials_until(worths: Sequence[float], enough: float) -> float:
    """How many trials it took to try a layout that is worth so much; infinite for never."""
    return next((n for n, worth in enumerate(worths, 1) if worth >= enough), float("inf"))


@dataclass(frozen=True, slots=True)
class Length:
    """How long a search is.

    Args:
        n_trials: Trials of every search.
        longest: Trials of one that has not tried a good enough layout before.
        enough: What a good enough layout is worth; only read where ``longest`` is more.
    """

    n_trials: int
    longest: int = 0
    enough: float = float("inf")

    def goes_on(self, worths: Sequence[float]) -> bool:
        """Whether a search goes on after trials of layouts that are worth so much."""
        n = len(worths)
        return n < self.n_trials or (n < self.longest and max(worths) < self.enough)


def replay(
    world: World, sampler: str, seed: int, length: Length, *, concurrency: int = 1
) -> Replay:
    """Search a world; ends early where it has been seen whole.

    Args:
        world: Answers.
        sampler: Name of the sampler.
        seed: The search's, and of what it observes.
        length: How long.
        concurrency: Trials under way at once; the sampler knows less of the last ones.
    """
    tried: set[Layout] = set()
    search = LoneSearch(world.space(tried), world.proxies, sampler, seed, concurrency)
    luck = random.Random(seed)  # noqa: S311 - reproducible, not secret
    worths: list[float] = []
    scores: list[float] = []
    tests: list[float] = []
    while len(worths) < world.n_layouts and length.goes_on(worths):
        try:
            proposal = search.propose()
        except SpaceExhaustedError:
            break
        tried.add(proposal.layout)
        scores.append(world.observed(proposal.layout, luck))
        worths.append(world.worth(proposal.layout))
        tests.append(world.test(proposal.layout))
        search.tell(proposal, scores[-1])
    return Replay(tuple(worths), tuple(scores), tuple(tests))


def median_trials(until: Sequence[float]) -> float:
    """Median number of trials; infinite where most searches never were good enough."""
    found = sorted(until)
    middle = len(found) // 2
    return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2
