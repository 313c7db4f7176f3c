"""What a backbone computes, in 16 hexadecimal digits."""

import dataclasses
import json
from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import Tensor, nn

from placement_search.backbones.families import Family
from placement_search.input_format import ImageFormat, InputFormat

NOT_COMPUTED = frozenset({"_name_or_path", "architectures", "dtype", "transformers_version"})
"""Entries of a configuration that do not decide what the model computes."""


def whole_fingerprint(model: nn.Module, input_format: InputFormat, described: Family | None) -> str:
    """SHA-256 over all that decides what the backbone computes, 16 hexadecimal digits.

    Args:
        model: The base model with its configuration.
        input_format: Of it, the scaling of images decides; where the files lie does not.
        described: The family, where it is not one of the package's own.
    """
    settings = {k: v for k, v in config_settings(model).items() if k not in NOT_COMPUTED}
    text = json.dumps(settings, sort_keys=True, default=str)
    scaling = None
    if isinstance(input_format, ImageFormat):
        scaling = dataclasses.replace(input_format, folder=None)
    weights = fingerprint(model.state_dict())
    parts = f"{weights}{text}{scaling}{'' if described is None else described}"
    return sha256(parts.encode()).hexdigest()[:16]


def fingerprint(weights: Mapping[str, object]) -> str:
    """SHA-256 over the sorted names, shapes and bytes of ``weights``, 16 hexadecimal digits.

    Args:
        weights: A state dictionary; what quantised layers keep beside tensors counts as text.
    """
    digest = sha256()
    for name in sorted(weights):
        value = weights[name]
        if not isinstance(value, Tensor):
            digest.update(f"{name}{value}".encode())
            continue
        tensor = value.detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def config_settings(model: nn.Module) -> dict[str, object]:
    """A model's configuration as plain values; empty for a model without one."""
    config = getattr(model, "config", None)
    to_dict = getattr(config, "to_dict", None)
    if to_dict is not None:
        return dict(to_dict())
    return dict(vars(config)) if config is not None else {}
