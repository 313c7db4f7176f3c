"""Batches of inputs: which examples, and no more padding than their longest text needs."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

Inputs = Mapping[str, Tensor]

POOLED_BATCHES = 16
"""Shuffled batches that are sorted by length together: little padding, and still a random order."""


def n_examples(inputs: Inputs) -> int:
    """How many examples there are."""
    return len(next(iter(inputs.values())))


def text_lengths(inputs: Inputs) -> Tensor | None:
    """Real tokens of each text, shape ``(n_examples,)``; None where inputs are no texts."""
    if "input_ids" not in inputs or "attention_mask" not in inputs:
        return None
    return inputs["attention_mask"].sum(1)


def take(inputs: Inputs, indices: Tensor) -> dict[str, Tensor]:
    """The inputs of the examples ``indices``, texts cut to the longest real one among them.

    Texts are padded on the right, so what is cut holds no real token.
    """
    chosen = {name: tensor.index_select(0, indices) for name, tensor in inputs.items()}
    lengths = text_lengths(chosen)
    if lengths is None:
        return chosen
    longest = int(lengths.max())
    return {name: tensor[:, :longest] for name, tensor in chosen.items()}


def ordered_batches(inputs: Inputs, batch_size: int) -> Iterator[Tensor]:
    """Indices of all examples, ``batch_size`` at a time; texts of like length together."""
    lengths = text_lengths(inputs)
    if lengths is None:
        order = torch.arange(n_examples(inputs))
    else:
        order = lengths.cpu().argsort(stable=True)
    device = next(iter(inputs.values())).device
    yield from torch.split(order.to(device), batch_size)


def shuffled_batches(
    inputs: Inputs, batch_size: int, generator: torch.Generator
) -> Iterator[Tensor]:
    """Indices of all examples in random order, ``batch_size`` at a time.

    Texts are sorted by length within `POOLED_BATCHES` batches' worth of the random order, and the
    batches shuffled again, so that a batch holds texts of like length.

    Args:
        inputs: Inputs of all examples.
        batch_size: Examples in a batch; the last one may hold fewer.
        generator: Of the CPU; fixes the order.
    """
    order = torch.randperm(n_examples(inputs), generator=generator)
    lengths = text_lengths(inputs)
    batches = list(torch.split(order, batch_size))
    if lengths is not None:
        known = lengths.cpu()
        pools = torch.split(order, POOLED_BATCHES * batch_size)
        sorted_ = [pool[known[pool].argsort(stable=True)] for pool in pools]
        batches = [batch for pool in sorted_ for batch in torch.split(pool, batch_size)]
        batches = [batches[i] for i in torch.randperm(len(batches), generator=generator).tolist()]
    device = next(iter(inputs.values())).device
    yield from (batch.to(device) for batch in batches)
