"""An engine of several processes on this machine, each of which evaluates a population of its own.

The processes see neither the study nor each other. Each loads the backbone and computes the frozen
states for itself; head and pooling are those of the process that asks, so that all start alike.
"""

import multiprocessing
import os
import signal
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

import torch

from placement_search.adapted.probe import ProbedHead
from placement_search.backbones.loading import load_backbone
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.engine import Event, Failed, Finished
from placement_search.engine.in_process import DEFAULT_POPULATION, InProcessEngine
from placement_search.errors import FailureError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.pooling import PoolingChoice
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Workbench
from placement_search.tasks.task import Task

Command = tuple[str, int, Evaluation | None]
"""``start`` with a ticket and a request, or ``stop`` with a ticket."""


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """What a process needs to make the same workbench.

    Args:
        model: Which backbone.
        task: The data.
        pooling: How tokens become one feature.
        head: The head that every evaluation starts from.
        memory_limit: Bytes that the frozen states of one split may take, in each process.
        population: How many evaluations train together in one process.
        n_threads: Of each process.
    """

    model: ModelSettings
    task: Task
    pooling: PoolingChoice
    head: ProbedHead
    memory_limit: int
    population: int
    n_threads: int

    def make(self) -> Workbench:
        """The workbench; frozen states are computed when they are first read."""
        backbone = load_backbone(self.model)
        bench = Workbench(backbone, self.task, memory_limit=self.memory_limit)
        bench.settle_pooling(self.pooling)
        bench.head = self.head
        return bench


@dataclass(slots=True, eq=False)
class _Worker:
    """One process, the way to it, and what it is evaluating."""

    process: SpawnProcess
    pipe: "Connection[Command, list[Event]]"
    underway: dict[int, Evaluation] = field(default_factory=dict)


class LocalProcesses:
    """Evaluates in processes of this machine, beside each other.

    A process that dies, as when the system kills it for its memory, is replaced. What it was
    evaluating starts again, alone, and has failed if it takes a second process with it.

    Args:
        bench: Backbone and data; the processes make their own.
        model: What loads the same backbone.
        n_processes: How many.
        population: How many evaluations train together in each.
    """

    def __init__(
        self,
        bench: Workbench,
        model: ModelSettings,
        n_processes: int,
        population: int = DEFAULT_POPULATION,
    ) -> None:
        threads = max(1, (os.cpu_count() or 1) // n_processes)
        self._recipe = Recipe(
            model=model,
            task=bench.task,
            pooling=bench.pooling_choice,
            head=bench.head,
            memory_limit=bench.memory_limit,
            population=population,
            n_threads=threads,
        )
        self._own = InProcessEngine(bench, population)
        self._size = population
        self._waiting: deque[tuple[int, Evaluation]] = deque()
        self._alone: deque[tuple[int, Evaluation]] = deque()
        self._suspects: set[int] = set()
        self._workers = [_hired(self._recipe) for _ in range(n_processes)]

    def start(self, ticket: int, request: Evaluation) -> None:
        """See `Engine`."""
        self._waiting.append((ticket, request))
        self._hand_out()

    def events(self) -> Sequence[Event]:
        """See `Engine`."""
        events: list[Event] = []
        while not events:
            self._hand_out()
            busy = {worker.pipe: worker for worker in self._workers if worker.underway}
            if not busy:
                raise ValueError("no evaluation is under way")
            for pipe in wait(list(busy)):
                events += self._heard(busy[cast("Connection[Command, list[Event]]", pipe)])
        return events

    def stop(self, ticket: int) -> None:
        """See `Engine`."""
        for queue in (self._waiting, self._alone):
            for each in [each for each in queue if each[0] == ticket]:
                queue.remove(each)
        for worker in self._workers:
            if worker.underway.pop(ticket, None) is not None:
                _tell(worker, ("stop", ticket, None))

    def run_fully(self, plan: TrainingPlan, seed: int, *, is_final: bool) -> ScoreCard:
        """See `Engine`; in this process, with all threads."""
        return self._own.run_fully(plan, seed, is_final=is_final)

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.pipe.close()
            worker.process.terminate()
        for worker in self._workers:
            worker.process.join()
        self._workers.clear()

    def _hand_out(self) -> None:
        """Give waiting evaluations to the process with the fewest, as long as one has room."""
        while self._alone or self._waiting:
            worker = min(self._workers, key=lambda each: len(each.underway))
            room = 1 if self._alone else self._size
            if len(worker.underway) >= room:
                return
            ticket, request = (self._alone or self._waiting).popleft()
            worker.underway[ticket] = request
            _tell(worker, ("start", ticket, request))

    def _heard(self, worker: _Worker) -> list[Event]:
        """What a process has to say; of evaluations that were stopped meanwhile, nothing."""
        try:
            told = worker.pipe.recv()
        except (EOFError, ConnectionError):
            return self._replace(worker)
        heard = [event for event in told if event.ticket in worker.underway]
        for event in heard:
            if isinstance(event, Finished | Failed):
                del worker.underway[event.ticket]
        return heard

    def _replace(self, worker: _Worker) -> list[Event]:
        """Hire another process, and give the dead one's evaluations a second chance each."""
        worker.process.join()
        died = FailureError(
            "the process that evaluated it died twice, the last time with exit code "
            f"{worker.process.exitcode}; -9 is often the system's, for want of memory"
        )
        events: list[Event] = []
        for ticket, request in worker.underway.items():
            if ticket in self._suspects:
                events.append(Failed(ticket, died))
            else:
                self._suspects.add(ticket)
                self._alone.append((ticket, request))
        self._workers[self._workers.index(worker)] = _hired(self._recipe)
        return events


def _hired(recipe: Recipe) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs, recipe), daemon=True)
    with _environment({"OMP_NUM_THREADS": str(recipe.n_threads)}):
        process.start()
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Variables for processes that are started meanwhile: OpenMP reads them when it is loaded."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _tell(worker: _Worker, command: Command) -> None:
    # A process that is gone is noticed where it is listened to.
    try:
        worker.pipe.send(command)
    except (BrokenPipeError, ConnectionError):
        return


def _serve(pipe: "Connection[list[Event], Command]", recipe: Recipe) -> None:
    """A worker process: evaluates what it is told until nobody listens."""
    # Ctrl-C reaches all processes of a terminal; the one that asks decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(recipe.n_threads)
    engine = InProcessEngine(recipe.make(), recipe.population)
    underway: set[int] = set()
    try:
        while True:
            while not underway or pipe.poll():
                _obey(engine, underway, pipe.recv())
            events = [_portable(event) for event in engine.events()]
            underway -= {e.ticket for e in events if isinstance(e, Finished | Failed)}
            pipe.send(events)
    except (EOFError, ConnectionError):
        return


def _obey(engine: InProcessEngine, underway: set[int], command: Command) -> None:
    _, ticket, request = command
    if request is not None:
        engine.start(ticket, request)
        underway.add(ticket)
    else:
        engine.stop(ticket)
        underway.discard(ticket)


def _portable(event: Event) -> Event:
    """An event that another process can read; an error that it could not is told in words."""
    if not isinstance(event, Failed):
        return event
    try:
        multiprocessing.reduction.ForkingPickler.dumps(event.error)
    except Exception as error:  # noqa: BLE001 - whatever an error's own pickling raises
        return Failed(event.ticket, FailureError(f"{event.error!r}, which can't be sent: {error}"))
    return event
