"""Ctrl-C stops a search between events, also where Python drops it on the way."""

import signal
from collections.abc import Callable, Iterator
from threading import Thread
from typing import Any

import pytest

from placement_search.engine.heedful import CtrlC, HeedfulEngine
from placement_search.evaluation.plan import TrainingPlan
from tests.pressed_keys import PressedInDestructor
from tests.study.stub_engine import StubEngine


@pytest.fixture(autouse=True)
def python_handles() -> Iterator[None]:
    """As in a process of its own; tests that run in the background ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def dropped(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What Python drops within destructors, instead of a warning on stderr."""
    found: list[Any] = []
    monkeypatch.setattr("sys.unraisablehook", lambda each: found.append(each.exc_type))
    return found


def press_and(go_on: Callable[[HeedfulEngine], object]) -> None:
    """Have Ctrl-C dropped, then ask the engine for more."""
    with CtrlC() as ctrl_c:
        engine = HeedfulEngine(StubEngine(), ctrl_c)
        PressedInDestructor()
        go_on(engine)
        pytest.fail("it went on")


@pytest.mark.parametrize(
    "go_on",
    [
        lambda engine: engine.events(),
        lambda engine: engine.run_fully(TrainingPlan(epochs=1), 0, is_final=True),
    ],
)
def test_a_dropped_ctrl_c_stops_before_more_is_trained(
    dropped: list[Any], go_on: Callable[[HeedfulEngine], object]
) -> None:
    """Layouts, or the whole backbone, which takes longest."""
    with pytest.raises(KeyboardInterrupt):
        press_and(go_on)

    assert dropped == [KeyboardInterrupt]


@pytest.mark.usefixtures("dropped")
def test_a_dropped_ctrl_c_stops_at_the_latest_at_the_end() -> None:
    """Nobody takes a search that was to stop for a whole one."""
    with pytest.raises(KeyboardInterrupt), CtrlC():
        PressedInDestructor()


def test_ctrl_c_that_is_not_dropped_stops_at_once() -> None:
    """As without us, wherever the process is."""
    with pytest.raises(KeyboardInterrupt), CtrlC():
        signal.raise_signal(signal.SIGINT)


def test_python_handles_ctrl_c_again_afterwards() -> None:
    """A library leaves signals as they were."""
    with CtrlC():
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_handles_ctrl_c_already_goes_on_to() -> None:
    """Their handler may do otherwise than stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with CtrlC() as ctrl_c:
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        signal.raise_signal(signal.SIGINT)
        ctrl_c.check()

    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_another_thread_may_search() -> None:
    """Signals are the main thread's, so there is nothing to take over."""
    errors: list[BaseException] = []

    def enter() -> None:
        try:
            with CtrlC() as ctrl_c:
                ctrl_c.check()
        except BaseException as error:  # noqa: BLE001 - told by the test
            errors.append(error)

    thread = Thread(target=enter)
    thread.start()
    thread.join()

    assert not errors
