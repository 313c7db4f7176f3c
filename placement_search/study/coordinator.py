"""The coordinator: the one process that asks, has evaluated, tells and writes.

Every trial is a row of the storage before it runs: baselines are queued when the study is made, a
sampler's proposal is queued and taken in one go. A trial that an interruption left running keeps
its layout and its seed, so running it again gives what it would have given.
"""

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from placement_search.engine.in_process import Engine, Infeasible, Pruned
from placement_search.errors import FailureError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.layout import Layout, parse_layout
from placement_search.modules import MODULE_TYPES, count_parameters
from placement_search.space.encoding import Encoding
from placement_search.space.search_space import SearchSpace
from placement_search.study import records
from placement_search.study.baselines import Baseline
from placement_search.study.progress import Progress
from placement_search.study.pruners import PRUNERS, Judge
from placement_search.study.samplers import Proposer, SpaceExhaustedError, distribution
from placement_search.study.seeds import derive_seed

MAX_FAILURES = 3
"""Trials that may fail one after another before the search stops: then it is no single layout."""

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)


@dataclass(frozen=True, slots=True)
class TrialSetup:
    """What the trials of a study are made of.

    Args:
        space: The search space on the study's backbone.
        width: Channels of the backbone, which parameters are counted by.
        baselines: The layouts to evaluate first.
        plan: How every layout is trained.
        seed: The study's seed.
        sampler: Name of the sampler.
        pruner: Name of the pruner.
    """

    space: SearchSpace
    width: int
    baselines: Sequence[Baseline]
    plan: TrainingPlan
    seed: int
    sampler: str
    pruner: str


