"""What long training changes about single connections, of the tasks that are trained so."""

import statistics
from collections.abc import Mapping, Sequence

from benchmarks.placements.grid_bootstrap import Pair, grid_correlation
from benchmarks.placements.protocol import LONG
from benchmarks.placements.single_scores import alone, pair_of, single_scores
from benchmarks.placements.table import Row
from benchmarks.shown import correlation
from placement_search.evaluation.estimates import rank_correlation

CHANGES = f"""
A place's score is the mean test score after {LONG.epochs} epochs, over the seeds trained so. Given
are Spearman's correlation with it of the mean test score of the short seeds, interval over nodes as
above; and that of one short seed's validation score, which is all that a search sees of a place,
mean over the short seeds. *Its choice* is the place that scores best by one of those, the mean of
all that tie: how much more than the median place it scores when trained long, and which share of
the other places score less, a tie being half (chance: 50%). Trainings of one seed begin alike,
short and long, and test scores are all of the same examples: both bring short and long nearer.
"""


def trained_long(rows: Sequence[Row]) -> dict[str, dict[Pair, float]]:
    """By task the mean test score of every single connection after long training.

    Tasks of which some connections are not trained so have no say: the best of a few is no best.
    """
    short = single_scores(rows)
    return {
        task: scores
        for task, scores in single_scores(rows, LONG.epochs).items()
        if task in short and scores.keys() >= short[task].keys()
    }


def changes_table(rows: Sequence[Row], scores: Mapping[str, Mapping[Pair, float]]) -> str:
    """How short trainings rank places as long ones do, and what a choice by them is worth.

    Args:
        rows: Of one backbone.
        scores: Theirs after long training, as of `trained_long`.
    """
    seen = _short_validation(rows)
    short = single_scores(rows)
    heads = "task", "mean of the short seeds", "one short seed, validation", "its choice, long"
    lines = ["| " + " | ".join(heads) + " |", "| --- | --- | --- | --- |"]
    for task, long in scores.items():
        # The best of a seed that lacks places would pass for the best of all.
        seeds = [seed for seed in seen[task].values() if seed.keys() >= short[task].keys()]
        lines.append(
            f"| `{task}` | {correlation(grid_correlation(short[task], long))} "
            f"| {_mean_correlation(seeds, long)} | {_worth(seeds, long)} |"
        )
    return "\n".join(lines)


def _short_validation(rows: Sequence[Row]) -> dict[str, dict[int, dict[Pair, float]]]:
    """Validation scores after short training, by task and seed."""
    found: dict[str, dict[int, dict[Pair, float]]] = {}
    for row in alone(rows):
        seeds = found.setdefault(row.task, {})
        seeds.setdefault(row.replicate, {})[pair_of(row)] = row.validation
    return found


def _mean_correlation(seeds: Sequence[Mapping[Pair, float]], long: Mapping[Pair, float]) -> str:
    found = [rank_correlation(list(seed.values()), [long[pair] for pair in seed]) for seed in seeds]
    means = [each.mean for each in found if each is not None]
    return f"{statistics.fmean(means):+.2f}" if means else "-"


def _worth(seeds: Sequence[Mapping[Pair, float]], long: Mapping[Pair, float]) -> str:
    """What the best places by each seed score when trained long, mean over the seeds."""
    if not seeds:
        return "-"
    above, beaten = [], []
    for seed in seeds:
        best = max(seed.values())
        chosen = [long[pair] for pair, score in seed.items() if score == best]
        above.append(statistics.fmean(chosen) - statistics.median(long.values()))
        beaten.append(statistics.fmean(_share_below(score, long) for score in chosen))
    return f"{statistics.fmean(above):+.3f}, above {statistics.fmean(beaten):.0%}"


def _share_below(own: float, scores: Mapping[Pair, float]) -> float:
    """The share of the other places that score less, a tie being half."""
    n_less = sum(score < own for score in scores.values())
    n_tied = sum(score == own for score in scores.values()) - 1
    return (n_less + n_tied / 2) / (len(scores) - 1)
