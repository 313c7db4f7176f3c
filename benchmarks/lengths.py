r"""How well short trainings rank layouts as long ones do, and which length pays, by the table.

    python -m benchmarks.lengths [--in-all 64]

For each task and number of epochs, over the layouts that were trained for all lengths: Spearman's
correlation of the validation scores with the test scores of the longest training, with its
interval, of single connections, of sets of several, and of both together, where the number of
connections tells much of the order; and what a search loses that spends a given number of epochs in
all. It tries as many layouts as it can pay for, drawn at random, and takes the one with the best
validation score: its regret is the best layout's test score after the longest training less that of
the one taken, in standard deviations of those scores. Longer trainings judge better and judge fewer
layouts. The length of least mean regret over the tasks is what a trial should take; it is told for
single connections and for sets too, and with each task left out, so that no one task decides. Where
the layouts are fewer than could be paid for, all are tried and some epochs stay unspent, which is
said, and marked by *: what more layouts would give is not known.

The longest length is flattered: its validation scores are of the very trainings whose test scores
all are held against, while those of the shorter ones are of other trainings, whose luck is their
own. Where a shorter one loses less nevertheless, it is the careful choice.
"""

import argparse
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks.placements.errors import plain_errors
from benchmarks.placements.protocol import LENGTHS
from benchmarks.placements.table import TABLE, Row, rows_of_one_backbone
from placement_search.evaluation.estimates import rank_correlation

IN_ALL = 64
"""Epochs of all trials together: 4 layouts for 16 epochs each, or 16 for 4."""
MIN_LAYOUTS = 30
"""Layouts from which a task has a say."""
KINDS: Mapping[str, Callable[[Row], bool]] = {
    "all": lambda _: True,
    "singles": lambda row: row.layout.count(">") == 1,
    "sets": lambda row: row.layout.count(">") > 1,
}
"""Which layouts are told of, each time."""


def by_length(rows: Sequence[Row]) -> Mapping[int, Mapping[str, Row]]:
    """Rows of replicate 0 by epochs and layout, for the layouts that have all lengths."""
    found: dict[int, dict[str, Row]] = {epochs: {} for epochs in LENGTHS}
    for row in rows:
        if row.replicate == 0 and row.epochs in found:
            found[row.epochs][row.layout] = row
    whole = set.intersection(*(set(each) for each in found.values()))
    return {n: {name: each[name] for name in sorted(whole)} for n, each in found.items()}


def expected_worth(scores: Sequence[float], worths: Sequence[float], n_tried: int) -> float:
    """What the best-scored of some layouts is worth on average, over all ways to draw them.

    Args:
        scores: Of all layouts; equal ones are chosen among by chance.
        worths: What each is worth.
        n_tried: How many are drawn without replacement, at least 1 and at most all.
    """
    n, expected, n_worse = len(scores), 0.0, 0
    for score in sorted(set(scores)):
        group = [worth for own, worth in zip(scores, worths, strict=True) if own == score]
        n_up_to = n_worse + len(group)
        none_better = math.comb(n_up_to, n_tried) - math.comb(n_worse, n_tried)
        expected += none_better / math.comb(n, n_tried) * statistics.fmean(group)
        n_worse = n_up_to
    return expected


