"""Sums over examples, one a source, of which some are known for a part of the examples, too."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, slots=True, eq=False)
class PartedSums:
    """Rows of sums; those of sampled sources are kept apart until a part of the examples ends.

    Args:
        whole: Over all parts that have ended, shape ``(n_nodes, …)``; where a source is not
            sampled, over all examples so far.
        part: Over the open part, shape ``(n_sampled, …)``.
        sampled: The sources that the rows of ``part`` belong to.
    """

    whole: Tensor
    part: Tensor
    sampled: tuple[int, ...]

    @property
    def open(self) -> list[Tensor]:
        """What examples are added to, by source."""
        rows = list(self.whole)
        for source, row in zip(self.sampled, self.part, strict=True):
            rows[source] = row
        return rows

    def close(self) -> None:
        """End the part: its sums join the whole, and the next one begins at zero."""
        for source, row in zip(self.sampled, self.part, strict=True):
            self.whole[source] += row
        self.part.zero_()


def parted_sums(whole: Tensor, sampled: Sequence[int]) -> PartedSums:
    """Sums that begin with the zeros ``whole``."""
    return PartedSums(whole, whole.new_zeros((len(sampled), *whole.shape[1:])), tuple(sampled))
