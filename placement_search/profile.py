"""Where the time of a run went, by kind of work."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum


class Work(StrEnum):
    """Kinds of work that a search spends its time on."""

    LOAD = "load"
    CACHE = "cache"
    PROXIES = "proxies"
    FORWARD = "forward"
    BACKWARD = "backward"
    OPTIMIZER = "optimizer"
    EVALUATION = "evaluation"
    COSTS = "costs"
    WORKERS = "workers"
    STUDY = "study"


class Profile:
    """Counts the seconds of each kind of work; work within other work counts for itself alone.

    Args:
        finish: Waits until the device has done what was asked of it, so that work is counted where
            it was asked for; None where the device is the CPU.
    """

    def __init__(self, finish: Callable[[], None] | None = None) -> None:
        self._finish = finish
        self.seconds = dict.fromkeys(Work, 0.0)
        self._open: list[Work] = []
        self._since = 0.0

    @contextmanager
    def of(self, work: Work) -> Iterator[None]:
        """Count the time within as ``work``."""
        self._turn()
        self._open.append(work)
        try:
            yield
        finally:
            self._turn()
            self._open.pop()

    def lines(self) -> list[str]:
        """Seconds and shares of what took any time, for people to read."""
        total = sum(self.seconds.values())
        return [
            f"{work:<12} {seconds:9.2f} s {seconds / total:7.1%}"
            for work, seconds in self.seconds.items()
            if seconds
        ]

    def _turn(self) -> None:
        """Charge the time since the last turn to the innermost open work."""
        if self._finish is not None:
            self._finish()
        now = time.perf_counter()
        if self._open:
            self.seconds[self._open[-1]] += now - self._since
        self._since = now


class NoProfile(Profile):
    """Counts nothing, at no cost."""

    @contextmanager
    def of(self, work: Work) -> Iterator[None]:
        """See `Profile`."""
        del work
        yield
