"""Settings of a process that is ours alone, as a command or a worker; not for a library's use."""

import ctypes
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Of glibc's mallopt(3)."""
KEPT_BYTES = {M_MMAP_THRESHOLD: 32 * 1024**2, M_TRIM_THRESHOLD: 2**31 - 1, M_TOP_PAD: 256 * 1024**2}
"""Blocks up to 32 MiB, the most that glibc allows, are kept for reuse instead of given back."""


def wait_patiently(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads that wait for each other spin only shortly, unless the user has said otherwise.

    Beside another busy process OpenMP's own patience makes training several times slower, and
    without any an idle machine loses what the second core gains (docs/decisions/0007-threads.md).
    OpenMP reads this when torch is loaded, so it must not have been.
    """
    if "OMP_WAIT_POLICY" not in environment:
        environment.setdefault("GOMP_SPINCOUNT", "1000")


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory, which every step of a training asks for again.

    Given back to the system, it comes as empty pages that have to be cleared and mapped one by one.

    Returns:
        Whether it does: of glibc, on Linux, unless the user has set a ``MALLOC_`` variable.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    accepted = [mallopt(option, value) == 1 for option, value in KEPT_BYTES.items()]
    return all(accepted)


@contextmanager
def environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Variables for processes that are started meanwhile; libraries read them when loaded."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
