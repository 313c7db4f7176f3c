"""Backbones in 4 or 8 bits: what they need, how large they are, and a way for gradients."""

import importlib.util
from collections.abc import Mapping

import torch
from torch import nn

from placement_search.errors import BackboneError

METHOD = "bitsandbytes"
PACKAGES = ("bitsandbytes", "accelerate")
"""What transformers needs to load such weights."""

FAST_ON_CPU = "support_avx512bf16_for_cpu"
PACKED = "packing_format_for_cpu"
"""Attributes by which bitsandbytes rearranges 4-bit weights for inference on some processors."""


def check_quantisation(settings: Mapping[str, object], name: str) -> bool:
    """Whether a model of this configuration is quantised, in a way that can be loaded.

    Args:
        settings: The model's configuration.
        name: How the user calls it.

    Raises:
        BackboneError: If it is quantised in another way, or a package that it needs is missing.
    """
    said = settings.get("quantization_config")
    if not isinstance(said, Mapping):
        return False
    method = str(said.get("quant_method", METHOD))
    if method != METHOD:
        raise BackboneError(
            f"{name!r} is quantised with {method!r}; of quantised models those of {METHOD} (4-bit "
            "and 8-bit) can be backbones"
        )
    missing = [package for package in PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise BackboneError(
            f"{name!r} is quantised with {METHOD} and needs packages that are not installed: "
            f"pip install {' '.join(missing)}"
        )
    return True


def is_quantised(model: nn.Module) -> bool:
    """Whether weights are kept in fewer bits than gradients need, by themselves or their record."""
    config = getattr(model, "config", None)
    return getattr(config, "quantization_config", None) is not None or any(
        not parameter.is_floating_point() or getattr(parameter, "quant_state", None) is not None
        for parameter in model.parameters()
    )


def keep_gradients(model: nn.Module) -> None:
    """Keep 4-bit layers from a fast path that no gradient passes, and that repacks weights.

    On processors with AVX-512 bitsandbytes takes it in evaluation mode; adapters in front of such
    a layer would learn from a wrong gradient without any error.

    Raises:
        BackboneError: If weights are repacked already.
    """
    for path, module in model.named_modules():
        if not hasattr(module, FAST_ON_CPU):
            continue
        setattr(module, FAST_ON_CPU, False)
        if getattr(getattr(module.weight, "quant_state", None), PACKED, False):
            raise BackboneError(
                f"bitsandbytes has repacked {path} for inference, and no gradient passes it any "
                "more; load the model anew, and make it a backbone before it runs"
            )


def n_parameters(model: nn.Module) -> int:
    """Numbers that the parameters stand for; 4-bit ones are stored two to a byte."""
    return sum(_n_values(parameter) for parameter in model.parameters())


def _n_values(parameter: nn.Parameter) -> int:
    state = getattr(parameter, "quant_state", None)
    return parameter.numel() if state is None else int(torch.Size(state.shape).numel())
