"""Numbers as the report writes them; what is unknown is a dash."""

import math
from collections.abc import Sequence

from placement_search.evaluation.estimates import Estimate
from placement_search.layout import SHOWN_CONNECTIONS, shortened
from placement_search.rounding import score_text, size_text
from placement_search.study.records import ReferenceRecord, TrialRecord

UNKNOWN = "–"
MINUS = "−"
NO_DIFFERENCE = 1e-12
"""What rounding leaves of equal scores."""


def as_count(value: int) -> str:
    """A count with thousands apart, e.g. ``29,376``."""
    return f"{value:,}"


def as_score(value: float | None) -> str:
    """A score as `score_text` writes it."""
    return UNKNOWN if value is None or not math.isfinite(value) else score_text(value)


def as_signed(value: float) -> str:
    """A difference or a correlation with its sign, e.g. ``+0.0312``; two digits below 0.001."""
    if not math.isfinite(value):
        return UNKNOWN
    size = abs(value) if abs(value) > NO_DIFFERENCE else 0.0
    return f"{MINUS if value < 0 and size else '+'}{size_text(size)}"


def as_factor(value: float | None) -> str:
    """A cost relative to the bare backbone, e.g. ``1.02×``."""
    return UNKNOWN if value is None else f"{value:.2f}×"


def as_seconds(value: float | None) -> str:
    """Seconds with one decimal."""
    return UNKNOWN if value is None else f"{value:,.1f}"


def as_share(part: int, whole: int) -> str:
    """A part in per cent of a whole, e.g. ``0.97 %``."""
    return f"{100 * part / whole:.2f} %"


def as_estimate(estimate: Estimate) -> str:
    """Mean and half the interval's length; a single value says that it is one."""
    if estimate.n < 2:
        return f"{as_score(estimate.mean)} (one seed)"
    half = as_signed((estimate.high - estimate.low) / 2).removeprefix("+")
    return f"{as_score(estimate.mean)} ± {half}"


def as_interval(estimate: Estimate) -> str:
    """Both ends with signs, e.g. ``−0.0100 to +0.0300``."""
    return f"{as_signed(estimate.low)} to {as_signed(estimate.high)}"


def trained_notation(
    trained: TrialRecord | ReferenceRecord, at_most: int = SHOWN_CONNECTIONS
) -> str:
    """The shortened notation of a layout, and how it was trained where the space proposes that."""
    return trained.training.name_with(shortened(trained.layout, at_most))


def plural(count: int, noun: str) -> str:
    """A count with its noun, e.g. ``1 seed`` or ``3 seeds``."""
    return f"{count} {noun}" if count == 1 else f"{as_count(count)} {noun}s"


def joined(parts: Sequence[str]) -> str:
    """At least one part, with an "and" before the last."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
