"""Batches of inputs: which examples, and no more padding than their longest text needs."""

from dataclasses import dataclass

import torch
from torch import Tensor

from placement_search.backbones.graph import Inputs
from placement_search.errors import TaskError

ORDER_OF_LENGTHS = 0
"""Seed of the order in which batches of different lengths follow each other, in every epoch."""


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Some of the examples.

    Args:
        indices: Which ones, on the inputs' device.
        n_tokens: Length of the longest text among them; None where inputs are no texts.
    """

    indices: Tensor
    n_tokens: int | None

    def __len__(self) -> int:
        """How many examples."""
        return len(self.indices)

    def of(self, inputs: Inputs) -> dict[str, Tensor]:
        """The inputs of these examples, texts cut to the longest real one among them.

        Texts are padded on the right, so what is cut holds no real token.
        """
        chosen = {name: tensor.index_select(0, self.indices) for name, tensor in inputs.items()}
        if self.n_tokens is None:
            return chosen
        return {name: tensor[:, : self.n_tokens] for name, tensor in chosen.items()}


def n_examples(inputs: Inputs) -> int:
    """How many examples there are."""
    return len(next(iter(inputs.values())))


def text_lengths(inputs: Inputs) -> Tensor | None:
    """Real tokens of each text, shape ``(n_examples,)``; None where inputs are no texts."""
    if "input_ids" not in inputs or "attention_mask" not in inputs:
        return None
    return inputs["attention_mask"].sum(1)


def check_padding(inputs: Inputs) -> None:
    """Check that texts are padded on the right, as they are everywhere here.

    Where a model counts positions from the first place, a text behind padding has other states,
    and a head that reads the first token would read padding.

    Raises:
        TaskError: Naming the first text with padding before a real token.
    """
    mask = inputs.get("attention_mask")
    if "input_ids" not in inputs or mask is None or mask.dim() != 2:
        return
    if torch.compiler.is_compiling():  # a graph has no values to look at
        return
    begins = mask[:, 1:] > mask[:, :-1]
    if begins.any():
        text, place = (int(each[0]) for each in begins.nonzero(as_tuple=True))
        raise TaskError(
            f"texts must be padded on the right, as in training; text {text} of the batch (from 0) "
            f"has padding at place {place} and a real token behind it: call the tokenizer with "
            'padding_side="right"'
        )


def batch_of(inputs: Inputs, indices: Tensor) -> Batch:
    """A batch of the examples ``indices``."""
    lengths = text_lengths(inputs)
    return Batch(indices, None if lengths is None else int(lengths[indices].max()))


def take(inputs: Inputs, indices: Tensor) -> dict[str, Tensor]:
    """The inputs of the examples ``indices``, texts cut to the longest real one among them."""
    return batch_of(inputs, indices).of(inputs)


class Batches:
    """The ways to go through a set of examples in batches.

    Args:
        inputs: Inputs of all examples; their lengths are read from the device once.
        chosen: Indices of those to go through, on the CPU; None for all.
    """

    def __init__(self, inputs: Inputs, chosen: Tensor | None = None) -> None:
        first = next(iter(inputs.values()))
        lengths = text_lengths(inputs)
        self._chosen = torch.arange(len(first)) if chosen is None else chosen
        self._device = first.device
        self._lengths = None if lengths is None else lengths.cpu()

    @property
    def n_examples(self) -> int:
        """How many examples there are to go through."""
        return len(self._chosen)

    def ordered(self, batch_size: int) -> list[Batch]:
        """All examples, ``batch_size`` at a time; texts of like length together."""
        order = self._chosen
        if self._lengths is not None:
            order = order[self._lengths[order].argsort(stable=True)]
        return self._split(order, batch_size)

    def shuffled(self, batch_size: int, generator: torch.Generator) -> list[Batch]:
        """All examples in random order, ``batch_size`` at a time; the last may hold fewer.

        Texts are sorted by length, those of one length in random order, and the batches follow
        each other in an order that never changes. So the k-th batch of any epoch, whatever the
        generator, has the shape of any other k-th batch, and several trainings can share a pass.

        Args:
            batch_size: Examples in a batch.
            generator: Of the CPU; fixes which examples share a batch.
        """
        order = self._chosen[torch.randperm(self.n_examples, generator=generator)]
        if self._lengths is None:
            return self._split(order, batch_size)
        batches = self._split(order[self._lengths[order].argsort(stable=True)], batch_size)
        lengths_order = torch.Generator().manual_seed(ORDER_OF_LENGTHS)
        return [batches[i] for i in torch.randperm(len(batches), generator=lengths_order).tolist()]

    def _split(self, order: Tensor, batch_size: int) -> list[Batch]:
        # One copy to the device for all batches: no step has to wait for its own.
        parts = torch.split(order.to(self._device), batch_size)
        if self._lengths is None:
            return [Batch(part, None) for part in parts]
        longest = [int(part.max()) for part in torch.split(self._lengths[order], batch_size)]
        return [Batch(part, n_tokens) for part, n_tokens in zip(parts, longest, strict=True)]
