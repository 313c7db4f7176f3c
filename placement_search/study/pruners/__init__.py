"""The pruners, one file and one line each."""

from collections.abc import Callable, Mapping

from placement_search.study.pruners.hyperband import HyperbandPruner
from placement_search.study.pruners.median import MedianPruner
from placement_search.study.pruners.none import NoPruner
from placement_search.study.pruners.pruner import Horizon, Pruner
from placement_search.study.pruners.successive_halving import SuccessiveHalvingPruner
from placement_search.study.pruners.wilcoxon import WilcoxonPruner

PRUNERS: Mapping[str, Callable[[Horizon], Pruner]] = {
    "none": lambda _horizon: NoPruner(),
    "median": lambda horizon: MedianPruner(horizon.n_reports),
    "successive-halving": lambda horizon: SuccessiveHalvingPruner(horizon.rungs),
    "hyperband": lambda horizon: HyperbandPruner(horizon.rungs, horizon.study_name),
    "wilcoxon": lambda _horizon: WilcoxonPruner(),
}
"""Each from how far the trials of a study go."""
