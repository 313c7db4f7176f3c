"""Which arguments of a block hold one row per example, and how fewer rows are passed."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import torch
from torch import Tensor, nn

Path = tuple[str | int, ...]
"""Where an argument stands: its position or name, then its place within tuples."""
Paths = frozenset[Path]
Call = tuple[tuple[Any, ...], dict[str, Any]]


class Runs(Protocol):
    """A model that runs on inputs, and its blocks."""

    blocks: list[nn.Module]

    def run(self, inputs: Mapping[str, Tensor]) -> Tensor:
        """The model's forward."""


def batched_paths(graph: Runs, inputs: Mapping[str, Tensor]) -> Paths:
    """The arguments of blocks whose first axis follows the number of examples.

    Found by running the first example two and three times over; where texts have a mask, one of
    them is padded, since models make no mask for texts that all are whole.

    Args:
        graph: The model.
        inputs: Of at least one example.
    """
    sizes = [_sizes(graph, _repeated(inputs, n)) for n in (2, 3)]
    two, three = sizes
    return frozenset(path for path, size in two.items() if (size, three.get(path)) == (2, 3))


def _repeated(inputs: Mapping[str, Tensor], n: int) -> dict[str, Tensor]:
    repeated = {name: tensor[:1].repeat_interleave(n, 0) for name, tensor in inputs.items()}
    mask = repeated.get("attention_mask")
    if mask is None:
        return repeated
    if mask.shape[1] == 1:  # a text of one token can't be padded
        repeated = {
            name: torch.cat([each, each], 1) if each.shape == mask.shape else each
            for name, each in repeated.items()
        }
        mask = repeated["attention_mask"]
    # Half of it, since a few samples of a sound may be no frame.
    half = (mask.shape[1] + 1) // 2
    mask[:, 1:] = 1
    mask[0, half:] = 0
    return repeated


@torch.no_grad()
def _sizes(graph: Runs, inputs: Mapping[str, Tensor]) -> dict[Path, int]:
    """First axes of all tensors that any block is called with."""
    found: dict[Path, int] = {}

    def note(path: Path, tensor: Tensor) -> Tensor:
        if tensor.ndim:
            found[path] = len(tensor)
        return tensor

    def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        _changed((args, kwargs), note)

    with ExitStack() as handles:
        for block in graph.blocks:
            handle = block.register_forward_pre_hook(hook, with_kwargs=True)
            handles.callback(handle.remove)
        graph.run(inputs)
    return found


@contextmanager
def narrowed(block: nn.Module, paths: Paths, n_examples: int) -> Iterator[None]:
    """Call a block with the first examples' rows of its arguments; its states are narrow already.

    Args:
        block: The block.
        paths: Its arguments with one row per example; see `batched_paths`.
        n_examples: How many rows are passed.
    """

    def narrow(path: Path, tensor: Tensor) -> Tensor:
        return tensor[:n_examples] if path in paths and len(tensor) > n_examples else tensor

    def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        return _changed((args, kwargs), narrow)

    handle = block.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def _changed(call: Call, change: Callable[[Path, Tensor], Tensor]) -> Call:
    args, kwargs = call
    return (
        tuple(_each((index,), value, change) for index, value in enumerate(args)),
        {name: _each((name,), value, change) for name, value in kwargs.items()},
    )


def _each(path: Path, value: object, change: Callable[[Path, Tensor], Tensor]) -> object:
    if isinstance(value, Tensor):
        return change(path, value)
    if type(value) is tuple:
        return tuple(_each((*path, index), item, change) for index, item in enumerate(value))
    return value
