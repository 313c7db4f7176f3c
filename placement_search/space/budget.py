"""What a layout may cost."""

import re
from dataclasses import dataclass

from placement_search.errors import SpaceError


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on a layout; the head is left out, since every layout has the same one.

    Args:
        max_parameters: Most trainable parameters of the adapters together; None for no limit.
    """

    max_parameters: int | None = None

    def allows(self, n_parameters: int) -> bool:
        """Whether adapters of ``n_parameters`` trainable parameters are within the budget."""
        return self.max_parameters is None or n_parameters <= self.max_parameters

    def how_many(self, cost: int, at_most: int) -> int:
        """How many connections of ``cost`` parameters the budget pays for, up to ``at_most``."""
        if self.max_parameters is None:
            return at_most
        return min(at_most, self.max_parameters // cost)

    def describe(self) -> str:
        """The limit in words."""
        return "unlimited" if self.max_parameters is None else f"{self.max_parameters:,} parameters"


def parse_budget(text: str | None, n_backbone: int) -> Budget:
    """Read ``--max-params``: a count such as ``5000``, or a share of the backbone such as ``0.5%``.

    Raises:
        SpaceError: If it is neither, or not positive.
    """
    if text is None:
        return Budget()
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*(%?)\s*", text.replace(",", "").replace("_", ""))
    if match is None or float(match[1]) <= 0 or (not match[2] and "." in match[1]):
        raise SpaceError(
            f"--max-params takes a count, e.g. 5000, or a share of the backbone's parameters, "
            f"e.g. 0.5%; got {text!r}"
        )
    limit = float(match[1]) * n_backbone / 100 if match[2] else float(match[1])
    return Budget(int(limit))
