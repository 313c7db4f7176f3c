"""What the tabular benchmark says of sets: how the proxies of their connections rank them."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.placements.layout_maps import LayoutScores
from benchmarks.placements.maps import Maps
from benchmarks.placements.protocol import SHORT
from benchmarks.placements.table import Row
from benchmarks.shown import correlation
from placement_search.evaluation.agreement import grouped_correlation
from placement_search.evaluation.estimates import rank_correlation
from placement_search.layout import Layout, parse_layout
from placement_search.layout_scores import AGGREGATES
from placement_search.modules import MODULE_TYPES

SETS = """
Spearman's correlation with the test scores of sets of two to six connections, 95 % intervals over
sets, which were drawn independently of each other: of their number, which costs nothing to know;
and of the *sum* of their connections' scores by each proxy, and its *coverage*, where connections
near each other share what they cover (Nowak et al. 2024). Both need the proxy map and no training.
Sums grow with the number of connections: what the proxy adds to that is its correlation *within a
size*, ranks taken among sets of one size. Proxies without either look at the whole set on the
backbone, untrained and written a little.
"""
MIN_SETS = 30
"""Sets from which a task is told of."""


def set_scores(rows: Sequence[Row]) -> dict[str, dict[Layout, float]]:
    """By task the mean test score of every set of several connections after short training."""
    found: dict[str, dict[Layout, list[float]]] = {}
    for row in rows:
        layout = parse_layout(row.layout, MODULE_TYPES)
        if row.epochs == SHORT.epochs and len(layout.connections) > 1:
            found.setdefault(row.task, {}).setdefault(layout, []).append(row.test)
    return {
        task: {layout: statistics.fmean(each) for layout, each in scores.items()}
        for task, scores in sorted(found.items())
        if len(scores) >= MIN_SETS
    }


def sets_table(
    scores: Mapping[str, Mapping[Layout, float]], maps: Maps, of_layouts: LayoutScores
) -> str:
    """How the number of connections, each proxy's sum and coverage, and layouts' proxies rank sets.

    Args:
        scores: Measured, by task and layout.
        maps: Proxies of connections.
        of_layouts: Proxies of whole layouts.
    """
    proxies = list(dict.fromkeys(name for task in scores for name in maps.get(task, {})))
    shown = [f"`{task}`, {len(known)} sets" for task, known in scores.items()]
    lines = ["| score of a set | " + " | ".join(shown) + " |"]
    lines.append("| --- | " + " | ".join("---" for _ in scores) + " |")
    sizes = [
        correlation(rank_correlation(_sizes(known), list(known.values())))
        for known in scores.values()
    ]
    lines.append("| number of connections | " + " | ".join(sizes) + " |")
    for proxy in proxies:
        for name, aggregate in AGGREGATES.items():
            cells = []
            for task, known in scores.items():
                grid = maps.get(task, {}).get(proxy)
                values = [] if grid is None else [aggregate(grid, layout) for layout in known]
                cells.append(_set_cell(values, known))
            lines.append(f"| {proxy.replace('_', ' ')}, {name} | " + " | ".join(cells) + " |")
    for proxy in dict.fromkeys(name for task in scores for name in of_layouts.get(task, {})):
        cells = []
        for task, known in scores.items():
            held = of_layouts.get(task, {}).get(proxy, {})
            is_whole = all(layout.id in held for layout in known)
            cells.append(
                _set_cell([held[layout.id] for layout in known] if is_whole else [], known)
            )
        lines.append(f"| {proxy.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _sizes(layouts: Iterable[Layout]) -> list[int]:
    return [len(layout.connections) for layout in layouts]


def _set_cell(values: Sequence[float], known: Mapping[Layout, float]) -> str:
    """The correlation over all sets, and that within sets of one size."""
    if not values:
        return "-"
    measured = list(known.values())
    within = grouped_correlation(values, measured, _sizes(known))
    beside = "" if within is None else f"; within a size {within.mean:+.2f}"
    return correlation(rank_correlation(values, measured)) + beside
