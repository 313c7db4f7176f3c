"""An engine that evaluates in this process, several layouts at a time as one population."""

import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from placement_search.engine.engine import Event, Failed, Finished, Infeasible, Reported
from placement_search.evaluation.evaluate import (
    Evaluated,
    Evaluation,
    Report,
    begin,
    evaluate,
    finish,
    new_population,
)
from placement_search.evaluation.full_fine_tune import full_fine_tune
from placement_search.evaluation.member import Member
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Workbench

DEFAULT_POPULATION = 4


@dataclass(slots=True, eq=False)
class _Underway:
    """An evaluation that was asked for.

    Args:
        ticket: Which one.
        request: What is evaluated.
        n_told: Reports made already; more than it has reached where it had to start again.
    """

    ticket: int
    request: Evaluation
    n_told: int = 0


class InProcessEngine:
    """Evaluates on one workbench in the calling process.

    Evaluations that fail together, as when memory runs out, start again one by one, which gives
    the same numbers, and half as many train together from then on; what fails alone has failed.

    Args:
        bench: Backbone and data.
        population: How many train together at most, or what says so when it is first needed.
    """

    def __init__(
        self, bench: Workbench, population: int | Callable[[], int] = DEFAULT_POPULATION
    ) -> None:
        self._bench = bench
        self._population_size = population
        self._retried: int | None = None
        self._waiting: deque[_Underway] = deque()
        self._training: list[tuple[_Underway, Member]] = []
        self._alone: deque[_Underway] = deque()
        self._population = new_population(bench)

    def start(self, ticket: int, request: Evaluation) -> None:
        """See `Engine`."""
        self._waiting.append(_Underway(ticket, request))

    def stop(self, ticket: int) -> None:
        """See `Engine`."""
        for each, member in list(self._training):
            if each.ticket == ticket:
                self._let_go(each, member)
        for queue in (self._waiting, self._alone):
            for each in [each for each in queue if each.ticket == ticket]:
                queue.remove(each)

    def events(self) -> Sequence[Event]:
        """Train those who are under way to their next report, and pass it on; see `Engine`."""
        events: list[Event] = []
        while not events:
            if not self._admit(events) and not events:
                raise ValueError("no evaluation is under way")
            if self._training:
                events += self._trained()
        return events

    def close(self) -> None:
        """See `Engine`."""
        for each, member in list(self._training):
            self._let_go(each, member)
        self._waiting.clear()
        self._alone.clear()

    def train(self, request: Evaluation, report: Report) -> Evaluated:
        """Evaluate a layout and keep the trained model, for export.

        Raises:
            Infeasible: If memory runs out.
            EvaluationError: If there is no usable score.
        """
        with memory_errors_told():
            return evaluate(self._bench, request, report)

    def run_fully(self, plan: TrainingPlan, seed: int, *, is_final: bool) -> ScoreCard:
        """See `Engine`."""
        with memory_errors_told():
            return full_fine_tune(self._bench, plan, seed, is_final=is_final)

    def _admit(self, events: list[Event]) -> bool:
        """Let evaluations begin where there is room; whether any is under way."""
        while self._has_room() and (fitting := self._first_fitting()):
            self._waiting.remove(fitting)
            self._begin(fitting, events)
        if self._alone and not self._training:
            self._retried = self._alone[0].ticket
            self._begin(self._alone.popleft(), events)
        return bool(self._training)

    def _has_room(self) -> bool:
        """Whether one more may join now; nobody joins one that failed in company."""
        is_retrying = any(each.ticket == self._retried for each, _ in self._training)
        if self._alone or is_retrying or not self._population.is_between_epochs:
            return False
        return not self._training or len(self._training) < self._size

    def _first_fitting(self) -> _Underway | None:
        """Who has waited longest of those who train on the same batches as who trains now."""
        training = {_pace(each.request) for each, _ in self._training}
        fitting = (each for each in self._waiting if training <= {_pace(each.request)})
        return next(fitting, None)

    @property
    def _size(self) -> int:
        if not isinstance(self._population_size, int):
            self._population_size = self._population_size()
        return self._population_size

    def _begin(self, underway: _Underway, events: list[Event]) -> None:
        try:
            with memory_errors_told():
                member = begin(self._population, self._bench, underway.request)
        except Exception as error:  # noqa: BLE001 - told to who asked, with its traceback
            events.append(Failed(underway.ticket, _let_go_of_tensors(error)))
        else:
            self._training.append((underway, member))

    def _trained(self) -> list[Event]:
        """The way to the next report of all members."""
        try:
            with memory_errors_told():
                self._population.run_part()
        except Exception as error:  # noqa: BLE001 - told to who asked, with its traceback
            return self._broken(error)
        told = [self._told(each, member) for each, member in list(self._training)]
        return [event for events in told for event in events]

    def _broken(self, error: Exception) -> list[Event]:
        """What a failure means: the end of one who was alone, a new start for several."""
        broken = list(self._training)
        for each, member in broken:
            self._let_go(each, member)
        if len(broken) == 1:
            return [Failed(broken[0][0].ticket, _let_go_of_tensors(error))]
        _let_go_of_tensors(error)
        self._population_size = max(1, self._size // 2)
        self._alone.extend(each for each, _ in broken)
        return []

    def _told(self, each: _Underway, member: Member) -> list[Event]:
        """What a report says of one member; the last one ends with its score card."""
        events: list[Event] = []
        if member.latest is not None and member.n_reports > each.n_told:
            each.n_told = member.n_reports
            events.append(
                Reported(each.ticket, each.n_told, member.latest, member.seconds, member.n_steps)
            )
        if member.is_done:
            self._let_go(each, member)
            events.append(self._ended(each, member))
        return events

    def _ended(self, each: _Underway, member: Member) -> Event:
        try:
            with memory_errors_told():
                return Finished(each.ticket, finish(self._bench, each.request, member).card)
        except Exception as error:  # noqa: BLE001 - told to who asked, with its traceback
            return Failed(each.ticket, _let_go_of_tensors(error))

    def _let_go(self, each: _Underway, member: Member) -> None:
        self._training.remove((each, member))
        self._population.leave(member)


def _pace(request: Evaluation) -> tuple[int, int, int]:
    """What members of one population have in common."""
    return request.one_in, request.plan.batch_size, request.plan.reports_per_epoch


def _let_go_of_tensors(error: Exception) -> Exception:
    """The error, whose traceback still shows where it arose, but no longer holds what lay there.

    The frames of a failed step hold its states, and the next one to train needs their memory.
    """
    link: BaseException | None = error
    while link is not None:
        traceback.clear_frames(link.__traceback__)
        link = link.__cause__ or link.__context__
    return error


NO_MEMORY = (
    "can't allocate memory", "CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED",
    "MPS backend out of memory",
)  # fmt: skip
"""How torch says that memory has run out where it has no class of its own for it."""


@contextmanager
def memory_errors_told() -> Iterator[None]:
    """Say `Infeasible` where memory runs out."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise Infeasible(f"out of memory: {error}") from error
    except RuntimeError as error:
        if not any(sign in str(error) for sign in NO_MEMORY):
            raise
        raise Infeasible(f"out of memory: {error}") from error
