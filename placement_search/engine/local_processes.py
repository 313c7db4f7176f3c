"""An engine of several processes on this machine, each of which evaluates a population of its own.

The processes see neither the study nor each other. Each loads the backbone and computes the frozen
states for itself; head and pooling are those of the process that asks, so that all start alike.
"""

import itertools
import multiprocessing
import pickle
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import cast

import torch

from placement_search.adapted.probe import ProbedHead
from placement_search.backbones.loading import load_backbone
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.engine import Event, Failed, Finished
from placement_search.engine.in_process import DEFAULT_POPULATION, InProcessEngine
from placement_search.errors import FailureError, StudyError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.pooling import PoolingChoice
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Workbench
from placement_search.own_process import environment, keep_freed_memory
from placement_search.profile import Work
from placement_search.tasks.task import Task

Command = tuple[int, Evaluation | None]
"""A serial number with a request to start, or with nothing to stop it."""
Said = list[Event] | str
"""Events whose tickets are serial numbers, or why a process can't begin."""


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
class _Job:
    """An evaluation that was asked for.

    Args:
        ticket: Which one.
        request: What is evaluated.
        is_suspect: Whether a process has died while it was under way there.
    """

    ticket: int
    request: Evaluation
    is_suspect: bool = False


@dataclass(slots=True, eq=False)
class _Worker:
    """One process, the way to it, and what it is evaluating, by serial number."""

    process: SpawnProcess
    pipe: "Connection[Command, Said]"
    jobs: dict[int, _Job] = field(default_factory=dict)

    def has_room(self, job: _Job, size: int) -> bool:
        """Whether it may take this one; nobody evaluates beside a suspect."""
        if job.is_suspect or any(each.is_suspect for each in self.jobs.values()):
            return not self.jobs
        return len(self.jobs) < size


