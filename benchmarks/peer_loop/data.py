"""Examples in memory as `Trainer` reads them: a batch is gathered and cut in one step."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset


class InMemory(Dataset[dict[str, Tensor]]):
    """Labelled examples on the device that trains, so that no batch has to be moved.

    Args:
        inputs: What the model's forward takes, each of shape ``(n_examples, …)``; texts are padded
            on the right.
        labels: Shape ``(n_examples, …)``.
    """

    def __init__(self, inputs: Mapping[str, Tensor], labels: Tensor) -> None:
        self._inputs = inputs
        self._labels = labels
        mask = inputs.get("attention_mask")
        # A list, since the longest text of a batch is asked for without waiting for the device.
        self._lengths = None if mask is None else mask.sum(1).tolist()

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        """One example, with a first axis of length one."""
        return self.__getitems__([index])

    def __getitems__(self, indices: list[int]) -> dict[str, Tensor]:
        """The batch of these examples, texts cut to the longest among them.

        `DataLoader` calls this in place of one call for every example.
        """
        rows = torch.tensor(indices, device=self._labels.device)
        batch = {name: t.index_select(0, rows) for name, t in self._cut(indices).items()}
        return {**batch, "labels": self._labels.index_select(0, rows)}

    def _cut(self, indices: list[int]) -> Mapping[str, Tensor]:
        """Views of all inputs, texts as long as the longest of ``indices``."""
        if self._lengths is None:
            return self._inputs
        longest = max(self._lengths[index] for index in indices)
        return {name: tensor[:, :longest] for name, tensor in self._inputs.items()}

    def by_length(self) -> "InMemory":
        """The same examples with texts in the order of their lengths, which saves padding."""
        if self._lengths is None:
            return self
        order = torch.tensor(self._lengths, device=self._labels.device).argsort()
        inputs = {name: tensor[order] for name, tensor in self._inputs.items()}
        return InMemory(inputs, self._labels[order])


def as_it_is(batch: Any) -> Any:  # noqa: ANN401 - torch's collators take lists of examples
    """The collator for `InMemory`, whose examples arrive as a batch."""
    return batch
