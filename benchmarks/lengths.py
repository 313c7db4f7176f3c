r"""How well short trainings rank layouts as long ones do, from the tabular benchmark.

    python -m benchmarks.lengths

For each task and number of epochs: Spearman's correlation of the validation scores with the test
scores of the longest training, over the layouts that were trained for all lengths, with its
interval; then the mean time of a trial. The shortest length whose correlation is no worse than that
of the next one by more than its interval is what a search should take.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.placements.protocol import LENGTHS
from benchmarks.placements.table import TABLE, Row, read_rows
from placement_search.evaluation.estimates import rank_correlation


def by_length(rows: Sequence[Row]) -> Mapping[int, Mapping[str, Row]]:
    """Rows of replicate 0 by epochs and layout, for the layouts that have all lengths."""
    found: dict[int, dict[str, Row]] = {epochs: {} for epochs in LENGTHS}
    for row in rows:
        if row.replicate == 0 and row.epochs in found:
            found[row.epochs][row.layout] = row
    whole = set.intersection(*(set(each) for each in found.values()))
    return {n: {name: each[name] for name in sorted(whole)} for n, each in found.items()}


def lines_of(task: str, rows: Sequence[Row]) -> list[str]:
    """A line for each length."""
    found = by_length(rows)
    longest = [row.test for row in found[max(LENGTHS)].values()]
    lines = []
    for epochs, each in found.items():
        correlation = rank_correlation([row.validation for row in each.values()], longest)
        shown = (
            "too few"
            if correlation is None
            else f"{correlation.mean:5.2f} ({correlation.low:.2f} to {correlation.high:.2f})"
        )
        seconds = statistics.fmean(row.seconds for row in each.values()) if each else 0.0
        lines.append(
            f"{task:16} {epochs:3} epochs  {len(each):3} layouts  {shown}  {seconds:.1f} s"
        )
    return lines


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=TABLE)
    rows = read_rows(parser.parse_args().table)
    for task in sorted({row.task for row in rows}):
        for line in lines_of(task, [row for row in rows if row.task == task]):
            print(line)


if __name__ == "__main__":
    main()
