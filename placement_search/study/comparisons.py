"""What a layout gains over another on the test split, with its interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import comb

from placement_search.evaluation.estimates import (
    CONFIDENCE,
    Estimate,
    difference_estimate,
    is_rounding,
    mean_estimate,
    paired_estimate,
)


class Method(StrEnum):
    """How the interval of a difference came about."""

    PAIRED = "paired"
    WELCH = "Welch"


@dataclass(frozen=True, slots=True)
class Comparison:
    """A layout, the answer as a rule, against another one on the test split.

    Args:
        name: The other, or what several random layouts are called together.
        n_adapter_parameters: What the other costs.
        test: The other's test score.
        gain: By how much our mean is better than the other's; negative where worse.
        method: Where its interval comes from: the differences of the seeds that both have, in
            Student's t, or the two sides' spreads, in Welch's.
        in_pairs: Where ours are scores from after the choice: the same by the scores from before
            it, in pairs. The choice went by their trainings, so it flatters ours.
    """

    name: str
    n_adapter_parameters: int
    test: Estimate
    gain: Estimate
    method: Method = Method.WELCH
    in_pairs: Estimate | None = None

    @property
    def verdict(self) -> str:
        """``better``, ``worse``, or ``not told apart`` where the interval holds zero.

        That is no claim of equality: either may be the better one. Where all values are equal there
        is no spread to go by, so they have to be enough that chance would rarely order them so.
        """
        gain = self.gain
        is_open = self.is_point and (
            is_rounding(gain.mean, self.test.mean) or self._chance_of_order > 1 - CONFIDENCE
        )
        if gain.low <= 0 <= gain.high or is_open:
            return "not told apart"
        return "better" if gain.low > 0 else "worse"

    @property
    def is_point(self) -> bool:
        """Whether seeds differ in nothing, so that the gain has no interval."""
        return is_rounding(self.gain.high - self.gain.low, self.test.mean, self.gain.mean)

    @property
    def _chance_of_order(self) -> float:
        """How likely all differences point one way by chance: by a test of signs, or of ranks."""
        n_orders = (
            2**self.gain.n if self.method is Method.PAIRED else comb(self.gain.n, self.test.n)
        )
        return 2 / n_orders


@dataclass(frozen=True, slots=True)
class Against:
    """Compares with one layout's test scores.

    Args:
        ours: Its scores by replicate, at least two.
        sign: -1 where a lower score is better.
        is_paired: Whether a replicate has something in common over layouts.
        fresh: Its scores from seeds that took no part in choosing it, at least two; they then
            count in place of the others. Empty where there are none.
    """

    ours: Mapping[int, float]
    sign: int
    is_paired: bool
    fresh: Sequence[float] = ()

    @property
    def test(self) -> Estimate:
        """Its test score, of what counts."""
        return mean_estimate(self._counting)

    def layout(self, name: str, n_parameters: int, theirs: Mapping[int, float]) -> Comparison:
        """Against another layout's scores by replicate: paired where both have the same ones."""
        apart = self.independent(name, n_parameters, list(theirs.values()))
        if not self.is_paired or self.ours.keys() != theirs.keys():
            return apart
        pairs = [(self.sign * self.ours[r], self.sign * theirs[r]) for r in sorted(theirs)]
        gain = paired_estimate([our for our, _ in pairs], [their for _, their in pairs])
        if self.fresh:
            return replace(apart, in_pairs=gain)
        return replace(apart, gain=gain, method=Method.PAIRED)

    def independent(self, name: str, n_parameters: int, theirs: list[float]) -> Comparison:
        """Against values that have nothing in common with ours, one by one."""
        gain = difference_estimate(
            [self.sign * score for score in self._counting],
            [self.sign * score for score in theirs],
        )
        return Comparison(name, n_parameters, mean_estimate(theirs), gain)

    @property
    def _counting(self) -> list[float]:
        return list(self.fresh or self.ours.values())
