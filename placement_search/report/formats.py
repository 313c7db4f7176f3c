"""Numbers as the report writes them; what is unknown is a dash."""

import math

from placement_search.evaluation.estimates import Estimate
from placement_search.layout import SHOWN_CONNECTIONS, shortened
from placement_search.study.records import ReferenceRecord, TrialRecord

UNKNOWN = "–"
MINUS = "−"


def as_count(value: int) -> str:
    """A count with thousands apart, e.g. ``29,376``."""
    return f"{value:,}"


def as_score(value: float | None) -> str:
    """A score with four decimals."""
    return UNKNOWN if value is None or not math.isfinite(value) else f"{value:.4f}"


def as_signed(value: float) -> str:
    """A difference or a correlation with its sign, e.g. ``+0.0312``."""
    if not math.isfinite(value):
        return UNKNOWN
    rounded = round(value, 4)
    return f"{MINUS if rounded < 0 else '+'}{abs(rounded):.4f}"


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
        return f"{estimate.mean:.4f} (one seed)"
    return str(estimate)


def as_interval(estimate: Estimate) -> str:
    """Both ends with signs, e.g. ``−0.0100 to +0.0300``."""
    return f"{as_signed(estimate.low)} to {as_signed(estimate.high)}"


def trained_notation(
    trained: TrialRecord | ReferenceRecord, at_most: int = SHOWN_CONNECTIONS
) -> str:
    """The shortened notation of a layout, and how it was trained where the space proposes that."""
    return trained.training.name_with(shortened(trained.layout, at_most))
