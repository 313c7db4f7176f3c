"""The pruners, one line each, and the judge that asks them."""

from collections.abc import Callable, Mapping, Sequence

import optuna
from optuna.pruners import BasePruner
from optuna.samplers import RandomSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, Trial, TrialState

from placement_search.study import records

PRUNERS: Mapping[str, Callable[[int], BasePruner]] = {
    "none": lambda _epochs: optuna.pruners.NopPruner(),
    "median": lambda epochs: optuna.pruners.MedianPruner(
        n_startup_trials=5, n_warmup_steps=max(1, epochs // 4)
    ),
    "hyperband": lambda epochs: optuna.pruners.HyperbandPruner(
        min_resource=1, max_resource=epochs, reduction_factor=3
    ),
}
"""Each gives a pruner for trials that report once per epoch, from 1 to that many epochs."""


class Judge:
    """Says whether a proposed layout is worth finishing, among the proposed layouts alone.

    Baselines are never pruned, and most are large: among them nearly every small layout would fall
    below the median (31 of 32 did on the location task), and the search would learn from stumps.
    The pruner therefore sees a copy of the study in memory in which baselines do not count.

    What pruners note down about a trial, such as Hyperband's rungs, lies in the copy alone. It is
    made again by replaying the scores of the finished trials, so a resumed study decides alike.

    Args:
        study_name: Hyperband assigns its brackets by name and number.
        pruner: What decides.
        direction: Which scores are better.
    """

    def __init__(self, study_name: str, pruner: BasePruner, direction: StudyDirection) -> None:
        self._copy = optuna.create_study(
            study_name=study_name,
            direction=direction,
            sampler=RandomSampler(seed=0),
            pruner=pruner,
        )
        self._n_copied = 0
        self._running: Trial | None = None

    def is_hopeless(self, history: Sequence[FrozenTrial], trial: FrozenTrial) -> bool:
        """Whether ``trial`` should stop after its last report.

        Args:
            history: All finished trials before it, by number; only ever extended between calls.
            trial: The running trial with its reports.
        """
        for finished in history[self._n_copied :]:
            self._replay(finished)
        self._n_copied = len(history)
        self._running = self._running or self._copy.ask()
        return self._judged(self._running, trial)

    def _replay(self, finished: FrozenTrial) -> None:
        """Bring a finished trial into the copy, as if it had been judged there while it ran."""
        twin, self._running = self._running or self._copy.ask(), None
        if finished.user_attrs[records.ROLE] != records.SEARCHED:
            self._copy.tell(twin, state=TrialState.FAIL)
            return
        self._judged(twin, finished)
        is_complete = finished.state is TrialState.COMPLETE
        self._copy.tell(twin, finished.value if is_complete else None, state=finished.state)

    def _judged(self, twin: Trial, trial: FrozenTrial) -> bool:
        """Report the scores that ``twin`` has not heard of, and the decision after the last."""
        heard = self._copy.get_trials(deepcopy=False)[twin.number].intermediate_values
        is_hopeless = False
        for epoch, score in sorted(trial.intermediate_values.items()):
            if epoch not in heard:
                twin.report(score, epoch)
                is_hopeless = twin.should_prune()
        return is_hopeless
