"""The coordinator: the one process that asks, has evaluated, tells and writes.

Several trials may be under way, and how fast each one is must not decide what the study finds. So
knowledge lags by a constant: with ``concurrency`` c, the sampler that proposes trial n and the
pruner that judges it know the trials numbered up to n - c, neither more nor less. A slot waits
where one of them has not ended.

Every trial is a row of the storage before it runs: baselines are queued when the study is made, a
sampler's proposal is written whole. A trial that an interruption left running keeps its layout and
its seed, so running it again gives what it would have given.
"""

import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import optuna
from optuna.trial import FrozenTrial, TrialState

from placement_search.engine.engine import Engine, Event, Failed, Infeasible, Reported
from placement_search.errors import EvaluationError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES, count_parameters
from placement_search.rounding import score_text
from placement_search.space.encoding import Encoding
from placement_search.space.search_space import SearchSpace
from placement_search.space.training import TrainingChoice
from placement_search.study import records
from placement_search.study.baselines import Baseline
from placement_search.study.course import EPOCHS, Course
from placement_search.study.failures import Failures
from placement_search.study.ledger import Entry, Ledger, is_failed, runs_again
from placement_search.study.progress import Progress
from placement_search.study.pruners import PRUNERS
from placement_search.study.pruners.judge import Judge
from placement_search.study.pruners.pareto import ParetoPruner
from placement_search.study.pruners.pruner import Pruner
from placement_search.study.samplers import SAMPLERS
from placement_search.study.samplers.proposer import Proposer, SpaceExhaustedError
from placement_search.study.samplers.sampler import (
    Proposal,
    Question,
    Scores,
    Setting,
    distributions,
)
from placement_search.study.search_budget import Account, SearchBudget, Spent, spent_on
from placement_search.study.settings import DEFAULT_GAMMAS
from placement_search.study.switch_record import SwitchRecord
from placement_search.study.training_choices import stored, training_of
from placement_search.study.under_way import UnderWay


@dataclass(frozen=True, slots=True)
class TrialSetup:
    """What the trials of a study are made of.

    Args:
        space: The search space on the study's backbone.
        baselines: The layouts to evaluate first, those from elsewhere among them.
        plan: How every layout is trained, but for the settings that the space proposes.
        seed: The study's seed.
        sampler: Name of the sampler.
        pruner: Name of the pruner.
        concurrency: Trials that may be under way at once, which is how far knowledge lags.
        proxies: Scores of every connection, by proxy; empty where none were computed.
        fidelity: What a trial gets more of from rung to rung; see `Course`.
        replicates: Trainings of a layout from different seeds.
        cost: What a layout costs, where the score is set against that.
        switches: What switches learned before the trials; None where none were trained.
        gammas: Strengths of the discount in a sampler's greedy choices.
        trainings: By role, how those of the baselines are trained that have settings of their own.
    """

    space: SearchSpace
    baselines: Sequence[Baseline]
    plan: TrainingPlan
    seed: int
    sampler: str
    pruner: str
    concurrency: int
    proxies: Mapping[str, Scores] = field(default_factory=dict)
    fidelity: str = EPOCHS
    replicates: int = 1
    cost: Callable[[Layout], float] | None = None
    switches: SwitchRecord | None = None
    gammas: tuple[float, ...] = DEFAULT_GAMMAS
    trainings: Mapping[str, TrainingChoice] = field(default_factory=dict)

    @property
    def spent(self) -> Spent:
        """What was spent before the first trial."""
        return spent_on(self.switches)

    @property
    def course(self) -> Course:
        """How a trial runs."""
        return Course(self.plan, self.fidelity, self.replicates)


