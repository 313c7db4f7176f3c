r"""How much the luck of being chosen flatters an answer, where trainings after the choice do not.

    python -m benchmarks.choice_luck

First table: in studies of `reports/`, the correlation of validation and test scores over the seeds
of one layout, pooled over all layouts that were retrained. Second table: drawn studies in which all
finalists are equally good, with such a correlation. The best by validation is compared with random
layouts, which are as good too; the share of studies in which it is called better, which should be
2.5 %, by the test scores of its finals and by those of trainings after the choice.
"""

import argparse
import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from placement_search.study.comparisons import Against

Array = NDArray[np.float64]

REPORTS = Path("reports")
CORRELATIONS = (0.0, 0.3, 0.5, 0.7)
N_FINALISTS, N_SEEDS, N_RANDOM = 12, 5, 6
"""Of a study by default, about; random layouts have as many seeds."""


def within_layouts(report: dict[str, Any]) -> tuple[float, int]:
    """Correlation of validation and test scores less their layout's means, and how many scores."""
    finals = sorted(report["finals"], key=lambda final: final["layout_id"])
    centred: list[Array] = []
    for _, group in groupby(finals, key=lambda final: final["layout_id"]):
        cards = [final["card"] for final in group]
        scores = np.array([[card["score"], card["test_score"]] for card in cards], dtype=float)
        centred.append(scores - scores.mean(0))
    pooled = np.concatenate(centred)
    return float(np.corrcoef(pooled[:, 0], pooled[:, 1])[0, 1].item()), len(pooled)


def called_better(correlation: float, n_studies: int, seed: int) -> tuple[float, float]:
    """Shares of drawn studies that call the best finalist better than equally good random layouts.

    Args:
        correlation: Of validation and test score over the seeds of one layout.
        n_studies: How many are drawn.
        seed: Of the draws.

    Returns:
        By the test scores of its finals, and by those of trainings after the choice.
    """
    generator = np.random.default_rng(seed)
    found = np.zeros(2)
    for _ in range(n_studies):
        luck = generator.standard_normal((2, N_FINALISTS, N_SEEDS))
        validation = luck[0]
        test = correlation * luck[0] + np.sqrt(1 - correlation**2) * luck[1]
        best = int(validation.mean(1).argmax())
        fresh = generator.standard_normal(N_SEEDS).tolist()
        rivals = generator.standard_normal((N_RANDOM, N_SEEDS)).mean(1).tolist()
        ours = dict(enumerate(test[best].tolist()))
        found += [
            Against(ours, 1, is_paired=True, fresh=counting)
            .independent("random", 0, rivals)
            .verdict
            == "better"
            for counting in ((), fresh)
        ]
    before, after = found / n_studies
    return float(before), float(after)


def lines(n_studies: int) -> Iterator[str]:
    """Both tables, line by line."""
    yield "| study | correlation within a layout | retrainings |"
    yield "| --- | ---: | ---: |"
    for path in sorted(REPORTS.rglob("report.json")):
        report = json.loads(path.read_text(encoding="utf-8"))
        correlation, n_scores = within_layouts(report)
        name = path.parent.relative_to(REPORTS).as_posix()
        yield f"| {name} | {correlation:.2f} | {n_scores} |"
    yield ""
    yield "| correlation | called better by the finals | by trainings after the choice |"
    yield "| ---: | ---: | ---: |"
    for correlation in CORRELATIONS:
        before, after = called_better(correlation, n_studies, seed=0)
        yield f"| {correlation} | {before:.1%} | {after:.1%} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--studies", type=int, default=4000, help="drawn for each correlation")
    for line in lines(parser.parse_args().studies):
        print(line, flush=True)


if __name__ == "__main__":
    main()
