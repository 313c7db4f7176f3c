"""The pruners, one line each, and the judge that asks them."""

from collections.abc import Callable, Mapping, Sequence

import optuna
from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial, TrialState

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

    Args:
        study_name: Hyperband assigns its brackets by name and number.
        pruner: What decides.
    """

    def __init__(self, study_name: str, pruner: BasePruner) -> None:
        self._copy = optuna.create_study(study_name=study_name, direction="maximize", pruner=pruner)
        self._n_copied = 0

    def is_hopeless(self, history: Sequence[FrozenTrial], trial: FrozenTrial) -> bool:
        """Whether ``trial`` should stop after its last report.

        Args:
            history: All finished trials before it, by number; only ever extended between calls.
            trial: The running trial with its reports.
        """
        for finished in history[self._n_copied :]:
            self._copy.add_trial(_as_seen(finished))
        self._n_copied = len(history)
        return self._copy.pruner.prune(self._copy, trial)


def _as_seen(trial: FrozenTrial) -> FrozenTrial:
    """A copy that counts if a sampler proposed it, and else only keeps its number."""
    if trial.user_attrs[records.ROLE] != records.SEARCHED:
        return optuna.create_trial(state=TrialState.FAIL)
    return optuna.create_trial(
        state=trial.state, value=trial.value, intermediate_values=trial.intermediate_values
    )