class Coordinator:
    """Brings a study to its trials, within a search budget.

    Args:
        study: The Optuna study; its own sampler and pruner are not asked.
        trials: What to evaluate.
        engine: Who evaluates; has nothing under way.
        progress: Who is told.
    """

    def __init__(
        self, study: optuna.Study, trials: TrialSetup, engine: Engine, progress: Progress
    ) -> None:
        self._trials = trials
        self._engine = engine
        self._progress = progress
        self._encoding = Encoding(trials.space)
        self._ledger = Ledger(study, distributions(self._encoding))
        setting = Setting(
            self._encoding,
            trials.seed,
            tuple(study.directions),
            trials.proxies,
            trials.concurrency,
            trials.switches.by_pair if trials.switches else {},
            trials.gammas,
            trials.course.value,
        )
        self._proposer = Proposer(setting, SAMPLERS[trials.sampler](setting))
        self._course = trials.course
        self._judge = Judge(self._new_pruner(study.study_name), setting.sign)
        self._failures = Failures(self._ledger)
        self._interrupted = deque(self._ledger.numbers(TrialState.RUNNING))
        self._waiting: deque[int] = deque()
        self._under_way: dict[int, UnderWay] = {}
        self._account = Account(SearchBudget(0), ())
        self._why_ended = ""

    def run(self, budget: SearchBudget) -> None:
        """Evaluate until something of the budget is spent, or the space is exhausted.

        Baselines that failed in an earlier run, by a bug or the machine, run again once: after the
        last proposal, so that an interruption before that changes none.

        Raises:
            FailureError: If several trials in a row failed.
        """
        failed = self._failed_baselines()
        self._account = Account(budget, self._ledger.trials, before=self._trials.spent)
        self._progress.start("search", budget.n_trials, self._ledger.n_counted)
        self._run_with(self._missing_baselines())
        why_ended = self._why_ended
        if failed and self._ledger.n_counted >= budget.n_trials:
            self._run_with(failed)
        self._progress.say(f"the search ends: {why_ended}")
        self._progress.finish()

    def _run_with(self, entries: Sequence[Entry]) -> None:
        """Evaluate, these first of all that is not there yet."""
        self._ledger.queue(entries)
        self._waiting = deque(self._ledger.numbers(TrialState.WAITING))
        self._why_ended = ""
        self._fill_slots()
        while self._under_way:
            for event in self._engine.events():
                self._heed(event)
            self._failures.check()
            self._fill_slots()

    def _new_pruner(self, study_name: str) -> Pruner:
        """The pruner of the study's choice, made to mind costs where the study does."""
        trials, course = self._trials, self._course
        make = partial(PRUNERS[trials.pruner], course.horizon(study_name))
        if trials.cost is None or trials.pruner == "none":
            return make()
        return ParetoPruner(make, self._cost_of, is_dominance_judged=course.replicates == 1)

    def _cost_of(self, number: int) -> float:
        cost: float = self._ledger.trials[number].user_attrs[records.COST]
        return cost

    def _missing_baselines(self) -> list[Entry]:
        """Those that were never queued."""
        trials = self._ledger.trials
        queued = {trial.user_attrs[records.ROLE] for trial in trials}
        # One that a later proxy map added may have been proposed before.
        known = {t.user_attrs[records.LAYOUT_ID] for t in trials if not is_failed(t)}
        missing = [
            baseline
            for baseline in self._trials.baselines
            if baseline.role not in queued
            and self._training_of(baseline).id_with(baseline.layout.id) not in known
        ]
        return [self._baseline_entry(baseline) for baseline in missing]

    def _failed_baselines(self) -> list[Entry]:
        """Those that failed and did not run again."""
        trials = self._ledger.trials
        failed = {trial.user_attrs[records.ROLE] for trial in trials if is_failed(trial)}
        again = {trial.user_attrs[records.ROLE] for trial in trials if runs_again(trial, trials)}
        return [
            self._baseline_entry(baseline)
            for baseline in self._trials.baselines
            if baseline.role in failed - again
        ]

    def _training_of(self, baseline: Baseline) -> TrainingChoice:
        """Its own settings, or of what the space proposes those nearest to the study's."""
        plan, space = self._trials.plan, self._trials.space
        own = self._trials.trainings.get(baseline.role)
        return own or space.training.nearest(plan.learning_rate, plan.weight_decay)

    def _baseline_entry(self, baseline: Baseline) -> Entry:
        contained = self._trials.space.contains(baseline.layout)
        training = self._training_of(baseline)
        params = self._encoding.encode(baseline.layout, training) if contained else {}
        proposal = Proposal(baseline.layout, params, training)
        return self._entry(baseline.role, proposal, is_eligible=contained)

    def _entry(self, role: str, proposal: Proposal, *, is_eligible: bool) -> Entry:
        layout, training = proposal.layout, proposal.training
        attributes = {
            records.ROLE: role,
            records.LAYOUT: layout.notation,
            records.LAYOUT_ID: training.id_with(layout.id),
            records.N_PARAMETERS: count_parameters(layout, self._trials.space.places),
            records.IS_ELIGIBLE: is_eligible,
        }
        attributes |= stored(training)
        if self._trials.cost is not None:
            attributes[records.COST] = self._trials.cost(layout)
        return Entry(proposal.params, attributes)

    def _fill_slots(self) -> None:
        """Start as many trials as may be under way, and as the budget has room for."""
        n_trials = self._account.budget.n_trials
        while len(self._under_way) < self._trials.concurrency:
            held = self._ledger.n_counted
            if held + len(self._under_way) >= n_trials:
                more = f", {held - n_trials:,} more than asked for" if held > n_trials else ""
                self._why_ended = (
                    f"the study has its {max(held, n_trials):,} trials{more} (--n-trials)"
                )
                return
            trial = self._next()
            if trial is None:
                return
            self._start(trial)

    def _next(self) -> FrozenTrial | None:
        """An interrupted trial, else a queued one, else a new one; None where that has to wait.

        What was begun is finished, whatever steps and seconds the budget has left; so an
        interruption changes nothing. With fewer ``--n-trials`` than before it may wait.
        """
        if self._interrupted:
            return self._ledger.resume(self._interrupted.popleft())
        number = self._waiting[0] if self._waiting else len(self._ledger.trials)
        if self._why_ended or self._ledger.n_settled <= number - self._trials.concurrency:
            return None
        self._why_ended = self._account.reached(self._known_to(number)) or ""
        if self._why_ended:
            return None
        if self._waiting:
            self._waiting.popleft()
            return self._ledger.take()
        return self._proposed(number)

    def _proposed(self, number: int) -> FrozenTrial | None:
        """A new layout; None where there is none."""
        try:
            known = self._known_to(number)
            question = Question(number, known, self._ledger.trials[len(known) :])
            proposal = self._proposer.propose(question, self._ledger.seen)
        except SpaceExhaustedError as error:
            self._why_ended = str(error)
            return None
        entry = self._entry(records.SEARCHED, proposal, is_eligible=True)
        return self._ledger.start(entry)

    def _known_to(self, number: int) -> Sequence[FrozenTrial]:
        """What sampler and pruner may know of when it is about this trial."""
        return self._ledger.trials[: max(0, number - self._trials.concurrency + 1)]

    def _start(self, trial: FrozenTrial) -> None:
        layout = parse_layout(trial.user_attrs[records.LAYOUT], MODULE_TYPES)
        training = training_of(trial.user_attrs)
        course = replace(self._course, plan=self._course.plan.with_choice(training))
        excess = self._excess(trial, layout)
        # A baseline is never stopped, so it needs no parts of the data before the whole.
        first_report = course.n_reports
        if trial.user_attrs[records.ROLE] == records.SEARCHED and not excess:
            first_report = self._judge.begin(self._known_to(trial.number), trial.number)
        under_way = UnderWay(course.legs(layout, self._trials.seed, first_report))
        self._under_way[trial.number] = under_way
        if excess:
            self._fail(trial.number, records.TrialEnd.INFEASIBLE, excess)
        elif under_way.request is not None:
            self._engine.start(trial.number, under_way.request)

    def _excess(self, trial: FrozenTrial, layout: Layout) -> str:
        """What of a layout that is to be within the budget is over it; baselines need not be."""
        if not trial.user_attrs[records.IS_ELIGIBLE]:
            return ""
        space = self._trials.space
        excess = space.budget.excess(space.predicted(layout))
        return f"over budget: {excess}" if excess else ""

    def _heed(self, event: Event) -> None:
        """Write down what has happened to a trial; one that was pruned just now is past it."""
        number = event.ticket
        if number not in self._under_way:
            return
        if isinstance(event, Reported):
            self._hear(event)
            return
        if isinstance(event, Failed):
            self._fail(number, *_end_of(event.error))
        else:
            self._finish(number, event.card)

    def _fail(self, number: int, end: records.TrialEnd, reason: str) -> None:
        spent = self._under_way[number].spent
        self._ledger.fail(number, end, reason, spent, self._account.elapsed)
        self._ended(number)

    def _finish(self, number: int, card: ScoreCard) -> None:
        """Go on to the trial's next training, or end it after the last."""
        under_way = self._under_way[number]
        under_way.finish(card)
        if under_way.request is not None:
            self._engine.start(number, under_way.request)
            return
        self._ledger.complete(number, self._course.card(under_way.cards), self._account.elapsed)
        self._ended(number)

    def _hear(self, event: Reported) -> None:
        """Write a score down, and stop a proposal that is not worth finishing."""
        number, under_way = event.ticket, self._under_way[event.ticket]
        report = under_way.report_of(event)
        if report is None:
            return
        self._ledger.report(number, report, event.score)
        trial = self._ledger.trials[number]
        under_way.scores[report] = trial.intermediate_values[report]
        # After the last report there is nothing left to save.
        is_open = report < self._course.n_reports
        may_stop = is_open and trial.user_attrs[records.ROLE] == records.SEARCHED
        if may_stop and self._judge.is_hopeless(number, under_way.scores):
            value = self._course.value(under_way.scores)
            self._ledger.prune(number, value, under_way.spent, self._account.elapsed)
            self._engine.stop(number)
            self._ended(number)

    def _ended(self, number: int) -> None:
        del self._under_way[number]
        self._judge.end(number)
        self._progress.advance(_line(self._ledger.trials[number]))


def _end_of(error: Exception) -> tuple[records.TrialEnd, str]:
    """How a trial ended that failed so, and why; one layout's bug must not end a long search."""
    if isinstance(error, Infeasible):
        return records.TrialEnd.INFEASIBLE, str(error)
    if isinstance(error, EvaluationError):
        return records.TrialEnd.FAILED, str(error)
    return records.TrialEnd.FAILED, "".join(traceback.format_exception(error))


def _line(trial: FrozenTrial) -> str:
    role, layout = trial.user_attrs[records.ROLE], trial.user_attrs[records.LAYOUT]
    what = layout if role == records.SEARCHED else role
    has_said = trial.state is TrialState.FAIL
    end = trial.user_attrs[records.END] if has_said else trial.state.name.lower()
    is_complete = trial.state is TrialState.COMPLETE and trial.values
    score = score_text(trial.values[0]) if is_complete else end
    return f"trial {trial.number}: {score}  {what}"
