"""The families of Hugging Face models that are known as residual graphs, one line each."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial


class Holds(StrEnum):
    """What is found at the module that marks the middle of a block."""

    STATE = "state"
    """Its output is the residual state itself, as in post-norm blocks, whose norm follows."""
    UPDATE = "update"
    """Its output is what the block is about to add to its input, as in pre-norm blocks."""
    INPUT = "input"
    """Its input is the residual state, where no module's output is; a second norm, say."""


class Returns(StrEnum):
    """What a block's forward returns."""

    STATE = "state"
    """The state, or a tuple of nothing else."""
    PAIR = "pair"
    """The state and attention weights, which nobody reads."""
    SHARED = "shared"
    """The state and what the first block makes for all later ones, which therefore always runs."""


class Pooling(StrEnum):
    """How the tokens' final states become one feature vector."""

    CLS = "cls"
    MEAN = "mean"
    LAST = "last"


@dataclass(frozen=True, slots=True)
class Family:
    """Where a model family keeps its residual stream.

    Args:
        blocks: Path of the list of blocks inside the base model.
        middle: Path, inside a block, of the module that carries the state between the block's two
            sub-layers; None for a fused block of one sub-layer.
        holds: What is found at ``middle``.
        poolings: Features that a head may read, the family's own first.
        inputs: Name of the model's main input: ``pixel_values``, ``input_ids`` or ``input_values``.
        returns: What a block's forward returns.
        norm: Path of the final norm where the model's ``last_hidden_state`` is taken before it.
        entry: Path of the module whose first argument is the first state, where not only the
            first block reads it; padded tokens are zero there.
        loads: Class of ``transformers`` that holds just the backbone, where it is not the one that
            goes with the configuration.
        needs_pooler: Whether the model's pooler is kept, for a norm that lies in it.
        positions_after_padding: Whether positions count from the padding token's id plus one.
        any_size: Whether images of other sizes than the configuration's are read.
        options: Fixed arguments of the model's forward.
        is_causal: Whether tokens see only those before them. Adapters have to know it and states
            do not depend on it, so it is no part of a description's fingerprint.
    """

    blocks: str
    middle: str | None
    holds: Holds = Holds.UPDATE
    poolings: tuple[Pooling, ...] = (Pooling.MEAN,)
    inputs: str = "input_ids"
    returns: Returns = Returns.STATE
    norm: str | None = None
    entry: str | None = None
    loads: str | None = None
    needs_pooler: bool = False
    positions_after_padding: bool = False
    any_size: bool = False
    options: Mapping[str, bool] = field(default_factory=dict)
    is_causal: bool = field(default=False, repr=False)

    @property
    def sublayers(self) -> int:
        """Residual additions of a block."""
        return 1 if self.middle is None else 2


_CLS = (Pooling.CLS, Pooling.MEAN)
_MEAN = (Pooling.MEAN, Pooling.CLS)
_image = partial(Family, inputs="pixel_values", poolings=_CLS)
_audio = partial(Family, inputs="input_values")
_encoder = partial(Family, poolings=_CLS)
_decoder = partial(
    Family, poolings=(Pooling.LAST, Pooling.MEAN), options={"use_cache": False}, is_causal=True
)
_roberta = _encoder("encoder.layer", "attention", Holds.STATE, positions_after_padding=True)
_clip = _image("encoder.layers", "self_attn", norm="post_layernorm", loads="CLIPVisionModel")

FAMILIES: Mapping[str, Family] = {
    "vit": _image("layers", "attention"),
    "deit": _image("layers", "attention"),
    "dinov2": _image("encoder.layer", "layer_scale1", any_size=True),
    "dinov2_with_registers": _image("encoder.layer", "layer_scale1", any_size=True),
    "beit": _image("layers", "layernorm_after", Holds.INPUT),
    "clip": _clip,
    "clip_vision_model": _clip,
    "bert": _encoder("encoder.layer", "attention", Holds.STATE),
    "roberta": _roberta,
    "xlm-roberta": _roberta,
    "camembert": _roberta,
    "electra": _encoder("encoder.layer", "attention", Holds.STATE),
    "distilbert": _encoder("transformer.layer", "sa_layer_norm", Holds.STATE),
    # A convolution behind the first block, which some have, reads neighbours in the first state.
    "deberta-v2": _encoder(
        "encoder.layer", "attention", Holds.STATE, returns=Returns.PAIR, entry="encoder"
    ),
    "modernbert": _encoder("layers", "attn"),
    "t5": Family(
        "encoder.block", "layer.0", Holds.STATE, returns=Returns.SHARED, loads="T5EncoderModel"
    ),
    "gpt2": _decoder("h", "attn"),
    "llama": _decoder("layers", "self_attn"),
    "mistral": _decoder("layers", "self_attn"),
    "qwen2": _decoder("layers", "self_attn"),
    "qwen3": _decoder("layers", "self_attn"),
    "gpt_neox": _decoder("layers", None),
    "phi": _decoder("layers", None),
    "hubert": _audio("encoder.layers", "layer_norm", Holds.STATE),
    "wav2vec2": _audio("encoder.layers", "layer_norm", Holds.STATE),
}

VARIANTS: Mapping[tuple[str, str, bool], Family] = {
    ("beit", "use_mean_pooling", True): _image(
        "layers",
        "layernorm_after",
        Holds.INPUT,
        poolings=_MEAN,
        norm="pooler.layernorm",
        needs_pooler=True,
    ),
    ("gpt_neox", "use_parallel_residual", False): _decoder("layers", "attention"),
    ("hubert", "do_stable_layer_norm", True): _audio("encoder.layers", "attention"),
    ("wav2vec2", "do_stable_layer_norm", True): _audio("encoder.layers", "attention"),
}
"""Families whose blocks an entry of the configuration changes: model type, entry, its value."""


def known_family(model_type: str, settings: Mapping[str, object]) -> Family | None:
    """The family of a model type, or None where it is unknown.

    Args:
        model_type: Family name of ``transformers``.
        settings: The model's configuration.
    """
    for (name, key, value), family in VARIANTS.items():
        if name == model_type and settings.get(key) == value:
            return family
    return FAMILIES.get(model_type)