class LocalProcesses:
    """Evaluates in processes of this machine, beside each other; they start when first needed.

    A process that dies, as when the system kills it for its memory, is replaced. What it was
    evaluating starts again, alone, and has failed if it takes a second process with it.

    Args:
        bench: Backbone and data; the processes make their own.
        model: What loads the same backbone.
        n_processes: How many; each has its share of this process's threads.
        population: How many evaluations train together in each, or what says so when it is needed.
    """

    def __init__(
        self,
        bench: Workbench,
        model: ModelSettings,
        n_processes: int,
        population: int | Callable[[], int] = DEFAULT_POPULATION,
    ) -> None:
        self._bench = bench
        self._model = model
        self._n_processes = n_processes
        self._population = population
        self._own = InProcessEngine(bench, 1)
        self._waiting: deque[_Job] = deque()
        self._workers: list[_Worker] = []
        self._serials = itertools.count()

    @cached_property
    def _recipe(self) -> Recipe:
        size = self._population if isinstance(self._population, int) else self._population()
        return Recipe(
            model=self._model,
            task=self._bench.task,
            pooling=self._bench.pooling_choice,
            head=self._bench.head,
            memory_limit=self._bench.memory_limit,
            population=size,
            n_threads=max(1, torch.get_num_threads() // self._n_processes),
        )

    def start(self, ticket: int, request: Evaluation) -> None:
        """See `Engine`."""
        if not self._workers:
            self._workers = [_hired(self._recipe) for _ in range(self._n_processes)]
        self._waiting.append(_Job(ticket, request))
        self._hand_out()

    def events(self) -> Sequence[Event]:
        """See `Engine`.

        Raises:
            FailureError: If a process can't even begin.
        """
        events: list[Event] = []
        while not events:
            self._hand_out()
            busy = {worker.pipe: worker for worker in self._workers if worker.jobs}
            if not busy:
                raise ValueError("no evaluation is under way")
            with self._bench.profile.of(Work.WORKERS):
                heard = wait(list(busy))
            for pipe in heard:
                events += self._heard(busy[cast("Connection[Command, Said]", pipe)])
        return events

    def stop(self, ticket: int) -> None:
        """See `Engine`."""
        for job in [job for job in self._waiting if job.ticket == ticket]:
            self._waiting.remove(job)
        for worker in self._workers:
            for serial in [s for s, job in worker.jobs.items() if job.ticket == ticket]:
                del worker.jobs[serial]
                _tell(worker, (serial, None))

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
        self._waiting.clear()

    def _hand_out(self) -> None:
        """Give waiting evaluations, in order, to the process with the fewest that has room."""
        while self._waiting:
            worker = min(self._workers, key=lambda each: len(each.jobs))
            if not worker.has_room(self._waiting[0], self._recipe.population):
                return
            job, serial = self._waiting.popleft(), next(self._serials)
            worker.jobs[serial] = job
            _tell(worker, (serial, job.request))

    def _heard(self, worker: _Worker) -> list[Event]:
        """What a process has to say; of evaluations that were stopped meanwhile, nothing."""
        try:
            said = worker.pipe.recv()
        except (EOFError, ConnectionError):
            return self._replace(worker)
        if isinstance(said, str):
            raise FailureError(f"a process of --workers can't begin: {said}")
        events = []
        for event in said:
            job = worker.jobs.get(event.ticket)
            if job is not None:
                if isinstance(event, Finished | Failed):
                    del worker.jobs[event.ticket]
                events.append(replace(event, ticket=job.ticket))
        return events

    def _replace(self, worker: _Worker) -> list[Event]:
        """Hire another process, and give the dead one's evaluations a second chance each."""
        worker.process.join()
        died = FailureError(
            "the process that evaluated it died twice, the last time with exit code "
            f"{worker.process.exitcode}; -9 is often the system's, for want of memory, and 1 that "
            'of a script that searches without asking if __name__ == "__main__"'
        )
        lost = list(worker.jobs.values())
        self._workers[self._workers.index(worker)] = _hired(self._recipe)
        innocent = (job for job in lost if not job.is_suspect)
        self._waiting.extendleft(replace(job, is_suspect=True) for job in innocent)
        return [Failed(job.ticket, died) for job in lost if job.is_suspect]


def check_is_no_new_worker() -> None:
    """Check that no worker of a search searches itself, since it imports the script anew.

    Raises:
        StudyError: In a process that is only being started.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise StudyError(
            "a worker of this search has run its script anew; put what the script does under "
            'if __name__ == "__main__":, or search with workers=1'
        )


def _hired(recipe: Recipe) -> _Worker:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()

    def started(sent: Recipe | bytes) -> SpawnProcess:
        process = context.Process(target=_serve, args=(theirs, sent), daemon=True)
        process.start()
        return process

    # Ctrl-C reaches all processes of a terminal; the one that asks decides what it means.
    with environment({"OMP_NUM_THREADS": str(recipe.n_threads)}), _interrupts_ignored():
        try:
            process = started(recipe)
        except RuntimeError as error:
            if "shared memory" not in str(error):
                raise
            # Containers often have 64 MB of it. Then each process has a copy of the data.
            process = started(pickle.dumps(recipe))
    theirs.close()
    return _Worker(process, ours)


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Ignore Ctrl-C for a moment, which processes that are started meanwhile go on with."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(worker: _Worker, command: Command) -> None:
    # A process that is gone is noticed where it is listened to.
    try:
        worker.pipe.send(command)
    except (BrokenPipeError, ConnectionError):
        return


def _serve(pipe: "Connection[Said, Command]", sent: Recipe | bytes) -> None:
    """A worker process: evaluates what it is told until nobody listens."""
    recipe: Recipe = pickle.loads(sent) if isinstance(sent, bytes) else sent  # noqa: S301 - ours
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    torch.set_num_threads(recipe.n_threads)
    keep_freed_memory()
    try:
        engine = InProcessEngine(recipe.make(), recipe.population)
    except Exception as error:  # noqa: BLE001 - told to who hired it
        pipe.send(f"{type(error).__name__}: {error}")
        return
    with suppress(EOFError, ConnectionError):
        _work(pipe, engine)


def _work(pipe: "Connection[Said, Command]", engine: InProcessEngine) -> None:
    underway: set[int] = set()
    while True:
        while not underway or pipe.poll():
            serial, request = pipe.recv()
            if request is None:
                engine.stop(serial)
                underway.discard(serial)
            else:
                engine.start(serial, request)
                underway.add(serial)
        events = [_portable(event) for event in engine.events()]
        underway -= {e.ticket for e in events if isinstance(e, Finished | Failed)}
        pipe.send(events)


def _portable(event: Event) -> Event:
    """An event that another process can read; errors carry their traceback as a note."""
    if not isinstance(event, Failed):
        return event
    trace = "".join(traceback.format_exception(event.error))
    try:
        copied = pickle.loads(pickle.dumps(event.error))  # noqa: S301 - our own, just made
    except Exception:  # noqa: BLE001 - whatever an error's own pickling raises
        return Failed(event.ticket, FailureError(trace))
    copied.add_note(trace)
    return Failed(event.ticket, copied)
