"""A made-up task, and a made-up result of searching it."""

from pathlib import Path

from benchmarks.placements.protocol import SHORT, single_connections
from benchmarks.placements.table import Row
from benchmarks.results import Result
from placement_search.layout import Layout

N_NODES = 7
SHIPPED = tuple(
    Path("reports/samplers", folder)
    for folder in ("", "long", "one-at-a-time", "one-at-a-time/long")
)
"""Folders of the replays that the project shows."""
BACKBONE = "another"
GRID = [[float(target) for target in range(N_NODES)] for _ in range(N_NODES)]


def row_of(layout: Layout) -> Row:
    score = 0.5 + sum(c.target for c in layout.connections) / 100
    parts = (score, score, 8, 1.0, 2.0, BACKBONE)
    return Row("made-up", layout.notation, layout.id, 0, SHORT.epochs, *parts)


def scored(source: int, target: int, test: float, task: str = "a", replicate: int = 0) -> Row:
    """A single connection's short training, with no score on the validation split."""
    return Row(
        task=task,
        layout=f"{source}>{target}:bottleneck(rank=8)",
        layout_id=f"{source}-{target}",
        replicate=replicate,
        epochs=4,
        validation=0.0,
        test=test,
        n_parameters=1,
        flops_factor=1.0,
        seconds=1.0,
    )


def scored_pairs(task: str, sign: int = 1) -> list[Row]:
    """Every pair of nodes, the better the later its target."""
    pairs = [(s, t) for s in range(N_NODES) for t in range(N_NODES)]
    return [scored(s, t, sign * (t + s / 100), task) for s, t in pairs]


SINGLES = [row_of(layout) for layout in single_connections(N_NODES)]
RESULT = Result(
    task="a",
    space="sets",
    sampler="tpe",
    table="mine.parquet",
    n_layouts=99,
    n_open=999,
    n_close=1,
    n_seeds=5,
    longest=40,
    trials=3.0,
    quartiles=(1.0, None),
    regrets=(0.1,) * 3,
    curve=(0.2, 0.1),
    test_close=2,
    test_trials=7.0,
    test_quartiles=(2.0, None),
    test_regrets=(0.4,) * 3,
    random_order=(0.3, 0.2),
)
