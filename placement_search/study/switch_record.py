"""What a study's switches learned, as frozen values."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from placement_search.space.node_names import Pair

SWITCHES = "switches"
"""Where a study keeps them."""


@dataclass(frozen=True, slots=True)
class SwitchRecord:
    """Which candidate connections switches would keep.

    Args:
        keep: By connection, ``source>target``, the probability that it is kept.
        candidates: Which connections had a switch, in words.
        score: Validation score of all candidates together, with those kept that a switch keeps.
        n_steps: Optimizer steps of their training.
        seconds: Its time.
    """

    keep: dict[str, float]
    candidates: str
    score: float
    n_steps: int
    seconds: float

    @property
    def by_pair(self) -> Mapping[Pair, float]:
        """The probabilities by source and target."""
        return {_pair(name): probability for name, probability in self.keep.items()}

    @property
    def n_kept(self) -> int:
        """Connections that are kept: those whose probability is one half or more."""
        return sum(probability >= 0.5 for probability in self.keep.values())

    @property
    def words(self) -> str:
        """What they say, in a sentence for people."""
        return f"switches keep {self.n_kept:,} of {len(self.keep):,} candidates ({self.candidates})"


def _pair(name: str) -> Pair:
    source, _, target = name.partition(">")
    return int(source), int(target)


SWITCH_RECORDS = TypeAdapter(SwitchRecord)


def read_switches(attributes: Mapping[str, Any]) -> SwitchRecord | None:
    """What a study's attributes hold of its switches; None where none were trained."""
    stored = attributes.get(SWITCHES)
    return SWITCH_RECORDS.validate_python(stored) if stored else None
