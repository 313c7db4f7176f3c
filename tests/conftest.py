"""What all tests share."""

import os
from collections import Counter

# Test processes run side by side; more threads than cores make small matrices slower, not faster.
# The libraries of linear algebra, and processes that tests start, read these when they are loaded.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

# Read when the hub's library is imported: no test asks the network.
os.environ["HF_HUB_OFFLINE"] = "1"

import pytest  # noqa: E402 - what it loads comes after the variables


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, and those with few of them before those with many.

    Few slow tests in a file are long ones: no process should be left alone with such a file at the
    end.
    """
    sizes = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, sizes[item.path], item.path))
