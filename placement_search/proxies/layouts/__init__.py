"""Proxies of whole layouts that need the backbone. One file each, one line each below.

Sums and coverage of connections' scores need none; they stand in ``layout_scores``.
"""

from collections.abc import Callable, Mapping

from placement_search.proxies.layouts.change_diversity import change_diversity
from placement_search.proxies.layouts.write import WrittenLayout
from placement_search.proxies.layouts.written_gradient import written_gradient

LayoutProxy = Callable[[WrittenLayout], float]
"""Gives one score of a layout, larger for a better one; at least 0, and 0 without connections."""

LAYOUT_PROXIES: Mapping[str, LayoutProxy] = {
    "written_gradient": written_gradient,
    "change_diversity": change_diversity,
}
