"""What a label is; loads no torch."""

from enum import StrEnum


class Target(StrEnum):
    """What a model is to say about each example: one class, several labels, or a number."""

    SINGLE_LABEL = "single-label"
    MULTI_LABEL = "multi-label"
    REGRESSION = "regression"
