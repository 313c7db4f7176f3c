"""Proxies: scores of a connection without training it. One file each, one line each below.

Each says its formula and source; docs/proxies.md puts them side by side. Scores of whole layouts
stand in ``layouts/``.
"""

from collections.abc import Callable, Mapping

from torch import Tensor

from placement_search.proxies.effective_rank import effective_rank
from placement_search.proxies.feature_norm import feature_norm
from placement_search.proxies.fisher import fisher
from placement_search.proxies.frobenius_norm import frobenius_norm
from placement_search.proxies.gradients import GradientMap
from placement_search.proxies.nuclear_norm import nuclear_norm
from placement_search.proxies.numerical_rank import numerical_rank
from placement_search.proxies.participation_ratio import participation_ratio
from placement_search.proxies.stable_rank import stable_rank

GradientProxy = Callable[[GradientMap], Tensor]
"""Gives one score per connection of a map, ``(n_sources, n_nodes)``, larger for a better place."""
FeatureProxy = Callable[[Tensor], Tensor]
"""The same for all connections, ``(n_nodes, n_nodes)``, from what `feature_norms` gives."""

GRADIENT_PROXIES: Mapping[str, GradientProxy] = {
    "numerical_rank": numerical_rank,
    "effective_rank": effective_rank,
    "stable_rank": stable_rank,
    "participation_ratio": participation_ratio,
    "nuclear_norm": nuclear_norm,
    "frobenius_norm": frobenius_norm,
    "fisher": fisher,
}
"""From labels and a head: what the loss asks of a connection."""

FEATURE_PROXIES: Mapping[str, FeatureProxy] = {
    "feature_norm": feature_norm,
}
"""From the backbone and inputs alone."""

PROXIES = (*GRADIENT_PROXIES, *FEATURE_PROXIES)
"""The names of all proxies of a connection, as a proxy map holds them."""
