"""Settings of processes that are ours: the user's own come first."""

import subprocess
import sys

import pytest

from placement_search.own_process import keep_freed_memory, wait_patiently


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"GOMP_SPINCOUNT": "1000"}),
        ({"GOMP_SPINCOUNT": "7"}, {"GOMP_SPINCOUNT": "7"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
    ],
)
def test_threads_wait_as_the_user_says(before: dict[str, str], after: dict[str, str]) -> None:
    """And shortly where nothing is said."""
    environment = dict(before)
    wait_patiently(environment)

    assert environment == after


FAULTS = """
import resource
from placement_search.own_process import keep_freed_memory

if {keeps}:
    keep_freed_memory()
def faults(n):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(n):
        blocks = [bytearray(4 << 20) for _ in range(4)]
        del blocks
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
faults(3)
print(faults(20))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_freed_memory_is_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks that come and go cost next to no new pages, where without it they cost thousands."""
    for name in ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TOP_PAD_"):
        monkeypatch.delenv(name, raising=False)
    if not keep_freed_memory():
        pytest.skip("not glibc")
    kept, given_back = (
        int(subprocess.run(
            [sys.executable, "-c", FAULTS.format(keeps=keeps)],
            capture_output=True, text=True, check=True,
        ).stdout)
        for keeps in (True, False)
    )  # fmt: skip

    assert kept < 100 < given_back


def test_a_user_who_has_set_it_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever variable of the C library it was."""
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")

    assert not keep_freed_memory()
