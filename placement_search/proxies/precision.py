"""Double precision where a device has it: Apple's GPUs do not."""

import torch
from torch import Tensor


def doubled(tensor: Tensor) -> Tensor:
    """The same numbers in double precision, on the CPU where the device has none."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()


def sum_dtype(device: torch.device) -> torch.dtype:
    """The widest type that sums on ``device`` can have."""
    return torch.float32 if device.type == "mps" else torch.float64
