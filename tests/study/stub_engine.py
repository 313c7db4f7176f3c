"""An engine that scores layouts by a formula, for tests of what a study does with scores."""

import random
import zlib
from collections.abc import Callable, Iterator, Sequence

from placement_search.engine.engine import Event, Failed, Finished, Reported
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import Costs, ScoreCard


class StubEngine:
    """Gives every layout a fixed score within [0, 1), rising over three epochs and with the data.

    Args:
        before: Called with the number of the evaluation, from 1, before it; may raise.
        at_epoch: Called with that number and the epoch after each report was heard; may raise.
        order: Seeds which evaluation goes on, and how many events come at once; without one the
            first that was started goes on to its end, one event after another.
    """

    def __init__(
        self,
        before: Callable[[int], None] = lambda _number: None,
        at_epoch: Callable[[int, int], None] = lambda _number, _epoch: None,
        order: int | None = None,
    ) -> None:
        self.requests: list[Evaluation] = []
        self.full: list[tuple[float, int, bool]] = []
        self.most_under_way = 0
        self._before = before
        self._at_epoch = at_epoch
        self._random = None if order is None else random.Random(order)  # noqa: S311
        self._under_way: dict[int, Iterator[Event]] = {}

    def start(self, ticket: int, request: Evaluation) -> None:
        """See `Engine`."""
        assert ticket not in self._under_way
        self.requests.append(request)
        self._under_way[ticket] = self._run(ticket, len(self.requests), request)
        self.most_under_way = max(self.most_under_way, len(self._under_way))

    def events(self) -> Sequence[Event]:
        """See `Engine`."""
        if not self._under_way:
            raise ValueError("nothing is under way")
        if self._random is None:
            return [self._event(next(iter(self._under_way)))]
        return [
            self._event(self._random.choice(list(self._under_way)))
            for _ in range(self._random.randint(1, 5))
            if self._under_way
        ]

    def stop(self, ticket: int) -> None:
        """See `Engine`; one that ended in the same breath may be stopped too."""
        self._under_way.pop(ticket, None)

    def close(self) -> None:
        """See `Engine`."""
        self._under_way.clear()

    def _event(self, ticket: int) -> Event:
        event = next(self._under_way[ticket])
        if not isinstance(event, Reported):
            del self._under_way[ticket]
        return event

    def _run(self, ticket: int, number: int, request: Evaluation) -> Iterator[Event]:
        try:
            self._before(number)
        except Exception as error:  # noqa: BLE001 - what an engine does with whatever goes wrong
            yield Failed(ticket, error)
            return
        final = zlib.crc32(f"{request.layout.id}{request.seed}".encode()) % 1000 / 1000
        final /= request.one_in**0.1
        history = tuple(final * share for share in (0.5, 0.9, 1.0))
        for epoch, score in enumerate(history, start=1):
            yield Reported(ticket, epoch, score, 0.1 * epoch, 10 * epoch)
            self._at_epoch(number, epoch)
        costs = Costs(100, 10, 440, 1000, 1.5, 1.2 if request.is_timed else None)
        test = final if request.is_final else None
        yield Finished(ticket, ScoreCard(final, history, test, request.seed, 30, 0.1, costs))

    def run_fully(self, plan: TrainingPlan, seed: int, *, is_final: bool) -> ScoreCard:
        """See `Engine`; the score is best at a learning rate of 3e-4."""
        assert not self._under_way
        self.full.append((plan.learning_rate, seed, is_final))
        score = 0.9 if plan.learning_rate == 3e-4 else 0.5
        costs = Costs(602_176, 650, 2_411_304, 1000, 1.0, 1.0)
        return ScoreCard(score, (score,), score if is_final else None, seed, 30, 0.1, costs)
