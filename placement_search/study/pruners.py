"""The pruners, one line each: when a running trial is not worth finishing."""

from collections.abc import Callable, Mapping

import optuna
from optuna.pruners import BasePruner

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
