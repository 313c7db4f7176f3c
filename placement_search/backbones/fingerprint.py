"""What a backbone computes, in 16 hexadecimal digits."""

import dataclasses
import inspect
import json
from collections.abc import Mapping
from hashlib import sha256

import torch
from torch import Tensor, nn

from placement_search.backbones.families import Family
from placement_search.input_format import ImageFormat, InputFormat

NOT_COMPUTED = frozenset({
    "_name_or_path", "architectures", "dtype", "torch_dtype", "transformers_version",
    "output_attentions", "output_hidden_states", "return_dict", "use_cache",
    "gradient_checkpointing", "id2label", "label2id", "num_labels", "problem_type",
    "finetuning_task", "task_specific_params", "tokenizer_class", "initializer_range",
    "initializer_factor",
})  # fmt: skip
"""Entries of a configuration that do not decide states: records, outputs, heads, first weights."""
POOLER = "pooler."
"""Begins the names of weights behind the states, of models that may be made without them."""


def whole_fingerprint(
    model: nn.Module, input_format: InputFormat, described: Family | None, *, has_pooler: bool
) -> str:
    """SHA-256 over what decides the states of a backbone, 16 hexadecimal digits.

    That is its weights with their precision, less a pooler that decides nothing, its configuration
    less `NOT_COMPUTED`, how images are sized and scaled, and the user's description. A tokenizer or
    image processor counts by what it makes of the data, in the fingerprint of the task.

    Args:
        model: The base model with its configuration.
        input_format: Of it, size and scaling of images; where the files lie does not count.
        described: The family, where it is not one of the package's own.
        has_pooler: Whether weights of a pooler decide states too.
    """
    text = json.dumps(_computed(config_settings(model)), sort_keys=True, default=str)
    scaling = None
    if isinstance(input_format, ImageFormat):
        scaling = dataclasses.replace(input_format, folder=None)
    counted = {
        name: value
        for name, value in model.state_dict().items()
        if has_pooler or not name.startswith(POOLER)
    }
    weights = fingerprint(counted)
    parts = f"{weights}{text}{scaling}{'' if described is None else described}"
    return sha256(parts.encode()).hexdigest()[:16]


def may_lack_pooler(architecture: type) -> bool:
    """Whether it is a class of transformers whose models can be made without a pooler."""
    is_theirs = architecture.__module__.startswith("transformers.")
    return is_theirs and "add_pooling_layer" in inspect.signature(architecture).parameters


def _computed(settings: Mapping[str, object]) -> dict[str, object]:
    """Entries that decide states, also in the configurations of parts."""
    return {
        key: _computed(value) if isinstance(value, Mapping) else value
        for key, value in settings.items()
        if key not in NOT_COMPUTED
    }


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
