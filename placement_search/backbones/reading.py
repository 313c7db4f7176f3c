"""A base model from its files, with every weight, or a reason why not."""

import json
import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
import transformers
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModel, PretrainedConfig, PreTrainedModel
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from placement_search.backbones.checkpoint import Checkpoint
from placement_search.backbones.devices import device_named, dtype_named
from placement_search.backbones.families import Family, known_family
from placement_search.backbones.fingerprint import may_lack_pooler
from placement_search.backbones.quantised import check_quantisation
from placement_search.backbones.settings import ModelSettings
from placement_search.backbones.unknown import unknown_architecture
from placement_search.errors import BackboneError, did_you_mean

NEVER_READ = frozenset({"masked_spec_embed"})
"""Weights that stand in for masked frames in training; many checkpoints lack them."""
UNREADABLE = (
    ImportError,
    OSError,
    RuntimeError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    RecursionError,
    pickle.UnpicklingError,
    SafetensorError,
    StrictDataclassError,
)
"""What transformers raises for files that are not what they should be."""


def read_model(
    checkpoint: Checkpoint, settings: ModelSettings, described: Family | None
) -> tuple[nn.Module, Family]:
    """A base model with its weights on its device, and its family.

    Args:
        checkpoint: Where its files are.
        settings: How it is to run.
        described: Its family, where the user describes it.

    Raises:
        BackboneError: If its architecture is unknown, a file is broken, a weight or a package is
            missing, or code of its own is not to run.
    """
    # Both are checked before anything large is read.
    device, dtype = device_named(settings.device), dtype_named(settings.dtype)
    config = _config(checkpoint.folder, settings)
    said = config.to_dict()
    # Quantised weights are put on their device as they are read; nothing can move them later.
    placing = {"device_map": {"": device}} if check_quantisation(said, settings.model) else {}
    family = described or known_family(str(config.model_type), said)
    if family is None:
        raise unknown_architecture(
            _sketch(config, settings), str(config.model_type), settings.model
        )
    architecture = _architecture(config, settings, family)
    with _loading(settings.model), _quiet_transformers():
        model, found = architecture.from_pretrained(
            checkpoint.folder,
            local_files_only=True,
            use_safetensors=not checkpoint.is_pickled,
            weights_only=True,
            dtype=dtype,
            output_loading_info=True,
            **_options(architecture, settings, family),
            **placing,
        )
    _check_whole(model, found["missing_keys"], settings.model)
    return (model if placing else model.to(device)), family


def _config(folder: Path, settings: ModelSettings) -> PretrainedConfig:
    """The model's configuration.

    Raises:
        BackboneError: If it can't be read, is of an unknown type, or needs code that may not run.
    """
    with _loading(settings.model):
        said = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        model_type = str(said.get("model_type")) if isinstance(said, dict) else ""
    if model_type not in CONFIG_MAPPING and not settings.trust_remote_code:
        if isinstance(said, dict) and isinstance(said.get("auto_map"), dict):
            raise BackboneError(
                f"{settings.model!r} is of type {model_type!r}, which comes with code of its own "
                f"({', '.join(sorted(map(str, said['auto_map'].values())))}); read that code, and "
                "let it run with --trust-remote-code"
            )
        raise BackboneError(
            f"config.json of {settings.model!r} says model_type {model_type!r}, which transformers "
            f"{transformers.__version__} does not know"
            + (
                did_you_mean(model_type, CONFIG_MAPPING)
                if model_type != "None"
                else "; a base model's says one, e.g. vit"
            )
        )
    with _loading(settings.model), _quiet_transformers():
        return AutoConfig.from_pretrained(
            folder, local_files_only=True, trust_remote_code=settings.trust_remote_code
        )


def _architecture(config: PretrainedConfig, settings: ModelSettings, family: Family) -> Any:  # noqa: ANN401
    """The class to load, which transformers does not type.

    Raises:
        BackboneError: If there is none.
    """
    if family.loads is not None:
        named = getattr(transformers, family.loads, None)
        if not (isinstance(named, type) and issubclass(named, PreTrainedModel)):
            raise BackboneError(f"loads: transformers has no class of models {family.loads!r}")
        return named
    if settings.trust_remote_code and "AutoModel" in (getattr(config, "auto_map", None) or {}):
        return AutoModel
    if type(config) not in MODEL_MAPPING:
        raise BackboneError(
            f"transformers has no base model for type {config.model_type!r} of {settings.model!r}"
        )
    return _base_class(config)


def _base_class(config: PretrainedConfig) -> Any:  # noqa: ANN401 - transformers does not type it
    """The base model of a configuration; the whole one where there is a smaller one, too."""
    known = MODEL_MAPPING[type(config)]
    return known[0] if isinstance(known, tuple) else known


def _options(architecture: Any, settings: ModelSettings, family: Family) -> dict[str, object]:  # noqa: ANN401
    """Further arguments of loading."""
    if architecture is AutoModel:
        return {"trust_remote_code": settings.trust_remote_code}
    # A pooler is a head: absent from many checkpoints, it would start at random weights.
    return {"add_pooling_layer": family.needs_pooler} if may_lack_pooler(architecture) else {}


def _sketch(config: PretrainedConfig, settings: ModelSettings) -> nn.Module | None:
    """The model without weights, to look at its modules; None where it can't be made."""
    if type(config) not in MODEL_MAPPING:
        return None
    with _loading(settings.model), _quiet_transformers(), torch.device("meta"):
        sketch: nn.Module = _base_class(config)(config)
    return sketch


def _check_whole(model: nn.Module, absent: Iterable[str], name: str) -> None:
    """Check that every weight was found; zero those that only pre-training reads.

    Raises:
        BackboneError: Naming the first of those that were not.
    """
    missing = []
    for weight in absent:
        if weight.rpartition(".")[2] in NEVER_READ:
            with torch.no_grad():
                model.get_parameter(weight).zero_()
        else:
            missing.append(weight)
    if missing:
        shown = ", ".join(sorted(missing)[:5])
        raise BackboneError(
            f"{name!r} lacks {len(missing)} of the model's weights, which would start at random "
            f"values: {shown}"
        )


@contextmanager
def _loading(name: str) -> Iterator[None]:
    """Say of which model a file is broken."""
    try:
        yield
    except UNREADABLE as error:
        raise BackboneError(f"{name!r} can't be loaded as a model: {error}") from error


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """Hold back messages about weights that base models rightly leave out."""
    logging = transformers.utils.logging
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
