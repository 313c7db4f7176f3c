"""An engine that heeds Ctrl-C even where Python has dropped it."""

import signal
import threading
from collections.abc import Sequence
from types import FrameType, TracebackType
from typing import Self

from placement_search.engine.engine import Engine, Event
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard


class CtrlC:
    """Remembers that Ctrl-C was pressed, while entered.

    Python raises `KeyboardInterrupt` wherever the main thread is. Where that is a destructor or the
    callback of a weak reference, which run whenever memory is given back, Python prints the
    exception and goes on as if nobody had asked to stop.

    Outside of the main thread, and where somebody else handles the signal, nothing is changed.
    """

    def __init__(self) -> None:
        self._was_pressed = False

    def __enter__(self) -> Self:
        """Take the signal over from Python's own handler."""
        is_main = threading.current_thread() is threading.main_thread()
        if is_main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._press)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give it back; where nothing else is raised, Ctrl-C that was dropped is.

        Raises:
            KeyboardInterrupt: If it was pressed.
        """
        if signal.getsignal(signal.SIGINT) == self._press:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if kind is None:
            self.check()

    def _press(self, number: int, frame: FrameType | None) -> None:
        self._was_pressed = True
        signal.default_int_handler(number, frame)

    def check(self) -> None:
        """Stop here where Ctrl-C was pressed before.

        Raises:
            KeyboardInterrupt: If it was.
        """
        if self._was_pressed:
            raise KeyboardInterrupt


class HeedfulEngine:
    """Another engine, which stops between events where Ctrl-C was pressed.

    Args:
        engine: The other one.
        ctrl_c: Remembers.
    """

    def __init__(self, engine: Engine, ctrl_c: CtrlC) -> None:
        self._engine = engine
        self._ctrl_c = ctrl_c

    def start(self, ticket: int, request: Evaluation) -> None:
        """Take an evaluation on, see `Engine`."""
        self._engine.start(ticket, request)

    def events(self) -> Sequence[Event]:
        """What has happened, see `Engine`.

        Raises:
            KeyboardInterrupt: If Ctrl-C was pressed.
        """
        self._ctrl_c.check()
        events = self._engine.events()
        self._ctrl_c.check()
        return events

    def stop(self, ticket: int) -> None:
        """Forget an evaluation, see `Engine`."""
        self._engine.stop(ticket)

    def run_fully(self, plan: TrainingPlan, seed: int, *, is_final: bool) -> ScoreCard:
        """Train the whole backbone, see `Engine`.

        Raises:
            KeyboardInterrupt: If Ctrl-C was pressed.
        """
        self._ctrl_c.check()
        return self._engine.run_fully(plan, seed, is_final=is_final)

    def close(self) -> None:
        """Give back what the other engine holds."""
        self._engine.close()
