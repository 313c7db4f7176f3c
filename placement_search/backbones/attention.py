"""Which of torch's attention kernels trains fast on short sequences, by rule and not by the clock.

A kernel changes the last bits of what a model gives, so the choice must be the same whenever the
same batch is run. On CPUs the plain products win as long as sequences are short; the fused kernel's
backward in bfloat16 is several times slower (`python -m benchmarks.attention` prints the times
behind the limits below). Other devices choose for themselves.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

PLAIN_UP_TO: Mapping[torch.dtype, int] = {torch.float32: 20, torch.bfloat16: 160}
"""Longest sequence, in tokens, for which CPUs use plain products instead of the fused kernel."""


@contextmanager
def fast_attention(device: torch.device, dtype: torch.dtype, n_tokens: int) -> Iterator[None]:
    """Run models with the faster kernel.

    Args:
        device: Where the model is.
        dtype: Of its states.
        n_tokens: Length of the sequences.
    """
    if device.type == "cpu" and n_tokens <= PLAIN_UP_TO.get(dtype, 0):
        with sdpa_kernel(SDPBackend.MATH):
            yield
    else:
        yield
