"""Ways to see and change what flows through a module; each ends with its ``with`` block."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

Change = Callable[[Tensor], Tensor]


@contextmanager
def input_changed(module: nn.Module, change: Change) -> Iterator[None]:
    """Pass a module's first argument, which is its hidden states, through ``change``."""

    def hook(
        _module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        if args:
            return (change(args[0]), *args[1:]), kwargs
        name = "hidden_states" if "hidden_states" in kwargs else next(iter(kwargs))
        return args, {**kwargs, name: change(kwargs[name])}

    handle = module.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def output_changed(module: nn.Module, change: Change) -> Iterator[None]:
    """Pass a module's output, or the first of several, through ``change``."""

    def hook(_module: nn.Module, _args: object, output: object) -> object:
        if isinstance(output, tuple):
            return (change(output[0]), *output[1:])
        return change(output)  # type: ignore[arg-type]

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def seen_changed(module: nn.Module, change: Callable[[Tensor, Tensor], Tensor]) -> Iterator[None]:
    """Pass a module's output through ``change``, which also sees what the module read."""

    def hook(_module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor:
        return change(args[0], output)

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def called_with(model: nn.Module, read: Callable[[Mapping[str, Tensor]], None]) -> Iterator[None]:
    """Let ``read`` see the tensors that a model is called with, by the names of its arguments."""
    signature = inspect.signature(model.forward)

    def hook(_model: nn.Module, args: tuple[object, ...], kwargs: dict[str, object]) -> None:
        # Names are given as they are: wrapped forwards take some that their signatures lack.
        given = {**signature.bind_partial(*args).arguments, **kwargs}
        read({name: value for name, value in given.items() if isinstance(value, Tensor)})

    handle = model.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def output_kept(module: nn.Module, kept: list[object]) -> Iterator[None]:
    """Run a module without gradients and put what it returns into ``kept``."""
    forward = module.forward

    @torch.no_grad()
    def bare(*args: object, **kwargs: object) -> object:
        output = forward(*args, **kwargs)
        kept[:] = [output]
        return output

    with forward_replaced(module, bare):
        yield


@contextmanager
def forward_replaced(module: nn.Module, forward: Callable[..., object]) -> Iterator[None]:
    """Let a module compute something else.

    An instance attribute hides the class's ``forward``, so a block keeps its place, its index
    and its other attributes, which some models read; a shorter list of blocks would not.
    """
    own = vars(module).get("forward")
    object.__setattr__(module, "forward", forward)
    try:
        yield
    finally:
        if own is None:
            object.__delattr__(module, "forward")
        else:  # someone else's, in the class's place as this one is
            object.__setattr__(module, "forward", own)


class ReturnedLengths:
    """Remembers of module classes how many values they return, to return as many in their place."""

    def __init__(self) -> None:
        self._by_class: dict[type[nn.Module], int | None] = {}

    def stand_in(self, module: nn.Module, given: Tensor) -> Callable[..., object]:
        """A forward that gives ``given`` as the module's first value, and None for all others.

        The module itself runs once for each class, to show what it returns.
        """
        forward, kind = module.forward, type(module)

        @torch.no_grad()
        def learn(*args: object, **kwargs: object) -> None:
            output = forward(*args, **kwargs)
            self._by_class[kind] = len(output) if isinstance(output, tuple) else None

        def stand_in(*args: object, **kwargs: object) -> object:
            if kind not in self._by_class:
                learn(*args, **kwargs)
            length = self._by_class[kind]
            return given if length is None else (given, *[None] * (length - 1))

        return stand_in
