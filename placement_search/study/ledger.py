"""The ledger: a study's trials, written to its storage and kept in memory.

The coordinator is the only writer, so the storage is read once and memory is right ever after. A
trial's row is written whole before it runs; each report, and each end, is a transaction more.
"""

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, Trial, TrialState

from placement_search.evaluation.score_card import ScoreCard
from placement_search.study import records
from placement_search.study.search_budget import Spent
from placement_search.study.trial_rows import TrialRows

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
NOT_ADMITTED = "outside the space or its budget"
"""Name of the constraint that only baselines may break, as references."""

Params = dict[str, float | int]


def is_failed(trial: FrozenTrial) -> bool:
    """Whether a bug or the machine ended it; not where an interruption left only the end's name."""
    said = trial.user_attrs.get(records.END)
    return trial.state is TrialState.FAIL and said == records.TrialEnd.FAILED


def runs_again(trial: FrozenTrial, trials: Sequence[FrozenTrial]) -> bool:
    """Whether a trial is that of a baseline that an earlier one of ``trials`` failed to be."""
    role = trial.user_attrs[records.ROLE]
    return role != records.SEARCHED and any(
        is_failed(each) and each.user_attrs[records.ROLE] == role for each in trials[: trial.number]
    )


def n_held(trials: Sequence[FrozenTrial]) -> int:
    """Trials of a study that count among those asked for: begun, and none twice that ran again."""
    begun = [trial for trial in trials if trial.state is not TrialState.WAITING]
    return sum(not runs_again(trial, trials) for trial in begun)


@dataclass(frozen=True, slots=True)
class Entry:
    """A trial to be.

    Args:
        params: The numbers of the encoding; empty where the space can't express the layout.
        attributes: The trial's user attributes.
    """

    params: Params
    attributes: dict[str, Any]


