"""Backbones from disk: the embedded one by its name, others by the path of their folder."""

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import torch
import transformers
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import AutoConfig, PretrainedConfig
from transformers.models.auto.modeling_auto import MODEL_MAPPING

from placement_search.backbones.facts import BackboneFacts
from placement_search.backbones.families import FAMILIES, Family
from placement_search.backbones.graph import ResidualGraph
from placement_search.errors import BackboneError
from placement_search.module_type import nearest

EMBEDDED = "embedded"
EMBEDDED_FOLDER = Path(__file__).parent / "embedded"

NOT_COMPUTED = frozenset({"_name_or_path", "architectures", "dtype", "transformers_version"})
"""Entries of a configuration that do not decide what the model computes."""
N_MADE_UP_TOKENS = 16
"""Length of made-up texts."""


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """How a vision backbone wants its images: square size, channels, and per-channel scaling."""

    size: int
    n_channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def pixel_values(self, images: Tensor) -> Tensor:
        """Normalise images of shape ``(n, channels, size, size)`` within [0, 1]; same shape."""
        mean, std = (torch.tensor(v).reshape(-1, 1, 1) for v in (self.mean, self.std))
        return (images - mean) / std


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A frozen pre-trained transformer with its residual graph.

    Every parameter is frozen and the model is in evaluation mode for its whole life here.
    """

    graph: ResidualGraph
    facts: BackboneFacts
    image_format: ImageFormat | None

    @property
    def width(self) -> int:
        """Channels of the residual stream."""
        return self.facts.width

    @property
    def n_nodes(self) -> int:
        """Nodes of the residual graph, 2L+1 for L blocks."""
        return len(self.graph.nodes)

    def made_up_inputs(self, n_examples: int, seed: int) -> dict[str, Tensor]:
        """Random inputs that the model accepts, the same for every process and machine.

        Args:
            n_examples: First axis of every input.
            seed: Fixes them.
        """
        generator = torch.Generator().manual_seed(seed)
        if self.image_format is not None:
            form = self.image_format
            shape = (n_examples, form.n_channels, form.size, form.size)
            return {self.graph.family.inputs: torch.randn(shape, generator=generator)}
        vocabulary = int(self.graph.model.config.vocab_size)  # type: ignore[union-attr, arg-type]
        ids = torch.randint(vocabulary, (n_examples, N_MADE_UP_TOKENS), generator=generator)
        return {self.graph.family.inputs: ids, "attention_mask": torch.ones_like(ids)}


def load_backbone(model: str = EMBEDDED) -> Backbone:
    """Load and freeze a backbone.

    Args:
        model: ``embedded``, or the path of a folder with ``config.json`` and safetensors weights.

    Raises:
        BackboneError: If the folder is missing or incomplete, or its family is unknown.
    """
    folder = EMBEDDED_FOLDER if model == EMBEDDED else Path(model)
    for needed in ("config.json", "model.safetensors"):
        if not (folder / needed).is_file():
            raise BackboneError(
                f"--model takes {EMBEDDED!r} or a folder with config.json and model.safetensors; "
                f"{model!r} has no {needed}"
            )
    return as_backbone(_load_model(folder), model, _read_image_format(folder))


def as_backbone(model: nn.Module, name: str, image_format: ImageFormat | None = None) -> Backbone:
    """Take a loaded base model as a backbone, for good: frozen, and in evaluation mode.

    Args:
        model: A base model of ``transformers``, without task head.
        name: How studies and layout files call it.
        image_format: How a vision model wants its images; None for the size and channels of its
            configuration, scaled from [0, 1] to [-1, 1].

    Raises:
        BackboneError: If its family is unknown.
    """
    config: PretrainedConfig = model.config
    family = _family(config, name)
    graph = ResidualGraph(model, family)
    model.eval()
    model.requires_grad_(requires_grad=False)
    if image_format is None and family.inputs == "pixel_values":
        half = (0.5,) * int(config.num_channels)
        image_format = ImageFormat(int(config.image_size), len(half), half, half)
    facts = BackboneFacts(
        id=name,
        architecture=type(model).__name__,
        model_type=str(config.model_type),
        n_blocks=len(graph.blocks),
        width=int(config.hidden_size),
        n_parameters=sum(p.numel() for p in model.parameters()),
        fingerprint=_whole_fingerprint(model, config, image_format),
    )
    return Backbone(graph, facts, image_format)


def _family(config: PretrainedConfig, name: str) -> Family:
    """The family of a configuration.

    Raises:
        BackboneError: If it is unknown.
    """
    if config.model_type not in FAMILIES:
        raise BackboneError(
            f"no residual graph is known for model type {config.model_type!r} of {name!r}"
            + nearest(str(config.model_type), FAMILIES)
        )
    return FAMILIES[str(config.model_type)]


def _whole_fingerprint(
    model: nn.Module, config: PretrainedConfig, image_format: ImageFormat | None
) -> str:
    """SHA-256 over all that decides what the backbone computes, 16 hexadecimal digits."""
    settings = {key: value for key, value in config.to_dict().items() if key not in NOT_COMPUTED}
    text = json.dumps(settings, sort_keys=True, default=str)
    weights = fingerprint(model.state_dict())
    return sha256(f"{weights}{text}{image_format}".encode()).hexdigest()[:16]


def fingerprint(weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over the sorted names, shapes and bytes of ``weights``, 16 hexadecimal digits."""
    digest = sha256()
    for name in sorted(weights):
        tensor = weights[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def _load_model(folder: Path) -> nn.Module:
    try:
        with _quiet_transformers():
            config = AutoConfig.from_pretrained(folder, local_files_only=True)
            _family(config, str(folder))
            architecture = MODEL_MAPPING[type(config)]
            # A pooler is a head: absent from many checkpoints, it would start at random weights.
            options = inspect.signature(architecture).parameters
            bare = {"add_pooling_layer": False} if "add_pooling_layer" in options else {}
            model, found = architecture.from_pretrained(
                folder,
                local_files_only=True,
                use_safetensors=True,
                dtype=torch.float32,
                output_loading_info=True,
                **bare,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise BackboneError(f"{folder} can't be loaded as a model: {error}") from error
    if found["missing_keys"]:
        shown = ", ".join(sorted(found["missing_keys"])[:5])
        raise BackboneError(
            f"{folder} lacks {len(found['missing_keys'])} of the model's weights, which would "
            f"start at random values: {shown}"
        )
    loaded: nn.Module = model
    return loaded


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


def _read_image_format(folder: Path) -> ImageFormat | None:
    config = json.loads((folder / "config.json").read_text())
    if "image_size" not in config:
        return None
    n_channels = int(config.get("num_channels", 3))
    processor = folder / "preprocessor_config.json"
    settings = json.loads(processor.read_text()) if processor.is_file() else {}
    half = [0.5] * n_channels
    return ImageFormat(
        size=int(config["image_size"]),
        n_channels=n_channels,
        mean=tuple(settings.get("image_mean", half)),
        std=tuple(settings.get("image_std", half)),
    )
