"""No pruner: every trial is trained to its end."""

from collections.abc import Mapping

from placement_search.study.pruners.pruner import Bars, Measure


class NoPruner:
    """Lets everything pass."""

    def learn(self, number: int, scores: Mapping[int, float], *, is_complete: bool) -> None:
        """See `Pruner`."""

    def measure(self, number: int) -> Measure:  # noqa: ARG002 - the protocol's
        """See `Pruner`."""
        return Bars()
