"""Whether `torch.compile` pays for the frozen blocks: forward and backward, as is and compiled.

    GOMP_SPINCOUNT=1000 python -m benchmarks.compiled [--model FOLDER] [--batch 64] [--tokens 17]

Needs a C++ compiler. Prints the median of some passes through all blocks on random states, and the
seconds that compiling took.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from placement_search.backbones.loading import load_backbone
from placement_search.backbones.settings import ModelSettings

REPEATS = 9
Block = Callable[..., Tensor | tuple[Tensor, ...]]


def through(blocks: Sequence[Block], states: Tensor, mask: Tensor | None) -> float:
    """Seconds of one forward and backward pass through all blocks."""
    started = time.perf_counter()
    hidden = states
    for block in blocks:
        given = block(hidden) if mask is None else block(hidden, mask)
        hidden = given[0] if isinstance(given, tuple) else given
    torch.autograd.grad(hidden.sum(), states)
    return time.perf_counter() - started


def main() -> None:
    """Print both times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=17)
    given = parser.parse_args()
    backbone = load_backbone(ModelSettings(given.model, device="cpu"))
    states = torch.randn(given.batch, given.tokens, backbone.width, requires_grad=True)
    is_text = backbone.graph.family.inputs == "input_ids"
    shape = (given.batch, 1, given.tokens, given.tokens)
    mask = torch.ones(shape, dtype=torch.bool) if is_text else None
    plain: list[Block] = list(backbone.graph.blocks)
    compiled: list[Block] = [torch.compile(block, dynamic=True) for block in backbone.graph.blocks]
    for name, blocks in (("as they are", plain), ("compiled", compiled)):
        first = through(blocks, states, mask)
        usual = statistics.median(through(blocks, states, mask) for _ in range(REPEATS))
        print(f"{name:12} {1000 * usual:7.1f} ms a pass; the first took {first:.1f} s")


if __name__ == "__main__":
    main()
