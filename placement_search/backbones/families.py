"""The families of Hugging Face models that are known as residual graphs, one line each."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Holds(StrEnum):
    """What a hooked module's output is at a node in the middle of a block."""

    STATE = "state"
    """The residual state itself, as in post-norm blocks, whose norm follows the addition."""
    UPDATE = "update"
    """What the block is about to add to its input, as in pre-norm blocks."""


class Pooling(StrEnum):
    """How the tokens' final states become one feature vector."""

    CLS = "cls"
    MEAN = "mean"


@dataclass(frozen=True, slots=True)
class Family:
    """Where a model family keeps its residual stream.

    Args:
        blocks: Path of the list of blocks inside the base model.
        middle: Path, inside a block, of the module whose output carries the state between the
            block's two sub-layers.
        holds: What that output is.
        pooling: The feature that the family's own classification head reads.
        inputs: Name of the model's main input.
    """

    blocks: str
    middle: str
    holds: Holds
    pooling: Pooling
    inputs: str


FAMILIES: Mapping[str, Family] = {
    "vit": Family("layers", "attention", Holds.UPDATE, Pooling.CLS, "pixel_values"),
    "bert": Family("encoder.layer", "attention", Holds.STATE, Pooling.CLS, "input_ids"),
}
