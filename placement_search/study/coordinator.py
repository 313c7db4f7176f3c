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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from placement_search.engine.engine import Engine, Event, Failed, Infeasible, Reported
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES, count_parameters
from placement_search.space.encoding import Encoding
from placement_search.space.search_space import SearchSpace
from placement_search.study import records
from placement_search.study.baselines import Baseline
from placement_search.study.failures import Failures
from placement_search.study.ledger import Entry, Ledger
from placement_search.study.progress import Progress
from placement_search.study.pruners import PRUNERS, Judge
from placement_search.study.samplers import SAMPLERS
from placement_search.study.samplers.proposer import Proposer, SpaceExhaustedError
from placement_search.study.samplers.sampler import (
    Proposal,
    Question,
    Scores,
    Setting,
    distribution,
)
from placement_search.study.seeds import derive_seed
from placement_search.study.training_choices import stored, training_of


@dataclass(frozen=True, slots=True)
class TrialSetup:
    """What the trials of a study are made of.

    Args:
        space: The search space on the study's backbone.
        width: Channels of the backbone, which parameters are counted by.
        baselines: The layouts to evaluate first, those from elsewhere among them.
        plan: How every layout is trained, but for the settings that the space proposes.
        seed: The study's seed.
        sampler: Name of the sampler.
        pruner: Name of the pruner.
        concurrency: Trials that may be under way at once, which is how far knowledge lags.
        proxies: Scores of every connection, by proxy; empty where none were computed.
    """

    space: SearchSpace
    width: int
    baselines: Sequence[Baseline]
    plan: TrainingPlan
    seed: int
    sampler: str
    pruner: str
    concurrency: int
    proxies: Mapping[str, Scores] = field(default_factory=dict)


