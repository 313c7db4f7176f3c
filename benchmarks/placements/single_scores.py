"""What single connections of the tabular benchmark score, and how far their seeds agree."""

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence

from benchmarks.placements.grid_bootstrap import Pair
from benchmarks.placements.protocol import SHORT
from benchmarks.placements.table import Row
from placement_search.evaluation.estimates import rank_correlation
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES

MIN_PAIRS = 30
"""Connections from which a task is told of."""


def single_scores(rows: Sequence[Row], epochs: int = SHORT.epochs) -> dict[str, dict[Pair, float]]:
    """By task the mean test score of every single connection after so many epochs."""
    found: dict[str, dict[Pair, list[float]]] = {}
    for row in alone(rows, epochs):
        found.setdefault(row.task, {}).setdefault(pair_of(row), []).append(row.test)
    return {
        task: {pair: statistics.fmean(each) for pair, each in sorted(scores.items())}
        for task, scores in sorted(found.items())
        if len(scores) >= MIN_PAIRS
    }


def alone(rows: Sequence[Row], epochs: int = SHORT.epochs) -> list[Row]:
    """The trainings of single connections for so many epochs."""
    return [r for r in rows if r.epochs == epochs and r.layout.count(">") == 1]


def pair_of(row: Row) -> Pair:
    """Source and target of a single connection."""
    (connection,) = parse_layout(row.layout, MODULE_TYPES).connections
    return connection.source, connection.target


def head_scores(rows: Sequence[Row], epochs: int = SHORT.epochs) -> dict[str, float]:
    """By task the mean test score of the head alone after so many epochs."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.layout == "none" and row.epochs == epochs:
            found.setdefault(row.task, []).append(row.test)
    return {task: statistics.fmean(scores) for task, scores in found.items()}


WHOLE = 0.95
"""Share of the connections that a seed needs to have a say; some may have no score."""


def seeds_table(rows: Sequence[Row], epochs: int = SHORT.epochs) -> str:
    """How one seed ranks single connections as another does, on both splits; mean over pairs.

    Seeds of which many connections are not trained have no say: a few would pass for all.
    """
    found: dict[str, dict[int, dict[str, tuple[float, float]]]] = {}
    for row in alone(rows, epochs):
        seeds = found.setdefault(row.task, {})
        seeds.setdefault(row.replicate, {})[row.layout] = row.validation, row.test
    lines = ["| task | seeds | validation split | test split |", "| --- | --- | --- | --- |"]
    for task, seeds in sorted(found.items()):
        most = max(map(len, seeds.values()))
        whole = [seed for seed in seeds.values() if len(seed) >= WHOLE * most]
        pairs = list(itertools.combinations(whole, 2))
        cells = [_agreement(pairs, split) for split in (0, 1)]
        lines.append(f"| `{task}` | {len(whole)} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def _agreement(
    pairs: Sequence[tuple[Mapping[str, tuple[float, float]], Mapping[str, tuple[float, float]]]],
    split: int,
) -> str:
    """Mean rank correlation over pairs of seeds, of the layouts that both have."""
    found = []
    for one, other in pairs:
        both = [layout for layout in one if layout in other]
        found.append(
            rank_correlation([one[x][split] for x in both], [other[x][split] for x in both])
        )
    means = [each.mean for each in found if each is not None]
    return f"{statistics.fmean(means):+.2f}" if means else "-"


def seeds_of(rows: Sequence[Row], epochs: int = SHORT.epochs) -> str:
    """How many seeds single connections were trained with, and of how many that is more."""
    trained = Counter((row.task, row.layout) for row in alone(rows, epochs))
    counts = Counter(trained.values()) or Counter([0])
    least, most = min(counts), max(counts)
    if least == most:
        return f"{least}"
    n_more = len(trained) - counts[least]
    return f"{least}, of {n_more:,} of {len(trained):,} connections up to {most}"


def least_difference(rows: Sequence[Row]) -> dict[str, float]:
    """By task, from which on a difference of two connections' short mean scores is hardly chance.

    1.96 standard errors of it, by the pooled variance among the seeds of one connection. Tasks
    without a second seed have none; where connections have different numbers of seeds, the fewest
    count.
    """
    found: dict[str, dict[str, list[float]]] = {}
    for row in alone(rows):
        found.setdefault(row.task, {}).setdefault(row.layout, []).append(row.test)
    least = {}
    for task, layouts in sorted(found.items()):
        repeated = [scores for scores in layouts.values() if len(scores) > 1]
        if repeated:
            freedom = sum(len(scores) - 1 for scores in repeated)
            squares = sum(statistics.variance(scores) * (len(scores) - 1) for scores in repeated)
            n_seeds = min(len(scores) for scores in layouts.values())
            least[task] = 1.96 * math.sqrt(2 * squares / freedom / n_seeds)
    return least
