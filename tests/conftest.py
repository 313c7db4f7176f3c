"""What all tests share."""

import os

import torch

# Read when the hub's library is imported: no test asks the network.
os.environ["HF_HUB_OFFLINE"] = "1"

# Test processes run side by side; more threads than cores make small matrices slower, not faster.
torch.set_num_threads(1)
