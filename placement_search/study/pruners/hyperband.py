"""Hyperband: several successive halvings that begin to judge at different rungs."""

import binascii
import math
from collections.abc import Mapping, Sequence

from placement_search.study.pruners.pruner import Measure
from placement_search.study.pruners.successive_halving import (
    REDUCTION_FACTOR,
    SuccessiveHalvingPruner,
)


class HyperbandPruner:
    """Trials are dealt into brackets, each a successive halving of its own.

    A later bracket starts at a later rung, for layouts that show late what they are worth.

    Args:
        rungs: The reports at which the first bracket judges, in order.
        study_name: Deals out the brackets, together with a trial's number.
    """

    def __init__(self, rungs: Sequence[int], study_name: str) -> None:
        self._study_name = study_name
        n = len(rungs)
        self._shares = [
            math.ceil(n * REDUCTION_FACTOR ** (n - 1 - bracket) / (n - bracket))
            for bracket in range(n)
        ]
        self._brackets = [SuccessiveHalvingPruner(rungs[bracket:]) for bracket in range(n)]

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:
        """See `Pruner`."""
        self._bracket(number).learn(number, scores, is_complete=is_complete)

    def measure(self, number: int) -> Measure:
        """See `Pruner`."""
        return self._bracket(number).measure(number)

    def _bracket(self, number: int) -> SuccessiveHalvingPruner:
        drawn = binascii.crc32(f"{self._study_name}_{number}".encode()) % sum(self._shares)
        bracket = 0
        while drawn >= self._shares[bracket]:
            drawn -= self._shares[bracket]
            bracket += 1
        return self._brackets[bracket]
