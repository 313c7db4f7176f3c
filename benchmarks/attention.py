"""Attention's forward and backward by kernel, dtype and length: the times behind a rule.

    python -m benchmarks.attention

Prints milliseconds of processor time for about 2,048 tokens in heads of 32 and 64 channels, of the
fused kernel and of plain products; see placement_search/backbones/attention.py.
"""

import argparse
import time

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

LENGTHS = (8, 17, 32, 64, 128, 197, 384)
SECONDS = 0.25
N_TOKENS = 2048


def milliseconds(n_tokens: int, width: int, dtype: torch.dtype, kernel: SDPBackend) -> float:
    """Time of one forward and backward pass of twelve heads over padded texts."""
    shape = (max(1, N_TOKENS // n_tokens), n_tokens, 12, width)
    drawn = (torch.randn(shape, dtype=dtype).transpose(1, 2).requires_grad_() for _ in range(3))
    query, key, value = drawn
    mask = torch.ones(shape[0], 1, n_tokens, n_tokens, dtype=torch.bool)

    def once() -> None:
        with sdpa_kernel(kernel):
            found = scaled_dot_product_attention(query, key, value, attn_mask=mask)
        torch.autograd.grad(found.sum(), (query, key, value))

    once()
    started, n = time.process_time(), 0
    while time.process_time() - started < SECONDS:
        once()
        n += 1
    return 1000 * (time.process_time() - started) / n


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    print("| head | tokens | float32 fused | plain | bfloat16 fused | plain |")
    print("| --- | --- | --- | --- | --- | --- |")
    for width in (32, 64):
        for length in LENGTHS:
            times = [
                milliseconds(length, width, dtype, kernel)
                for dtype in (torch.float32, torch.bfloat16)
                for kernel in (SDPBackend.FLASH_ATTENTION, SDPBackend.MATH)
            ]
            cells = " | ".join(f"{each:.1f}" for each in times)
            print(f"| {width} | {length} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
