r"""What it is worth that all layouts of the finals see the examples in the same order.

    python -m benchmarks.pairing [--layouts 7 --seeds 8 --train-size 400 --epochs 3]

Random sets of connections of the embedded backbone, each trained with the same seeds twice: with
one order of examples for all layouts of a seed, and with orders of their own. For each split the
mean correlation of two layouts' scores over the seeds, and the standard deviation of their
differences, both over all pairs of layouts. Then, without training: above which correlation the
paired interval is the narrower one, and how wide the interval of the random layouts' mean is.
"""

import argparse
import itertools
import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing

import numpy as np
from scipy import stats

from benchmarks.placements.protocol import random_sets
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.in_process import InProcessEngine
from placement_search.engine.in_turn import in_turn
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Workbench
from placement_search.study.search import load_bench
from placement_search.study.seeds import derive_seed
from placement_search.tasks.settings import DataSettings

TASKS = ("digits-location", "digits")
SEED = 0
CONFIDENCE = 0.95
SEEDS_TOLD, RANDOM_TOLD = (3, 5, 8, 10), (4, 6, 8)
ONE_ORDER, OWN_ORDERS = "one order for all", "orders of their own"

Scores = Mapping[str, Sequence[Sequence[float]]]
"""By split the scores of each layout, seed by seed."""


def requests(
    n_nodes: int, n_layouts: int, n_seeds: int, plan: TrainingPlan, *, is_paired: bool
) -> Iterator[Evaluation]:
    """The trainings of one side, layout by layout."""
    for layout in random_sets(n_nodes)[:n_layouts]:
        for replicate in range(n_seeds):
            yield Evaluation(
                layout,
                derive_seed(SEED, layout.id, replicate),
                plan,
                is_final=True,
                order_seed=derive_seed(SEED, "order", replicate) if is_paired else None,
            )


def scores_of(bench: Workbench, asked: Sequence[Evaluation], n_seeds: int) -> Scores:
    """Validation and test scores of trainings.

    Raises:
        EvaluationError: If one gave no score.
    """
    cards: list[ScoreCard | None] = [None] * len(asked)
    with closing(InProcessEngine(bench, 1)) as engine:
        for index, outcome in in_turn(engine, asked):
            if isinstance(outcome, Exception):
                raise outcome
            cards[index] = outcome
    told = [card for card in cards if card is not None and card.test_score is not None]
    splits = {
        "validation": [card.score for card in told],
        "test": [float(card.test_score or 0.0) for card in told],
    }
    return {
        split: [values[start : start + n_seeds] for start in range(0, len(values), n_seeds)]
        for split, values in splits.items()
    }


def agreement(scores: Sequence[Sequence[float]]) -> tuple[float, float]:
    """Mean correlation over the seeds, and mean deviation of differences, of pairs of layouts.

    Pairs of which one has the same score with every seed have no correlation and are left out of
    the first mean.
    """
    pairs = list(itertools.combinations(scores, 2))
    varied = [(a, b) for a, b in pairs if len(set(a)) > 1 and len(set(b)) > 1]
    correlations = [statistics.correlation(a, b) for a, b in varied]
    spreads = [statistics.stdev(np.subtract(a, b).tolist()) for a, b in pairs]
    return statistics.fmean(correlations) if correlations else math.nan, statistics.fmean(spreads)


def least_correlation(n_seeds: int) -> float:
    """The correlation from which the paired interval is narrower than Welch's of equal spreads.

    They are ``t(n - 1) · √(2 (1 - r) / n)`` and ``t(2n - 2) · √(2 / n)`` deviations wide, each way,
    at a correlation of r.
    """
    return 1 - float(_student(2 * n_seeds - 2) / _student(n_seeds - 1)) ** 2


def half_width(n_layouts: int) -> float:
    """Half the interval of a mean over so many layouts, in standard deviations of one."""
    return float(_student(n_layouts - 1)) / math.sqrt(n_layouts)


def _student(degrees: int) -> float:
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, degrees))


def main() -> None:
    """Train both sides of both tasks and print what came out."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--layouts", type=int, default=7)
    add("--seeds", type=int, default=8)
    add("--train-size", type=int, default=400)
    add("--epochs", type=int, default=3)
    given = parser.parse_args()
    if given.layouts < 2 or given.seeds < 3:
        parser.error("a correlation needs at least 2 --layouts and 3 --seeds")
    for seeds in SEEDS_TOLD:
        print(f"{seeds} seeds: pairing pays above a correlation of {least_correlation(seeds):.2f}")
    for layouts in RANDOM_TOLD:
        print(f"{layouts} random layouts: half their interval is {half_width(layouts):.2f} "
              "standard deviations of one")  # fmt: skip
    print(f"| | {ONE_ORDER} | {OWN_ORDERS} |\n| --- | --- | --- |", flush=True)
    plan = TrainingPlan(epochs=given.epochs)
    for task in TASKS:
        bench = load_bench(ModelSettings(), DataSettings(data=task, train_size=given.train_size))
        sides = []
        for is_paired in (True, False):
            asked = requests(
                bench.backbone.n_nodes, given.layouts, given.seeds, plan, is_paired=is_paired
            )
            sides.append(scores_of(bench, list(asked), given.seeds))
        for split in ("test", "validation"):
            cells = ["{:.2f}, {:.4f}".format(*agreement(side[split])) for side in sides]
            print(f"| {task}, {split} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
