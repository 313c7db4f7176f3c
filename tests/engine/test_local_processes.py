"""The engine of several processes: the same scores, stops, and processes that die."""

import multiprocessing
import os
import signal

import pytest

from placement_search.backbones.settings import ModelSettings
from placement_search.engine.in_process import InProcessEngine
from placement_search.engine.local_processes import (
    LocalProcesses,
    Recipe,
    check_is_no_new_worker,
)
from placement_search.errors import FailureError, LayoutError, StudyError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from tests.engine.engines import PLAN, Heard, requests, see_through
from tests.tiny_task import small_embedded_bench

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """The embedded backbone on a few small images."""
    return small_embedded_bench()


@pytest.fixture
def engine(bench: Workbench) -> LocalProcesses:
    """Two processes, each with room for two."""
    return LocalProcesses(bench, ModelSettings(), 2, population=2)


def test_scores_are_those_of_one_process(bench: Workbench, engine: LocalProcesses) -> None:
    """All reports and cards; one that can't begin fails with its own error."""
    try:
        heard = see_through(engine, requests())
    finally:
        engine.close()
    expected = see_through(InProcessEngine(bench, 1), requests())

    assert heard.reports == expected.reports
    assert {ticket: card.history for ticket, card in heard.cards.items()} == {
        ticket: card.history for ticket, card in expected.cards.items()
    }


def test_what_is_stopped_is_not_heard_of_again(engine: LocalProcesses) -> None:
    """Whatever its process had said already."""
    heard = Heard()
    try:
        for ticket, request in enumerate(requests()):
            engine.start(ticket, request)
        engine.stop(0)
        engine.stop(3)
        while len(heard.cards) < 2:
            heard.listen(engine)
        with pytest.raises(ValueError, match="no evaluation is under way"):
            engine.events()
    finally:
        engine.close()

    assert heard.cards.keys() == {1, 2}
    assert heard.reports.keys() == {1, 2}


def kill(engine: LocalProcesses, ticket: int) -> None:
    """Kill the process that evaluates a ticket."""
    for worker in engine._workers:
        if any(job.ticket == ticket for job in worker.jobs.values()):
            os.kill(worker.process.pid or 0, signal.SIGKILL)
            worker.process.join()


def test_a_process_that_is_killed_is_replaced(bench: Workbench, engine: LocalProcesses) -> None:
    """What it evaluated begins again, and gives the scores it would have given."""
    heard = Heard()
    try:
        for ticket, request in enumerate(requests()):
            engine.start(ticket, request)
        for worker in list(engine._workers):
            os.kill(worker.process.pid or 0, signal.SIGKILL)
        while len(heard.cards) < len(requests()):
            heard.listen(engine)
    finally:
        engine.close()
    expected = see_through(InProcessEngine(bench, 1), requests())

    assert all(heard.cards[t].history == card.history for t, card in expected.cards.items())


def test_an_evaluation_that_kills_two_processes_has_failed(engine: LocalProcesses) -> None:
    """It is not tried for ever, nobody evaluates beside it meanwhile, and others go on."""
    heard = Heard()
    try:
        for ticket, request in enumerate(requests()):
            engine.start(ticket, request)
        kill(engine, 1)
        while not heard.errors:
            heard.listen(engine)
            beside = [w for w in engine._workers if any(j.is_suspect for j in w.jobs.values())]
            assert all(len(worker.jobs) == 1 for worker in beside)
            kill(engine, 1)
        while len(heard.cards) < 3:
            heard.listen(engine)
    finally:
        engine.close()

    assert "died twice" in str(heard.errors[1])
    assert heard.cards.keys() == {0, 2, 3}


def test_a_ticket_may_be_used_again(bench: Workbench, engine: LocalProcesses) -> None:
    """What its first bearer still had to say is not heard."""
    other = requests()[2]
    heard = Heard()
    try:
        engine.start(0, requests()[1])
        heard.listen(engine)
        engine.stop(0)
        heard.reports.clear()
        engine.start(0, other)
        while not heard.cards:
            heard.listen(engine)
    finally:
        engine.close()

    assert (
        heard.cards[0].history == see_through(InProcessEngine(bench, 1), [other]).cards[0].history
    )
    assert [epoch for epoch, _ in heard.reports[0]] == [1, 2]


def test_errors_keep_their_kind_and_their_traceback(engine: LocalProcesses) -> None:
    """A layout beyond the last node is refused in the process as it is here."""
    try:
        wrong = Evaluation(parse_layout("30>31:bottleneck"), 0, PLAN)
        heard = see_through(engine, [wrong])
    finally:
        engine.close()

    assert isinstance(heard.errors[0], LayoutError)
    assert "Traceback" in "".join(heard.errors[0].__notes__)


def test_a_process_that_can_not_begin_says_why(bench: Workbench) -> None:
    """Its own reason, once, instead of two dead processes for every layout."""
    engine = LocalProcesses(bench, ModelSettings("no/such/folder/anywhere"), 1)
    try:
        engine.start(0, requests()[0])
        with pytest.raises(FailureError, match=r"can't begin: .*no/such/folder"):
            engine.events()
    finally:
        engine.close()


def test_close_ends_all_processes(engine: LocalProcesses) -> None:
    """None outlives the engine."""
    engine.start(0, requests()[0])
    processes = [worker.process for worker in engine._workers]
    engine.close()

    assert len(processes) == 2
    assert not any(process.is_alive() for process in processes)


def test_processes_start_without_shared_memory(
    bench: Workbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container may have too little for the data; then each process has a copy."""
    refused: list[int] = []

    def once(recipe: Recipe, protocol: int) -> object:
        if not refused:
            refused.append(protocol)
            raise RuntimeError("unable to allocate shared memory(shm) for file </torch_1>")
        return object.__reduce_ex__(recipe, protocol)

    monkeypatch.setattr(Recipe, "__reduce_ex__", once)
    engine = LocalProcesses(bench, ModelSettings(), 1, population=1)
    try:
        heard = see_through(engine, requests()[:1])
    finally:
        engine.close()

    assert refused
    assert heard.cards.keys() == {0}


def test_a_worker_that_searches_is_told_what_its_script_lacks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Python imports the script anew in each of them; processes of the user's own may search."""
    check_is_no_new_worker()
    monkeypatch.setattr(multiprocessing.current_process(), "_inheriting", True, raising=False)

    with pytest.raises(StudyError, match=r"has run its script anew; put .* under if __name__"):
        check_is_no_new_worker()
