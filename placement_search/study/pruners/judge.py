"""The judge, who asks a pruner about the proposals of a study.

Pruners decide as Optuna's of the same names do. Those ask a live study, in which several trials
under way would see each other's scores as they happen to come; these say, when a trial begins, what
it will be measured by, from the trials that it may know.
"""

from collections.abc import Mapping, Sequence

from optuna.trial import FrozenTrial, TrialState

from placement_search.study import records
from placement_search.study.pruners.pruner import Measure, Pruner


class Judge:
    """Says whether a proposed layout is worth finishing, among the proposed layouts alone.

    Baselines are never pruned, and most are large: among them nearly every small layout would fall
    below the median (31 of 32 did on the location task), and the search would learn from stumps.

    Args:
        pruner: What decides.
        sign: What a score is multiplied by so that larger is better.
    """

    def __init__(self, pruner: Pruner, sign: int) -> None:
        self._pruner = pruner
        self._sign = sign
        self._n_known = 0
        self._measures: dict[int, Measure] = {}

    def begin(self, history: Sequence[FrozenTrial], number: int) -> int:
        """Draw up what a proposal will be measured by.

        Args:
            history: The trials that it may know, all of them ended, by number from 0; only ever
                extended between calls.
            number: The proposal's.

        Returns:
            The first report that it makes; see `Measure`.
        """
        for trial in history[self._n_known :]:
            if trial.user_attrs[records.ROLE] == records.SEARCHED:
                is_complete = trial.state is TrialState.COMPLETE
                scores = self._signed(trial.intermediate_values)
                self._pruner.learn(trial.number, scores, is_complete=is_complete)
        self._n_known = len(history)
        self._measures[number] = self._pruner.measure(number)
        return self._measures[number].first_report

    def is_hopeless(self, number: int, scores: Mapping[int, float]) -> bool:
        """Whether a proposal that was begun should stop after the last of its scores by report."""
        return self._measures[number].is_missed_by(self._signed(scores))

    def end(self, number: int) -> None:
        """Forget what a proposal is measured by."""
        self._measures.pop(number, None)

    def _signed(self, scores: Mapping[int, float]) -> dict[int, float]:
        return {report: self._sign * score for report, score in scores.items()}
