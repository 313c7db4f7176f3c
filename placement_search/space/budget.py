"""What a layout may cost."""

import re
from dataclasses import dataclass
from fractions import Fraction

from placement_search.errors import SpaceError
from placement_search.space.cost_table import CostTable, LayoutCosts, Price

UNITS = {"": 1, "b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3,
         "kib": 1024, "mib": 1024**2, "gib": 1024**3}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Budget:
    """Limits on a layout; None for no limit.

    Args:
        max_parameters: Trainable parameters of the adapters together; the head is left out, since
            every layout has the same one.
        max_bytes: Adapters and head on disk, the file's header left out.
        max_flops: Operations of one forward pass, as a factor of the bare backbone's with its head.
        max_latency: Time of one forward pass, as a factor of the same.
    """

    max_parameters: int | None = None
    max_bytes: int | None = None
    max_flops: Fraction | None = None
    max_latency: Fraction | None = None

    def check(self) -> None:
        """Check that it leaves anything; a share may be less than one parameter.

        Raises:
            SpaceError: If it does not.
        """
        if self.max_parameters is not None and self.max_parameters < 1:
            raise SpaceError(
                "--max-params must leave 1 parameter at least; the share of this backbone is less "
                "than one, so 0: give a larger share, or a count, e.g. 5000"
            )

    def limits(self, table: CostTable) -> list[tuple[Price, Fraction]]:
        """The prices that are limited, each with the most that a layout may use.

        Raises:
            ValueError: If the table lacks a price that is limited.
        """
        factors = (self.max_flops, table.flops), (self.max_latency, table.latency)
        counts = (self.max_parameters, table.parameters), (self.max_bytes, table.n_bytes)
        limited = [(price, Fraction(limit)) for limit, price in counts if limit is not None]
        limited += [
            (price, Fraction(_highest(limit)) * Fraction(price.fixed) if price else limit)
            for limit, price in factors
            if limit is not None
        ]
        if any(price is None for price, _ in limited):
            raise ValueError("a limited resource needs its price in the cost table")
        return [(price, limit) for price, limit in limited if price is not None]

    def excess(self, costs: LayoutCosts) -> str:
        """What is over the budget, each cost beside its limit; empty where nothing is."""
        found = [
            (costs.n_parameters, self.max_parameters, "parameters"),
            (costs.n_bytes, self.max_bytes, "bytes"),
            (costs.flops_factor, self.max_flops, "times the bare backbone's operations"),
            (costs.latency_factor, self.max_latency, "times the bare backbone's latency"),
        ]
        return "; ".join(
            f"{_shown(cost)} {what}, the most is {_shown(limit)}"
            for cost, limit, what in found
            if cost is not None and limit is not None and cost > _highest(limit)
        )

    def describe(self) -> str:
        """The limits in words."""
        said = [
            (self.max_parameters, "parameters"),
            (self.max_bytes, "bytes"),
            (self.max_flops, "times the operations"),
            (self.max_latency, "times the latency"),
        ]
        words = [f"{_shown(limit)} {what}" for limit, what in said if limit is not None]
        return ", ".join(words) or "unlimited"


def _highest(limit: int | Fraction) -> int | Fraction:
    """The largest cost within a limit: a float that rounds to it, such as 1.1, is within it."""
    return limit if isinstance(limit, int) else max(limit, Fraction(float(limit)))


def _shown(number: float | Fraction) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{float(number):.6g}"


def parse_budget(
    text: str | None,
    n_backbone: int,
    *,
    max_bytes: str | None = None,
    max_flops: str | None = None,
    max_latency: str | None = None,
) -> Budget:
    """Read the options that limit a layout.

    Args:
        text: ``--max-params``: a count such as ``5000``, or a share of the backbone such as
            ``0.5%``.
        n_backbone: Parameters of the backbone.
        max_bytes: ``--max-bytes``, e.g. ``20KB``.
        max_flops: ``--max-flops``: a factor of the bare backbone such as ``1.1x`` or ``110%``.
        max_latency: ``--max-latency``: the same.

    Raises:
        SpaceError: If one is nothing of the kind, or a factor is below 1.
    """
    return Budget(
        None if text is None else _parse_parameters(text, n_backbone),
        None if max_bytes is None else _parse_bytes(max_bytes),
        None if max_flops is None else _parse_factor(max_flops, "--max-flops"),
        None if max_latency is None else _parse_factor(max_latency, "--max-latency"),
    )


def _parse_parameters(text: str, n_backbone: int) -> int:
    match = re.fullmatch(r"\s*(\d{1,3}(?:[,_]\d{3})+|\d+(?:\.\d+)?)\s*(%?)\s*", text)
    limit = Fraction(re.sub("[,_]", "", match[1])) if match else Fraction(0)
    is_share = match is not None and match[2] == "%"
    if limit <= 0 or (limit.denominator > 1 and not is_share):
        raise SpaceError(
            f"--max-params takes a count, e.g. 5000, or a share of the backbone's parameters, "
            f"e.g. 0.5%; got {text!r}"
        )
    return int(limit * n_backbone / 100 if is_share else limit)


def _parse_bytes(text: str) -> int:
    match = re.fullmatch(r"\s*(\d{1,3}(?:[,_]\d{3})+|\d+(?:\.\d+)?)\s*([a-z]*)\s*", text, re.I)
    unit = UNITS.get(match[2].lower()) if match else None
    size = int(Fraction(re.sub("[,_]", "", match[1])) * unit) if match and unit else 0
    if size <= 0:
        raise SpaceError(
            "--max-bytes takes a size, e.g. 20KB, 1.5MB or 64KiB, or a number of bytes; "
            f"got {text!r}"
        )
    return size


def _parse_factor(text: str, option: str) -> Fraction:
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([x%]?)\s*", text)
    factor = Fraction(match[1]) / (100 if match[2] == "%" else 1) if match else Fraction(0)
    if factor < 1:
        raise SpaceError(
            f"{option} takes a factor of the bare backbone, at least 1, e.g. 1.1x or 110%; "
            f"got {text!r}"
        )
    return factor
