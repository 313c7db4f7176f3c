"""A frozen pre-trained transformer with its residual graph, and how a loaded model becomes one."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from placement_search.backbones.described import check_described
from placement_search.backbones.facts import BackboneFacts
from placement_search.backbones.families import Family, Pooling, known_family
from placement_search.backbones.fingerprint import (
    POOLER,
    config_settings,
    may_lack_pooler,
    whole_fingerprint,
)
from placement_search.backbones.formats import N_MADE_UP_TOKENS, input_format_of
from placement_search.backbones.graph import ResidualGraph, floating_dtype
from placement_search.backbones.quantised import is_quantised, keep_gradients, n_parameters
from placement_search.backbones.unknown import unknown_architecture
from placement_search.errors import BackboneError
from placement_search.input_format import AudioFormat, ImageFormat, InputFormat
from placement_search.places import Places


@dataclass(frozen=True, slots=True, eq=False)
class Backbone:
    """A frozen pre-trained transformer with its residual graph.

    Every parameter is frozen and the model is in evaluation mode for its whole life here.

    Args:
        graph: The model, and the way through its states.
        facts: What identifies it.
        input_format: What it takes as input.
        folder: Where it was read from; None for a model of the user's own.
    """

    graph: ResidualGraph
    facts: BackboneFacts
    input_format: InputFormat
    folder: Path | None

    @property
    def width(self) -> int:
        """Channels of the residual stream."""
        return self.facts.width

    @property
    def n_nodes(self) -> int:
        """States of the residual graph."""
        return len(self.graph.nodes)

    @property
    def places(self) -> Places:
        """What module types may ask about the places of connections."""
        sublayers = self.graph.sublayers(lambda: self.made_up_inputs(n_examples=2, seed=0))
        return Places(self.width, self.graph.family.is_causal, sublayers)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.graph.model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, and so of the states."""
        return floating_dtype(self.graph.model)

    @property
    def is_quantised(self) -> bool:
        """Whether its weights are in 4 or 8 bits, and so can't be trained themselves."""
        return is_quantised(self.graph.model)

    @property
    def poolings(self) -> tuple[Pooling, ...]:
        """Features that a head may read, the family's own first."""
        return self.graph.family.poolings

    def made_up_inputs(self, n_examples: int, seed: int) -> dict[str, Tensor]:
        """Random inputs that the model accepts, the same for every process, machine and device.

        Args:
            n_examples: First axis of every input.
            seed: Fixes them.
        """
        return _made_up(self.input_format, self.graph, n_examples, seed)


def _made_up(
    form: InputFormat, graph: ResidualGraph, n_examples: int, seed: int
) -> dict[str, Tensor]:
    # Drawn on the CPU, where a seed means the same everywhere.
    made = _drawn(form, graph.family.inputs, n_examples, seed)
    device = next(graph.model.parameters()).device
    return {name: tensor.to(device) for name, tensor in made.items()}


def _drawn(form: InputFormat, name: str, n_examples: int, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    if isinstance(form, ImageFormat):
        shape = (n_examples, form.n_channels, form.height, form.width)
        return {name: torch.randn(shape, generator=generator)}
    if isinstance(form, AudioFormat):
        return {name: torch.randn((n_examples, form.n_samples), generator=generator)}
    n_tokens = min(N_MADE_UP_TOKENS, form.max_tokens)
    ids = torch.randint(form.vocabulary, (n_examples, n_tokens), generator=generator)
    return {name: ids, "attention_mask": torch.ones_like(ids)}


def as_backbone(
    model: nn.Module,
    name: str,
    *,
    family: Family | None = None,
    input_format: InputFormat | None = None,
    revision: str | None = None,
) -> Backbone:
    """Take a loaded base model as a backbone, for good: frozen, and in evaluation mode.

    Args:
        model: A base model of ``transformers``, without task head, or a module of your own.
        name: How studies and layout files call it.
        family: Where its residual stream is, for an architecture that the package does not know.
        input_format: What it takes as input; None for what its configuration says.
        revision: Commit of a hub model.

    Raises:
        BackboneError: If its family is unknown and not given, or does not describe it, or if its
            weights are wider than float32.
    """
    config = getattr(model, "config", None)
    model_type = str(config_settings(model).get("model_type", type(model).__name__))
    known = family or known_family(model_type, config_settings(model))
    if known is None:
        raise unknown_architecture(model, model_type, name)
    _check_class(model, known)
    _check_dtype(model, name)
    graph = ResidualGraph(model, known)
    model.eval()
    model.requires_grad_(requires_grad=False)
    keep_gradients(model)
    form = input_format or input_format_of(config, known, None)
    facts = BackboneFacts(
        id=name,
        architecture=type(model).__name__,
        model_type=model_type,
        n_blocks=len(graph.blocks),
        width=int(config.hidden_size) if family is None else _checked_width(graph, form),  # type: ignore[union-attr]
        n_parameters=n_parameters(model),
        fingerprint=whole_fingerprint(model, form, family, has_pooler=_has_pooler(model, known)),
        revision=revision,
        dtype=str(floating_dtype(model)).removeprefix("torch."),
        n_nodes=len(graph.nodes),
        sublayers=known.sublayers,
    )
    return Backbone(graph, facts, form, None)


def _has_pooler(model: nn.Module, family: Family) -> bool:
    """Whether a pooler's weights decide states; where nobody knows, they count."""
    is_norm = (family.norm or "").startswith(POOLER)
    return family.needs_pooler or is_norm or not may_lack_pooler(type(model))


def _checked_width(graph: ResidualGraph, form: InputFormat) -> int:
    """Channels of a stream that the user describes, found while the description is tried."""
    return check_described(graph, _made_up(form, graph, n_examples=2, seed=0))


def _check_dtype(model: nn.Module, name: str) -> None:
    """Check that adapters, which are float32, do not lose digits of its states."""
    dtype = floating_dtype(model)
    if dtype.itemsize > torch.float32.itemsize:
        raise BackboneError(
            f"weights are at most float32, as adapters are; {name} has "
            f"{str(dtype).removeprefix('torch.')}: call model.float() first"
        )


def _check_class(model: nn.Module, family: Family) -> None:
    """Check that a model is just the backbone, and keeps its tokens to the end.

    Raises:
        BackboneError: Naming the class to load instead, or the entry that loses tokens.
    """
    if family.loads is not None and type(model).__name__ != family.loads:
        raise BackboneError(
            f"of this family {family.loads} is the backbone, got {type(model).__name__}; "
            f"load it with transformers.{family.loads}.from_pretrained"
        )
    if getattr(getattr(model, "config", None), "add_adapter", False):
        raise BackboneError(
            f"{type(model).__name__} ends in convolutions that shorten its states (add_adapter in "
            "its configuration), so they are no residual stream; use a checkpoint without them"
        )