class Coordinator:
    """Brings a study to a number of trials.

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
        distributions = {gene.name: distribution(gene) for gene in self._encoding.genes}
        self._ledger = Ledger(study, distributions)
        setting = Setting(
            self._encoding, trials.seed, study.direction, trials.proxies, trials.concurrency
        )
        self._proposer = Proposer(setting, SAMPLERS[trials.sampler](setting))
        pruner = PRUNERS[trials.pruner](trials.plan.epochs, study.study_name)
        sign = 1 if study.direction is StudyDirection.MAXIMIZE else -1
        self._judge = Judge(pruner, sign)
        self._failures = Failures(self._ledger)
        self._interrupted = deque(self._ledger.numbers(TrialState.RUNNING))
        self._n_waiting = 0
        self._under_way: dict[int, dict[int, float]] = {}
        self._is_exhausted = False

    def run(self, n_trials: int) -> None:
        """Evaluate until the study has ``n_trials`` finished trials, or its space is exhausted.

        Raises:
            FailureError: If several trials in a row failed.
        """
        self._ledger.queue(self._missing_baselines())
        self._n_waiting = len(self._ledger.numbers(TrialState.WAITING))
        self._progress.start("search", n_trials, self._ledger.n_finished)
        self._fill_slots(n_trials)
        while self._under_way:
            for event in self._engine.events():
                self._heed(event)
            self._failures.check()
            self._fill_slots(n_trials)
        self._progress.finish()

    def _missing_baselines(self) -> list[Entry]:
        # One that failed, by a bug or the machine, is queued again when the search is.
        kept = [
            trial.user_attrs
            for trial in self._ledger.trials
            if trial.user_attrs.get(records.END) != records.TrialEnd.FAILED
        ]
        queued = {attributes[records.ROLE] for attributes in kept}
        # One that a later proxy map added may have been proposed before.
        known = {attributes[records.LAYOUT_ID] for attributes in kept}
        missing = [
            baseline
            for baseline in self._trials.baselines
            if baseline.role not in queued and baseline.layout.id not in known
        ]
        return [self._baseline_entry(baseline) for baseline in missing]

    def _baseline_entry(self, baseline: Baseline) -> Entry:
        contained = self._trials.space.contains(baseline.layout)
        plan = self._trials.plan
        training = self._trials.space.training.nearest(plan.learning_rate, plan.weight_decay)
        params = self._encoding.encode(baseline.layout, training) if contained else {}
        proposal = Proposal(baseline.layout, params, training)
        return self._entry(baseline.role, proposal, is_eligible=contained)

    def _entry(self, role: str, proposal: Proposal, *, is_eligible: bool) -> Entry:
        layout, training = proposal.layout, proposal.training
        attributes = {
            records.ROLE: role,
            records.LAYOUT: layout.notation,
            records.LAYOUT_ID: training.id_with(layout.id),
            records.N_PARAMETERS: count_parameters(layout, self._trials.width),
            records.IS_ELIGIBLE: is_eligible,
        }
        return Entry(proposal.params, attributes | stored(training))

    def _fill_slots(self, n_trials: int) -> None:
        """Start as many trials as may be under way, and as the total has room for."""
        while (
            len(self._under_way) < self._trials.concurrency
            and self._ledger.n_finished + len(self._under_way) < n_trials
        ):
            trial = self._next()
            if trial is None:
                return
            self._start(trial)

    def _next(self) -> FrozenTrial | None:
        """An interrupted trial, else a queued one, else a new one; None where that has to wait."""
        if self._interrupted:
            return self._ledger.resume(self._interrupted.popleft())
        if self._n_waiting:
            self._n_waiting -= 1
            return self._ledger.take()
        return self._proposed()

    def _proposed(self) -> FrozenTrial | None:
        """A new layout; None where a trial that it depends on has not ended, or there is none."""
        number = len(self._ledger.trials)
        if self._is_exhausted or self._ledger.n_settled <= number - self._trials.concurrency:
            return None
        try:
            known = self._known_to(number)
            question = Question(number, known, self._ledger.trials[len(known) :])
            proposal = self._proposer.propose(question, self._ledger.seen)
        except SpaceExhaustedError as error:
            self._is_exhausted = True
            self._progress.say(str(error))
            return None
        entry = self._entry(records.SEARCHED, proposal, is_eligible=True)
        return self._ledger.start(entry)

    def _known_to(self, number: int) -> Sequence[FrozenTrial]:
        """What sampler and pruner may know of when it is about this trial."""
        return self._ledger.trials[: max(0, number - self._trials.concurrency + 1)]

    def _start(self, trial: FrozenTrial) -> None:
        layout = parse_layout(trial.user_attrs[records.LAYOUT], MODULE_TYPES)
        excess = self._excess(trial, layout)
        if excess:
            self._under_way[trial.number] = {}
            self._ledger.fail(trial.number, records.TrialEnd.INFEASIBLE, excess)
            self._ended(trial.number)
            return
        seed = derive_seed(self._trials.seed, layout.id, 0)
        if trial.user_attrs[records.ROLE] == records.SEARCHED:
            self._judge.begin(self._known_to(trial.number), trial.number)
        self._under_way[trial.number] = {}
        plan = self._trials.plan.with_choice(training_of(trial.user_attrs))
        self._engine.start(trial.number, Evaluation(layout, seed, plan))

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
        if not isinstance(event, Failed):
            self._ledger.complete(number, event.card)
        elif isinstance(event.error, Infeasible):
            self._ledger.fail(number, records.TrialEnd.INFEASIBLE, str(event.error))
        else:
            # One layout's bug must not end a long search.
            trace = "".join(traceback.format_exception(event.error))
            self._ledger.fail(number, records.TrialEnd.FAILED, trace)
        self._ended(number)

    def _hear(self, event: Reported) -> None:
        """Write a score down, and stop a proposal that is not worth finishing."""
        number, scores = event.ticket, self._under_way[event.ticket]
        self._ledger.report(number, event.epoch, event.score)
        trial = self._ledger.trials[number]
        scores[event.epoch] = trial.intermediate_values[event.epoch]
        # After the last epoch there is nothing left to save.
        is_open = event.epoch < self._trials.plan.epochs
        may_stop = is_open and trial.user_attrs[records.ROLE] == records.SEARCHED
        if may_stop and self._judge.is_hopeless(number, scores):
            self._ledger.prune(number, event.seconds)
            self._engine.stop(number)
            self._ended(number)

    def _ended(self, number: int) -> None:
        del self._under_way[number]
        self._judge.end(number)
        self._progress.advance(_line(self._ledger.trials[number]))


def _line(trial: FrozenTrial) -> str:
    role, layout = trial.user_attrs[records.ROLE], trial.user_attrs[records.LAYOUT]
    what = layout if role == records.SEARCHED else role
    end = trial.user_attrs.get(records.END, trial.state.name.lower())
    score = f"{trial.value:.4f}" if trial.state is TrialState.COMPLETE else end
    return f"trial {trial.number}: {score}  {what}"