class Ledger:
    """A study's trials by number, for one writer.

    Args:
        study: The Optuna study.
        distributions: Of the encoding's numbers.
    """

    def __init__(self, study: optuna.Study, distributions: Mapping[str, BaseDistribution]) -> None:
        self._study = study
        # Optuna has no public way from a study to what writes its trials.
        self._storage, study_id = study._storage, study._study_id  # noqa: SLF001
        self._distributions = dict(distributions)
        self._rows = TrialRows.where_known(self._storage, study_id, self._distributions)
        self._read()

    def _read(self) -> None:
        read = self._study.get_trials(deepcopy=False)
        # Those that have ended stay as they are; the others go on here.
        self._trials = [t if t.state in FINISHED else copy.deepcopy(t) for t in read]
        # Optuna has no public name for what its storages know a trial by.
        self._ids = [trial._trial_id for trial in read]  # noqa: SLF001
        self._seen = {trial.user_attrs[records.LAYOUT_ID] for trial in self._trials}
        self._n_finished = sum(trial.state in FINISHED for trial in self._trials)
        # Of a baseline that failed and ran again one trial counts.
        self._n_replaced = sum(runs_again(trial, self._trials) for trial in self._trials)
        self._n_settled = 0

    @property
    def trials(self) -> Sequence[FrozenTrial]:
        """All trials by number, as they stand; for reading."""
        return self._trials

    @property
    def seen(self) -> set[str]:
        """Ids of the layouts of all trials, finished or not; for reading."""
        return self._seen

    @property
    def n_counted(self) -> int:
        """Trials that have ended and count among those asked for: none twice that ran again."""
        return self._n_finished - self._n_replaced

    @property
    def n_settled(self) -> int:
        """Trials from the first on that have all ended: the number of the first that has not."""
        while (
            self._n_settled < len(self._trials) and self._trials[self._n_settled].state in FINISHED
        ):
            self._n_settled += 1
        return self._n_settled

    def numbers(self, state: TrialState) -> list[int]:
        """Numbers of the trials in a state, in order."""
        return [trial.number for trial in self._trials if trial.state is state]

    def queue(self, entries: Iterable[Entry]) -> None:
        """Write trials down that wait."""
        for entry in entries:
            self._study.enqueue_trial(entry.params, user_attrs=entry.attributes)
        self._read()

    def take(self) -> FrozenTrial:
        """The first trial that waits, which runs from now on."""
        return self._completed(self._study.ask())

    def resume(self, number: int) -> FrozenTrial:
        """A trial that an interruption left running."""
        # Optuna has no public way to take up a running trial by its number.
        return self._completed(Trial(self._study, self._ids[number]))

    def _completed(self, trial: Trial) -> FrozenTrial:
        """Write the numbers of a queued layout into its trial, where they do not stand yet.

        One that the space does not admit breaks a constraint, so that to Optuna it is not the best.
        """
        if trial.user_attrs[records.IS_ELIGIBLE]:
            for name, wanted in self._distributions.items():
                if isinstance(wanted, FloatDistribution):
                    trial.suggest_float(name, wanted.low, wanted.high)
                elif isinstance(wanted, IntDistribution):
                    trial.suggest_int(name, wanted.low, wanted.high)
        elif not trial.constraints:
            trial.set_constraint(NOT_ADMITTED, 1.0)
        written = self._storage.get_trial(self._ids[trial.number])
        self._trials[trial.number] = written
        return written

    def start(self, entry: Entry) -> FrozenTrial:
        """Write a new trial down, in one transaction, that runs from now on."""
        trial = optuna.create_trial(
            state=TrialState.RUNNING,
            params=entry.params,
            distributions=self._distributions,
            user_attrs=entry.attributes,
        )
        trial.number = len(self._trials)
        self._ids.append(self._add(trial))
        self._trials.append(trial)
        self._seen.add(entry.attributes[records.LAYOUT_ID])
        return trial

    def _add(self, trial: FrozenTrial) -> int:
        if self._rows is not None:
            return self._rows.add(trial.number, trial.params, trial.user_attrs)
        self._study.add_trial(trial)
        added: int = self._study.get_trials(deepcopy=False)[-1]._trial_id  # noqa: SLF001
        return added

    def report(self, number: int, report: int, score: float) -> None:
        """A score of a running trial; one that stands already, from an interrupted run, stays."""
        scores = self._trials[number].intermediate_values
        if report not in scores:
            self._storage.set_trial_intermediate_value(self._ids[number], report, score)
            scores[report] = score

    def complete(self, number: int, card: ScoreCard, elapsed: float) -> None:
        """End a trial with its score card, so many seconds into the search."""
        dumped = records.CARDS.dump_python(card, mode="json")
        attributes = {records.CARD: dumped, records.ELAPSED: elapsed}
        self._end(number, TrialState.COMPLETE, card.score, attributes)

    def prune(self, number: int, value: float, spent: Spent, elapsed: float) -> None:
        """End a trial with what its score would be by now; Optuna keeps pruned trials so."""
        self._end(number, TrialState.PRUNED, value, _told(spent, elapsed))

    def fail(
        self, number: int, end: records.TrialEnd, reason: str, spent: Spent, elapsed: float
    ) -> None:
        """End a trial without a score."""
        attributes = {records.END: end.value, records.REASON: reason, **_told(spent, elapsed)}
        self._end(number, TrialState.FAIL, None, attributes)

    def _end(
        self, number: int, state: TrialState, value: float | None, attributes: Mapping[str, Any]
    ) -> None:
        """Write attributes before the state, for whoever reads a finished trial to find them."""
        identifier, trial = self._ids[number], self._trials[number]
        for key, attribute in attributes.items():
            self._storage.set_trial_user_attr(identifier, key, attribute)
            trial.set_user_attr(key, attribute)
        cost = trial.user_attrs.get(records.COST)
        values = None if value is None else [float(v) for v in (value, cost) if v is not None]
        self._storage.set_trial_state_values(identifier, state, values)
        trial.state, trial.values = state, values
        self._n_finished += 1


def _told(spent: Spent, elapsed: float) -> dict[str, Any]:
    """The attributes that say what a trial without a score card took."""
    return {
        records.SECONDS: spent.seconds,
        records.STEPS: spent.n_steps,
        records.ELAPSED: elapsed,
    }