def regrets(rows: Sequence[Row], in_all: int = IN_ALL) -> dict[int, float]:
    """By epochs of a trial, what a search loses; empty for a task that has no say."""
    found = by_length(rows)
    worths = [row.test for row in found[max(LENGTHS)].values()]
    if len(worths) < MIN_LAYOUTS or len(set(worths)) == 1:
        return {}
    best, spread = max(worths), statistics.pstdev(worths)

    def regret(epochs: int) -> float:
        scores = [row.validation for row in found[epochs].values()]
        n_tried = min(len(scores), max(1, in_all // epochs))
        return (best - expected_worth(scores, worths, n_tried)) / spread

    return {epochs: regret(epochs) for epochs in LENGTHS}


def mean_regrets(tasks: Sequence[Mapping[int, float]]) -> dict[int, float]:
    """By epochs, the mean over the tasks that have a say."""
    told = [each for each in tasks if each]
    return {n: statistics.fmean(each[n] for each in told) for n in LENGTHS} if told else {}


def lines_of(task: str, rows: Sequence[Row], in_all: int = IN_ALL) -> list[str]:
    """A line for each kind of layouts and length."""
    return [
        f"{task:16} {line}"
        for kind, is_of in KINDS.items()
        for line in _lines_of_kind(kind, [row for row in rows if is_of(row)], in_all)
    ]


def _lines_of_kind(kind: str, rows: Sequence[Row], in_all: int) -> list[str]:
    found, lost = by_length(rows), regrets(rows, in_all)
    longest = [row.test for row in found[max(LENGTHS)].values()]
    lines = []
    for epochs, each in found.items():
        correlation = rank_correlation([row.validation for row in each.values()], longest)
        shown = (
            "too few"
            if correlation is None
            else f"{correlation.mean:5.2f} ({correlation.low:.2f} to {correlation.high:.2f})"
        )
        regret = f"regret {lost[epochs]:.2f}" if lost else "no say"
        if lost and (unspent := in_all - len(each) * epochs) > 0:
            regret += f" with {unspent} epochs unspent"
        seconds = statistics.fmean(row.seconds for row in each.values()) if each else 0.0
        lines.append(
            f"{kind:8} {epochs:3} epochs  {len(each):3} layouts  {shown}  {regret}  {seconds:.1f} s"
        )
    return lines


def verdict_of(kind: str, by_task: Mapping[str, Sequence[Row]], in_all: int = IN_ALL) -> str:
    """Mean regrets of a kind of layouts, and the length of the least, with each task left out."""
    lost = {
        task: regrets([row for row in rows if KINDS[kind](row)], in_all)
        for task, rows in by_task.items()
    }
    told = {task: each for task, each in lost.items() if each}
    if not told:
        return f"{kind}: no task has a say"
    means = mean_regrets(list(told.values()))
    fewest = min(len(by_length([r for r in by_task[t] if KINDS[kind](r)])[1]) for t in told)
    shown = ", ".join(
        f"{epochs} epochs {regret:.2f}{'*' * (fewest * epochs < in_all)}"
        for epochs, regret in means.items()
    )
    said = f"{kind}: mean regret of {in_all} epochs in all: {shown}; least with {_least(means)}"
    if len(told) == 1:
        return said
    without = {
        task: mean_regrets([other for name, other in told.items() if name != task]) for task in told
    }
    each = [f"{task} {_least_against(_least(means), left)}" for task, left in without.items()]
    return f"{said}; without {', '.join(each)}"


def _least_against(usual: int, means: Mapping[int, float]) -> str:
    """The length of the least mean regret; where it is another one than usual, both regrets."""
    least = _least(means)
    if least == usual:
        return str(least)
    return f"{least} ({means[least]:.2f} against {means[usual]:.2f})"


def _least(means: Mapping[int, float]) -> int:
    return min(means, key=means.__getitem__)


def main() -> None:
    """Print the table and the length that pays."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--backbone", help="fingerprint; needed where the table has several")
    parser.add_argument("--in-all", type=int, default=IN_ALL, help="epochs of all trials together")
    given = parser.parse_args()
    by_task: dict[str, list[Row]] = {}
    with plain_errors():
        for row in rows_of_one_backbone(given.table, given.backbone):
            by_task.setdefault(row.task, []).append(row)
    for task, rows in sorted(by_task.items()):
        print("\n".join(lines_of(task, rows, given.in_all)))
    for kind in KINDS:
        print(verdict_of(kind, by_task, given.in_all))


if __name__ == "__main__":
    main()
