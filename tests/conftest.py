"""What all tests share."""

import torch

# Test processes run side by side; more threads than cores make small matrices slower, not faster.
torch.set_num_threads(1)
