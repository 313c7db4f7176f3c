"""What identifies a backbone; loads no torch, so that studies can be read without it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BackboneFacts:
    """What identifies a backbone in studies and layout files.

    Args:
        id: ``embedded``, the folder's name as given, or the id of a hub model.
        architecture: Class name of the base model.
        model_type: Family name of ``transformers``.
        n_blocks: Number of blocks.
        width: Channels of the residual stream.
        n_parameters: Parameters of the base model, all frozen.
        fingerprint: SHA-256 over what decides its states: weights, the configuration's entries
            that do, size and scaling of images, the user's description if any; 16 hexadecimal
            digits.
        revision: Commit of a hub model; None for the others.
        dtype: Of the weights, e.g. ``float32``.
        n_nodes: States of the residual stream.
        sublayers: Residual additions of a block: 2, or 1 where they are fused.
    """

    id: str
    architecture: str
    model_type: str
    n_blocks: int
    width: int
    n_parameters: int
    fingerprint: str
    revision: str | None
    dtype: str
    n_nodes: int
    sublayers: int
