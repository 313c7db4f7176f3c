"""An engine that scores layouts by a formula, for tests of what a study does with scores."""

import zlib
from collections.abc import Callable

from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.fine_tune import Report
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import Costs, ScoreCard


class StubEngine:
    """Gives every layout a fixed score within [0, 1), rising over three epochs.

    Args:
        before: Called with the number of the evaluation, from 1, before it; may raise.
        at_epoch: Called with that number and the epoch after each report; may raise.
    """

    def __init__(
        self,
        before: Callable[[int], None] = lambda _number: None,
        at_epoch: Callable[[int, int], None] = lambda _number, _epoch: None,
    ) -> None:
        self.requests: list[Evaluation] = []
        self.full: list[tuple[float, int, bool]] = []
        self._before = before
        self._at_epoch = at_epoch

    def run(self, request: Evaluation, report: Report) -> ScoreCard:
        """See `Engine`."""
        self.requests.append(request)
        number = len(self.requests)
        self._before(number)
        final = zlib.crc32(f"{request.layout.id}{request.seed}".encode()) % 1000 / 1000
        history = tuple(final * share for share in (0.5, 0.9, 1.0))
        for epoch, score in enumerate(history, start=1):
            report(epoch, score)
            self._at_epoch(number, epoch)
        costs = Costs(100, 10, 440, 1000, 1.5, 1.2 if request.is_timed else None)
        test = final if request.is_final else None
        return ScoreCard(final, history, test, request.seed, 30, 0.1, costs)

    def run_fully(self, plan: TrainingPlan, seed: int, *, is_final: bool) -> ScoreCard:
        """See `Engine`; the score is best at a learning rate of 3e-4."""
        self.full.append((plan.learning_rate, seed, is_final))
        score = 0.9 if plan.learning_rate == 3e-4 else 0.5
        costs = Costs(602_176, 650, 2_411_304, 1000, 1.0, 1.0)
        return ScoreCard(score, (score,), score if is_final else None, seed, 30, 0.1, costs)
