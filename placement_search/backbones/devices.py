"""Where a backbone runs and in which precision, from what the user says."""

from collections.abc import Mapping

import torch

from placement_search.errors import BackboneError

AUTO = "auto"

DTYPES: Mapping[str, torch.dtype] = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def dtype_named(name: str) -> torch.dtype:
    """The dtype of a backbone.

    Raises:
        BackboneError: If it is none that backbones run in.
    """
    if name not in DTYPES:
        raise BackboneError(f"unknown dtype {name!r} of a backbone; known: {', '.join(DTYPES)}")
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


def precision_note(device: torch.device, dtype: str) -> str:
    """What a user should know about speed before a backbone runs so; empty where it is nothing.

    Without AVX-512 PyTorch multiplies matrices in bfloat16 by a general routine (a linear layer of
    all-MiniLM-L6-v2 took 5 times as long as in float32 on an EPYC with AVX2).
    """
    capability = torch.backends.cpu.get_cpu_capability()
    if device.type == "cpu" and dtype == "bfloat16" and capability == "AVX2":
        return (
            "bfloat16 is several times slower than float32 on this processor, which has no AVX-512 "
            "(--dtype float32)"
        )
    return ""


def _devices() -> list[str]:
    """The devices of this machine, the fastest last; of several graphics cards the first."""
    cards = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    apple = ["mps"] if torch.backends.mps.is_available() else []
    return ["cpu", *apple, *reversed(cards)]
