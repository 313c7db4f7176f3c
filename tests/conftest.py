"""What all tests share."""

import os
from collections import Counter

import pytest
import torch

# Read when the hub's library is imported: no test asks the network.
os.environ["HF_HUB_OFFLINE"] = "1"

# Test processes run side by side; more threads than cores make small matrices slower, not faster.
torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first, and those with few of them before those with many.

    Few slow tests in a file are long ones: no process should be left alone with such a file at the
    end.
    """
    sizes = Counter(item.path for item in items)
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, sizes[item.path], item.path))
