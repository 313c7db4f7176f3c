"""Proxies: scores of a connection without training it. One file each, one line each below."""

from collections.abc import Callable, Mapping

from torch import Tensor

from placement_search.proxies.effective_rank import effective_rank
from placement_search.proxies.fisher import fisher
from placement_search.proxies.frobenius_norm import frobenius_norm
from placement_search.proxies.gradients import GradientMap
from placement_search.proxies.nuclear_norm import nuclear_norm
from placement_search.proxies.numerical_rank import numerical_rank
from placement_search.proxies.participation_ratio import participation_ratio
from placement_search.proxies.stable_rank import stable_rank

Proxy = Callable[[GradientMap], Tensor]
"""Gives one score per connection, shape ``(n_nodes, n_nodes)``, larger for a better place."""

PROXIES: Mapping[str, Proxy] = {
    "numerical_rank": numerical_rank,
    "effective_rank": effective_rank,
    "stable_rank": stable_rank,
    "participation_ratio": participation_ratio,
    "nuclear_norm": nuclear_norm,
    "frobenius_norm": frobenius_norm,
    "fisher": fisher,
}
