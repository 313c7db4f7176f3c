"""What is wrong with rows: collected first, then told all at once."""

from collections.abc import Sequence
from dataclasses import dataclass

from placement_search.errors import TaskError

MOST_SHOWN = 10
"""Rows that are shown of those that break one rule."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One row, or one split as a whole, that breaks a rule.

    Args:
        rule: What should hold, with its cure if there is one.
        split: Where.
        row: Which row of the split as it was given, from 0; None for the whole split.
        column: Which column.
        got: What stands there.
    """

    rule: str
    split: str
    row: int | None
    column: str
    got: str = ""

    def __str__(self) -> str:
        """Where, and what stands there."""
        place = self.split if self.row is None else f"{self.split} row {self.row}"
        return f"{place}, column {self.column!r}" + (f": {self.got}" if self.got else "")


def refuse(name: str, faults: Sequence[Fault]) -> None:
    """Raise if there is any fault.

    Raises:
        TaskError: With every rule that is broken, its first rows, and how many there are.
    """
    if not faults:
        return
    rules = dict.fromkeys(fault.rule for fault in faults)
    told = [_told(rule, [fault for fault in faults if fault.rule == rule]) for rule in rules]
    raise TaskError(f"data set {name!r} can't be used; rows count from 0\n" + "\n".join(told))


def _told(rule: str, faults: Sequence[Fault]) -> str:
    shown = "\n".join(f"    {fault}" for fault in faults[:MOST_SHOWN])
    more = len(faults) - MOST_SHOWN
    return f"  {rule} ({len(faults)} found):\n{shown}" + (
        f"\n    and {more} more" if more > 0 else ""
    )


def shortened(value: object, most: int = 60) -> str:
    """A value as a message shows it, at most so many characters of it."""
    text = repr(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"
