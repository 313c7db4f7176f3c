"""Where a backbone runs and in which precision, from what the user says."""

from collections.abc import Mapping

import torch

from placement_search.errors import BackboneError, nearest

AUTO = "auto"

DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def dtype_named(name: str) -> torch.dtype:
    """The dtype of a backbone.

    Raises:
        BackboneError: If it is none that backbones run in.
    """
    if name not in DTYPES:
        raise BackboneError(f"unknown dtype {name!r} of a backbone{nearest(name, DTYPES)}")
    return DTYPES[name]


def device_named(name: str) -> torch.device:
    """The device called ``name``; ``auto`` is the fastest that this machine has.

    Raises:
        BackboneError: If it is unknown or not there, naming those that are.
    """
    there = _devices()
    if name == AUTO:
        return torch.device(there[-1])
    wanted = {"cuda": "cuda:0"}.get(name, name)
    if wanted not in there:
        raise BackboneError(
            f"there is no device {name!r}; this machine has {', '.join(there)}, and auto takes "
            f"{there[-1]}"
        )
    return torch.device(wanted)


def _devices() -> list[str]:
    """The devices of this machine, the fastest last; of several graphics cards the first."""
    cards = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    apple = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *apple, *reversed(cards)]
