"""What a layout may cost."""

import re
from dataclasses import dataclass
from fractions import Fraction

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
    match = re.fullmatch(r"\s*(\d{1,3}(?:[,_]\d{3})+|\d+(?:\.\d+)?)\s*(%?)\s*", text)
    limit = Fraction(re.sub("[,_]", "", match[1])) if match else Fraction(0)
    is_share = match is not None and match[2] == "%"
    if limit <= 0 or (limit.denominator > 1 and not is_share):
        raise SpaceError(
            f"--max-params takes a count, e.g. 5000, or a share of the backbone's parameters, "
            f"e.g. 0.5%; got {text!r}"
        )
    return Budget(int(limit * n_backbone / 100 if is_share else limit))
