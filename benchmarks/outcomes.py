"""What the searches of one sampler on one world came to, and what that hangs on."""

import hashlib
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

from benchmarks.placements.world import World
from benchmarks.random_order import random_order
from benchmarks.replay import Replay, median_trials, trials_until
from benchmarks.results import Result
from benchmarks.tabled import Source
from placement_search.study.samplers import version_of

SLACK = 0.01
"""A layout is good enough when it lacks no more than this share of the best one's score."""
LOOKED_AT = (10, 20, 40)
"""Trials after which regret is told."""
REPLAYS = 2
"""Version of how searches are replayed and judged."""
PACKAGES = ("cmaes", "numpy", "optuna", "scikit-learn", "scipy", "torch")
"""What samplers reckon with."""


@dataclass(frozen=True, slots=True)
class Job:
    """One search to replay."""

    source: Source
    task: str
    space: str
    sampler: str
    seed: int
    n_trials: int
    longest: int
    concurrency: int = 1


def enough_of(best: float) -> float:
    """What a good enough layout scores; scores may be below 0, as correlations are."""
    return best - SLACK * abs(best)


def looked_at(n_trials: int) -> tuple[int, ...]:
    """After which of so many trials regret is told: after the last where all others are more."""
    return tuple(n for n in LOOKED_AT if n <= n_trials) or (n_trials,)


def made_from(world: World, jobs: Sequence[Job]) -> str:
    """Digest of what the result of some searches of one sampler hangs on but the longest's length.

    A change of this benchmark's own code that changes results counts `REPLAYS` up.
    """
    first = jobs[0]
    parts = (
        *(first.task, first.space, world.fingerprint, first.sampler, version_of(first.sampler)),
        *(first.n_trials, [job.seed for job in jobs], SLACK, LOOKED_AT, REPLAYS),
        *(version(package) for package in PACKAGES),
        # One at a time is what results hang on that were made before there was a choice.
        *([first.concurrency] if first.concurrency > 1 else []),
    )
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def result_of(world: World, jobs: Sequence[Job], replays: Sequence[Replay]) -> Result:
    """What many seeds of one sampler on one world came to.

    By test only as many trials count as every search has: which ones went on was decided by
    validation scores.
    """
    job = jobs[0]
    worths, tests = world.worths, world.tests
    enough, test_enough = enough_of(worths[0]), enough_of(tests[0])
    until = [trials_until(each.worths, enough) for each in replays]
    test_until = [trials_until(each.tests[: job.n_trials], test_enough) for each in replays]
    curve = _regrets(worths[0], [[r.worths[n] for n in r.incumbents()] for r in replays], job)
    test = _regrets(tests[0], [[r.tests[n] for n in r.incumbents()] for r in replays], job)
    # Where a world ran out, its last trial stands for those that no search had.
    told = [min(n, len(curve)) - 1 for n in looked_at(job.n_trials)]
    return Result(
        task=job.task,
        space=job.space,
        sampler=job.sampler,
        table=f"{job.source.table.name} {world.owner}",
        n_layouts=world.n_layouts,
        n_open=world.n_open,
        n_close=sum(worth >= enough for worth in worths),
        n_seeds=len(replays),
        longest=job.longest,
        trials=_finite(median_trials(until)),
        quartiles=_quartiles(until),
        regrets=tuple(curve[n] for n in told),
        curve=curve,
        test_close=sum(score >= test_enough for score in tests),
        test_trials=_finite(median_trials(test_until)),
        test_quartiles=_quartiles(test_until),
        test_regrets=tuple(test[n] for n in told),
        random_order=random_order(worths, job.n_trials),
        made_from=made_from(world, jobs),
        concurrency=job.concurrency,
    )


def _regrets(best: float, incumbents: Sequence[Sequence[float]], job: Job) -> tuple[float, ...]:
    """Best score less that of the incumbent after each trial that all searches have, mean."""
    length = min(job.n_trials, *map(len, incumbents))
    return tuple(best - statistics.fmean(each[n] for each in incumbents) for n in range(length))


def _quartiles(until: Sequence[float]) -> tuple[float | None, float | None]:
    # A quarter and three quarters of the searches are searches, since never can't be averaged.
    low, high = np.quantile(until, (0.25, 0.75), method="inverted_cdf")
    return _finite(low), _finite(high)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
