"""Where the time went: every second counts once, for the innermost work."""

import pytest

from placement_search.profile import NoProfile, Profile, Work


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that shows what its only entry says."""
    now = [0.0]
    monkeypatch.setattr("placement_search.profile.time.perf_counter", lambda: now[0])
    return now


def test_inner_work_counts_for_itself_alone(clock: list[float]) -> None:
    """A study of ten seconds with an evaluation of four has six of its own."""
    profile = Profile()
    with profile.of(Work.STUDY):
        clock[0] = 5
        with profile.of(Work.EVALUATION):
            clock[0] = 9
        clock[0] = 10

    assert profile.seconds[Work.STUDY] == 6
    assert profile.seconds[Work.EVALUATION] == 4


def test_time_outside_counts_for_nothing(clock: list[float]) -> None:
    """Nor is work that took no time shown."""
    profile = Profile()
    clock[0] = 3
    with profile.of(Work.LOAD):
        clock[0] = 4
    clock[0] = 50

    assert sum(profile.seconds.values()) == 1
    assert profile.lines() == ["load              1.00 s  100.0%"]


def move_on(clock: list[float]) -> float:
    """Let a second pass and fail."""
    clock[0] += 1
    raise KeyError("bug")


def test_work_that_fails_is_counted(clock: list[float]) -> None:
    """And what encloses it goes on."""
    profile = Profile()
    with profile.of(Work.STUDY):
        clock[0] = 2
        with pytest.raises(KeyError), profile.of(Work.FORWARD):
            move_on(clock)

    assert (profile.seconds[Work.FORWARD], profile.seconds[Work.STUDY]) == (1, 2)


def test_the_device_is_waited_for() -> None:
    """Else its work would count where somebody happens to wait."""
    waits: list[None] = []
    profile = Profile(lambda: waits.append(None))
    with profile.of(Work.FORWARD):
        pass

    assert len(waits) == 2


def test_no_profile_counts_nothing() -> None:
    """And has nothing to say."""
    profile = NoProfile()
    with profile.of(Work.FORWARD):
        pass

    assert profile.lines() == []
