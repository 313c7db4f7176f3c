"""Parts of a training split, one within the other, each with the classes in proportion."""

import torch
from torch import Tensor

from placement_search.tasks.target import Target

ORDER_OF_EXAMPLES = 0
"""Seed of the order whose beginnings are the parts; the same in every study on the same split."""


def part_size(n_examples: int, one_in: int) -> int:
    """How many one in so many examples are, rounded up."""
    return -(-n_examples // one_in)


def nested_part(labels: Tensor, target: Target, one_in: int) -> Tensor:
    """One in so many examples, rounded up; those of a smaller part are among a larger one's.

    Examples are put in one random order, in which the members of each class lie evenly spread, so
    every beginning holds each class in proportion, to an example or two. Of a set of labels the
    rarest one counts as its class; numbers are of one class.

    Args:
        labels: Of all examples, as `Examples` holds them.
        target: What they are.
        one_in: At least 1, which gives all.

    Returns:
        Indices in rising order, on the CPU.
    """
    n = part_size(len(labels), one_in)
    return _spread(_strata(labels.cpu(), target)).argsort(stable=True)[:n].sort().values


def _spread(strata: Tensor) -> Tensor:
    """A place within [0, 1) for each example, random and even within its stratum."""
    generator = torch.Generator().manual_seed(ORDER_OF_EXAMPLES)
    shuffled = torch.randperm(len(strata), generator=generator)
    places = torch.empty(len(strata), dtype=torch.float64)
    for stratum in strata.unique():
        members = shuffled[strata[shuffled] == stratum]
        steps = torch.arange(len(members), dtype=torch.float64)
        offset = torch.rand(1, generator=generator, dtype=torch.float64)
        places[members] = (steps + offset) / len(members)
    return places


def _strata(labels: Tensor, target: Target) -> Tensor:
    """The class of each example; of a set of labels the rarest one, or -1 where it is empty."""
    if target is Target.SINGLE_LABEL:
        return labels
    if target is Target.REGRESSION:
        return torch.zeros(len(labels), dtype=torch.long)
    counts = torch.where(labels > 0, labels.sum(0), torch.inf)
    return torch.where((labels > 0).any(1), counts.argmin(1), -1)
