"""What tests of engines share: requests, and a way to see them through."""

from placement_search.engine.engine import Engine, Failed, Finished, Reported
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.modules import parse_layout

PLAN = TrainingPlan(epochs=2, batch_size=32)
NOTATIONS = ("none", "3>4:bottleneck", "20>1:bottleneck", "5>9:bottleneck+9>9:bottleneck")


def requests() -> list[Evaluation]:
    """One for each layout, on a backbone of 25 nodes."""
    return [Evaluation(parse_layout(text), 0, PLAN) for text in NOTATIONS]


class Heard:
    """What an engine has said.

    Attributes:
        cards: By ticket.
        errors: By ticket.
        reports: Epochs and scores by ticket, in order.
    """

    def __init__(self) -> None:
        self.cards: dict[int, ScoreCard] = {}
        self.errors: dict[int, Exception] = {}
        self.reports: dict[int, list[tuple[int, float]]] = {}

    def listen(self, engine: Engine) -> None:
        """Take in the next events."""
        for event in engine.events():
            if isinstance(event, Reported):
                self.reports.setdefault(event.ticket, []).append((event.report, event.score))
            elif isinstance(event, Finished):
                self.cards[event.ticket] = event.card
            elif isinstance(event, Failed):
                self.errors[event.ticket] = event.error


def see_through(engine: Engine, asked: list[Evaluation]) -> Heard:
    """Start all requests, and listen until each has ended."""
    heard = Heard()
    for ticket, request in enumerate(asked):
        engine.start(ticket, request)
    while len(heard.cards) + len(heard.errors) < len(asked):
        heard.listen(engine)
    return heard
