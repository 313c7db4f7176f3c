"""A trial under way: which of its trainings runs, what they have said, and what they took."""

from collections.abc import Sequence

from placement_search.engine.engine import Reported
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.score_card import ScoreCard
from placement_search.study.course import Leg
from placement_search.study.search_budget import Spent


class UnderWay:
    """A running trial.

    Args:
        legs: Its trainings, in turn; at least one.

    Attributes:
        cards: Score cards of the trainings that are done.
        scores: What the trial has reported, by report.
    """

    def __init__(self, legs: Sequence[Leg]) -> None:
        self._legs = legs
        self._before = Spent()
        self._now = Spent()
        self.cards: list[ScoreCard] = []
        self.scores: dict[int, float] = {}

    @property
    def spent(self) -> Spent:
        """What it took so far."""
        return self._before + self._now

    @property
    def request(self) -> Evaluation | None:
        """The training that runs, or is to; None after the last."""
        n_done = len(self.cards)
        return self._legs[n_done].request if n_done < len(self._legs) else None

    def report_of(self, event: Reported) -> int | None:
        """Which report of the trial a training's is, if it is one; what it took is noted."""
        self._now = Spent(event.seconds, event.n_steps)
        return self._legs[len(self.cards)].report_of(event.report)

    def finish(self, card: ScoreCard) -> None:
        """A training is done."""
        self.cards.append(card)
        self._before += Spent(card.train_seconds, card.n_steps)
        self._now = Spent()