class Coordinator:
    """Brings a study to a number of trials.

    Args:
        study: The Optuna study; its own sampler and pruner are not asked.
        trials: What to evaluate.
        engine: Who evaluates.
        progress: Who is told.
    """

    def __init__(
        self, study: optuna.Study, trials: TrialSetup, engine: Engine, progress: Progress
    ) -> None:
        self._study = study
        self._trials = trials
        self._engine = engine
        self._progress = progress
        self._encoding = Encoding(trials.space)
        self._proposer = Proposer(self._encoding, trials.sampler, trials.seed, study.direction)
        pruner = PRUNERS[trials.pruner](trials.plan.epochs)
        self._judge = Judge(study.study_name, pruner, study.direction)

    def run(self, n_trials: int) -> None:
        """Evaluate until the study has ``n_trials`` finished trials, or its space is exhausted.

        Raises:
            FailureError: If several trials in a row failed.
        """
        self._queue_baselines()
        n_done = sum(trial.state in FINISHED for trial in self._all())
        self._progress.start("search", n_trials, n_done)
        while n_done < n_trials:
            try:
                trial = self._next()
            except SpaceExhaustedError as error:
                self._progress.say(str(error))
                break
            self._evaluate(trial)
            self._check_failures()
            n_done += 1
            self._progress.advance(self._line(trial.number))
        self._progress.finish()

    def _queue_baselines(self) -> None:
        # One that failed, by a bug or the machine, is queued again when the search is.
        queued = {
            trial.user_attrs.get(records.ROLE)
            for trial in self._all()
            if trial.user_attrs.get(records.END) != records.TrialEnd.FAILED
        }
        for baseline in self._trials.baselines:
            if baseline.role not in queued:
                contained = self._trials.space.contains(baseline.layout)
                params = self._encoding.encode(baseline.layout) if contained else {}
                self._queue(baseline.role, baseline.layout, params, is_eligible=contained)

    def _queue(
        self, role: str, layout: Layout, params: dict[str, float | int], *, is_eligible: bool
    ) -> None:
        attributes = {
            records.ROLE: role,
            records.LAYOUT: layout.notation,
            records.LAYOUT_ID: layout.id,
            records.N_PARAMETERS: count_parameters(layout, self._trials.width),
            records.IS_ELIGIBLE: is_eligible,
        }
        self._study.enqueue_trial(params, user_attrs=attributes)

    def _next(self) -> Trial:
        """The trial to run now: one that was interrupted, else a queued one, else a new one.

        Raises:
            SpaceExhaustedError: If there is no new layout.
        """
        states = {trial.state: trial for trial in reversed(self._all())}
        if TrialState.RUNNING in states:
            interrupted = states[TrialState.RUNNING]
            # Optuna has no public way to take up a running trial by its number.
            return self._taken(Trial(self._study, interrupted._trial_id))  # noqa: SLF001
        if TrialState.WAITING not in states:
            all_trials = self._all()
            finished = [trial for trial in all_trials if trial.state in FINISHED]
            seen = {trial.user_attrs[records.LAYOUT_ID] for trial in all_trials}
            proposal = self._proposer.propose(finished, len(all_trials), seen)
            self._queue(records.SEARCHED, proposal.layout, proposal.params, is_eligible=True)
        return self._taken(self._study.ask())

    def _taken(self, trial: Trial) -> Trial:
        """Write the numbers of the encoding, where the layout has them, into the trial."""
        if trial.user_attrs[records.IS_ELIGIBLE]:
            for gene in self._encoding.genes:
                wanted = distribution(gene)
                if isinstance(wanted, FloatDistribution):
                    trial.suggest_float(gene.name, wanted.low, wanted.high)
                elif isinstance(wanted, IntDistribution):
                    trial.suggest_int(gene.name, wanted.low, wanted.high)
        return trial

    def _evaluate(self, trial: Trial) -> None:
        attributes = trial.user_attrs
        layout = parse_layout(attributes[records.LAYOUT], MODULE_TYPES)
        seed = derive_seed(self._trials.seed, layout.id, 0)
        may_prune = attributes[records.ROLE] == records.SEARCHED
        request = Evaluation(layout, seed, self._trials.plan)
        started = time.perf_counter()
        try:
            card = self._engine.run(request, self._report(trial, may_prune=may_prune))
        except Pruned:
            trial.set_user_attr(records.SECONDS, time.perf_counter() - started)
            self._study.tell(trial, state=TrialState.PRUNED)
        except Infeasible as error:
            self._fail(trial, records.TrialEnd.INFEASIBLE, str(error))
        except Exception as error:  # noqa: BLE001 - one layout's bug must not end a long search
            trace = "".join(traceback.format_exception(error))
            self._fail(trial, records.TrialEnd.FAILED, trace)
        else:
            self._complete(trial, card)

    def _report(self, trial: Trial, *, may_prune: bool) -> Callable[[int, float], None]:
        """Write scores as they come; scores of an interrupted run stand already and are equal."""
        written = dict(self._frozen(trial.number).intermediate_values)
        last = max(written, default=0)

        def report(epoch: int, score: float) -> None:
            if epoch > last:
                trial.report(score, epoch)
            # After the last epoch there is nothing left to save.
            is_open = last <= epoch < self._trials.plan.epochs
            if is_open and may_prune and self._is_hopeless(trial.number):
                raise Pruned

        return report

    def _is_hopeless(self, number: int) -> bool:
        finished = [t for t in self._all() if t.state in FINISHED and t.number < number]
        return self._judge.is_hopeless(finished, self._frozen(number))

    def _complete(self, trial: Trial, card: ScoreCard) -> None:
        trial.set_user_attr(records.CARD, records.CARDS.dump_python(card, mode="json"))
        self._study.tell(trial, card.score)

    def _fail(self, trial: Trial, end: records.TrialEnd, reason: str) -> None:
        trial.set_user_attr(records.END, end.value)
        trial.set_user_attr(records.REASON, reason)
        self._study.tell(trial, state=TrialState.FAIL)

    def _check_failures(self) -> None:
        finished = [trial for trial in self._all() if trial.state in FINISHED]
        last = finished[-MAX_FAILURES:]
        ends = [trial.user_attrs.get(records.END) for trial in last]
        if len(last) == MAX_FAILURES and set(ends) == {records.TrialEnd.FAILED.value}:
            raise FailureError(
                f"the last {MAX_FAILURES} trials failed, so the search stops; the last one said:\n"
                f"{last[-1].user_attrs[records.REASON]}"
            )

    def _line(self, number: int) -> str:
        trial = self._frozen(number)
        role, layout = trial.user_attrs[records.ROLE], trial.user_attrs[records.LAYOUT]
        what = layout if role == records.SEARCHED else role
        end = trial.user_attrs.get(records.END, trial.state.name.lower())
        score = f"{trial.value:.4f}" if trial.state is TrialState.COMPLETE else end
        return f"trial {number}: {score}  {what}"

    def _frozen(self, number: int) -> FrozenTrial:
        return self._all()[number]

    def _all(self) -> list[FrozenTrial]:
        return self._study.get_trials(deepcopy=False)
