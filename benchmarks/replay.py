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
    """

    worths: tuple[float, ...]
    scores: tuple[float, ...]

    def trials_until(self, enough: float) -> float:
        """How many trials it took to try a layout that is worth so much; infinite for never."""
        return next((n for n, worth in enumerate(self.worths, 1) if worth >= enough), float("inf"))

    def incumbents(self) -> list[float]:
        """What the layout that scored best so far is worth, after each trial."""
        best, worth, found = float("-inf"), float("nan"), []
        for score, its_worth in zip(self.scores, self.worths, strict=True):
            if score > best:
                best, worth = score, its_worth
            found.append(worth)
        return found


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


def replay(world: World, sampler: str, seed: int, length: Length) -> Replay:
    """Search a world; ends early where it has been seen whole.

    Args:
        world: Answers.
        sampler: Name of the sampler.
        seed: The search's, and of what it observes.
        length: How long.
    """
    tried: set[Layout] = set()
    search = LoneSearch(world.space(tried), world.proxies, sampler, seed)
    luck = random.Random(seed)  # noqa: S311 - reproducible, not secret
    worths: list[float] = []
    scores: list[float] = []
    while len(worths) < world.n_layouts and length.goes_on(worths):
        try:
            proposal = search.propose()
        except SpaceExhaustedError:
            break
        tried.add(proposal.layout)
        scores.append(world.observed(proposal.layout, luck))
        worths.append(world.worth(proposal.layout))
        search.tell(proposal, scores[-1])
    return Replay(tuple(worths), tuple(scores))


def median_trials(replays: Sequence[Replay], enough: float) -> float:
    """Median number of trials until one is good enough; infinite where most never were."""
    found = sorted(each.trials_until(enough) for each in replays)
    middle = len(found) // 2
    return found[middle] if len(found) % 2 else (found[middle - 1] + found[middle]) / 2
