from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from benchmarks import outcomes
from benchmarks.outcomes import (
    LOOKED_AT,
    PACKAGES,
    REPLAYS,
    SLACK,
    Job,
    enough_of,
    looked_at,
    made_from,
    result_of,
)
from benchmarks.placements.maps import MAPS
from benchmarks.placements.table import TABLE
from benchmarks.placements.world import World
from benchmarks.replay import Length, Replay, replay
from benchmarks.results import RESULTS, Result, read_results
from benchmarks.tabled import Source, world_of
from tests.benchmarks.made_up import GRID, N_NODES, SHIPPED, SINGLES

SOURCE = Source(TABLE, MAPS)
JOB = Job(SOURCE, "made-up", "singles", "random", 0, 5, 5)


def _newer(changed: str) -> Callable[[str], str]:
    """Versions of which one package's is another."""
    return lambda package: "newer" if package == changed else version(package)


WORLD = World("made-up", SINGLES, {"depth": GRID}, N_NODES, 1)


@pytest.mark.slow
def test_a_search_that_goes_on_begins_as_it_would_have() -> None:
    """Its first trials are those of a shorter one, and so is its regret after them."""
    world = World("made-up", SINGLES, {"depth": [[0.0] * N_NODES] * N_NODES}, N_NODES, 1)
    job = Job(Source(MAPS, MAPS), "made-up", "singles", "random", 0, 5, 5)
    short, long = (replay(world, "random", 0, Length(5, n, 1.0)) for n in (5, 30))
    result = result_of(world, [replace(job, longest=30)], [long])

    assert len(short.worths) == 5
    assert len(long.worths) == 30
    assert long.worths[:5] == short.worths
    assert result.curve == result_of(world, [job], [short]).curve


def test_a_score_that_changed_makes_a_result_anew() -> None:
    """So does a proxy, and nothing else than what a search meets."""
    proxies = {"depth": [[0.0] * N_NODES] * N_NODES}
    world = World("made-up", SINGLES, proxies, N_NODES, 1)
    same = World("made-up", SINGLES[::-1], proxies, N_NODES, 1)
    better = [replace(SINGLES[0], validation=0.9), *SINGLES[1:]]

    assert same.fingerprint == world.fingerprint
    assert World("made-up", better, proxies, N_NODES, 1).fingerprint != world.fingerprint
    assert World("made-up", SINGLES, {}, N_NODES, 1).fingerprint != world.fingerprint


def test_a_test_score_that_changed_makes_a_result_anew() -> None:
    """It judges what was found."""
    other = [replace(SINGLES[0], test=0.9), *SINGLES[1:]]

    assert World("made-up", other, {"depth": GRID}, N_NODES, 1).fingerprint != WORLD.fingerprint


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, task="other"),
        replace(JOB, space="sets"),
        replace(JOB, sampler="tpe"),
        replace(JOB, seed=1),
        replace(JOB, n_trials=6),
    ],
)
def test_other_searches_have_another_digest(other: Job) -> None:
    """Each part of a job counts, but how long it may go on."""
    assert made_from(WORLD, [other]) != made_from(WORLD, [JOB])
    assert made_from(WORLD, [replace(JOB, longest=9)]) == made_from(WORLD, [JOB])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SLACK", SLACK / 2),
        ("LOOKED_AT", LOOKED_AT[1:]),
        ("REPLAYS", REPLAYS + 1),
        ("version_of", lambda _: 99),
        *(("version", _newer(package)) for package in PACKAGES),
    ],
)
def test_another_way_to_replay_has_another_digest(
    monkeypatch: pytest.MonkeyPatch, name: str, value: object
) -> None:
    """What is close, what is told, the sampler's version, and those of what it reckons with."""
    before = made_from(WORLD, [JOB])
    monkeypatch.setattr(outcomes, name, value)

    assert made_from(WORLD, [JOB]) != before


def test_another_world_has_another_digest() -> None:
    """Of other scores or proxies."""
    other = World("made-up", SINGLES[1:], {"depth": GRID}, N_NODES, 1)

    assert made_from(other, [JOB]) != made_from(WORLD, [JOB])


def test_what_is_close_to_a_score_below_zero_is_no_better_than_it() -> None:
    """As correlations may be; the best one itself is always close."""
    assert enough_of(0.5) == pytest.approx(0.495)
    assert enough_of(-0.5) == pytest.approx(-0.505)
    assert enough_of(0.0) == 0.0


def test_regret_is_told_after_trials_that_there_are() -> None:
    """After the last one of a search that is shorter than all that are looked at."""
    assert looked_at(40) == (10, 20, 40)
    assert looked_at(39) == (10, 20)
    assert looked_at(5) == (5,)


def judged(*replays: Replay, longest: int = 5) -> Result:
    """Searches of a world whose layouts score 0.5 to 0.56, on both splits."""
    return result_of(WORLD, [replace(JOB, longest=longest)] * len(replays), replays)


def test_a_layout_is_judged_by_its_test_scores_too() -> None:
    """Found by observed scores, worth by validation, and by test."""
    result = judged(Replay((0.5, 0.56, 0.5), (0.5, 0.5, 0.9), (0.56, 0.5, 0.54)))

    assert (result.trials, result.test_trials) == (2, 1)
    assert result.regrets == pytest.approx((0.06,))
    assert result.test_regrets == pytest.approx((0.02,))
    assert result.test_close == N_NODES


def test_by_test_the_trials_count_that_all_searches_have() -> None:
    """Which ones go on is decided by validation."""
    result = judged(Replay((0.5,) * 6, (0.5,) * 6, (*(0.5,) * 5, 0.56)), longest=9)

    assert result.test_trials is None


@pytest.mark.slow
@pytest.mark.parametrize("folder", SHIPPED)
def test_the_shipped_results_are_those_of_today(folder: Path) -> None:
    """Table, maps, samplers and packages are the ones that they were made from."""
    results = read_results(folder / RESULTS)

    assert results
    for each in results:
        seeds = range(each.n_seeds)
        found = (each.task, each.space, each.sampler)
        searched = len(each.curve), each.longest, each.concurrency
        jobs = [Job(SOURCE, *found, seed, *searched) for seed in seeds]
        assert made_from(world_of(SOURCE, each.task, each.space), jobs) == each.made_from
