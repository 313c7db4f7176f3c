"""What the throughput benchmark prints: seconds by layout, then trials per hour and ratios."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from placement_search.layout import shortened

OURS = "ours"
MEBIBYTE = 1024**2
N_RESAMPLES = 10_000

Row = dict[str, Any]
"""A layout's line in a file: conditions, kind, layout, and under ``sides`` what each side gave."""


def ratio_of_sums(theirs: Sequence[float], ours: Sequence[float]) -> tuple[float, float, float]:
    """Their sum over ours, with the ends of its 95 % bootstrap interval over layouts."""
    pairs = np.array([theirs, ours])
    picks = np.random.default_rng(0).integers(len(ours), size=(N_RESAMPLES, len(ours)))
    sums = pairs[:, picks].sum(2)
    low, high = np.quantile(sums[0] / sums[1], (0.025, 0.975))
    return float(pairs[0].sum() / pairs[1].sum()), float(low), float(high)


def print_row(row: Row) -> None:
    """A layout's seconds, losses and scores by side."""
    sides = row["sides"]
    seconds = "  ".join(f"{name} {sides[name]['seconds']:7.2f} s" for name in sorted(sides))
    losses = "  ".join(f"{sides[name]['loss']:.4f}" for name in sorted(sides))
    print(f"{row['kind']:10}  {seconds}  loss {losses}  {shortened(row['layout'])}", flush=True)


def print_summary(rows: Sequence[Row], peers: Sequence[str]) -> None:
    """Trials per hour, ratios, where the peers' time goes, memory and losses."""
    columns = {
        side: {
            key: [row["sides"][side][key] for row in rows]
            for key in ("seconds", "cpu_seconds", "loss", "score", "peak_bytes", "parts")
        }
        for side in (*peers, OURS)
    }
    print("\n| side | trials an hour | peak memory, MiB | mean loss | mean score |")
    print("| --- | --- | --- | --- | --- |")
    for side, column in columns.items():
        an_hour = 3600 * len(rows) / sum(column["seconds"])
        peak = max(column["peak_bytes"]) / MEBIBYTE
        loss, score = np.mean(column["loss"]), np.mean(column["score"])
        print(f"| {side} | {an_hour:.0f} | {peak:.0f} | {loss:.4f} | {score:.4f} |")
    print()
    ours, preparation = columns[OURS], rows[0]["preparation"]
    print(f"preparation, once for all trials: {preparation:.2f} s")
    for side in peers:
        print_ratio(side, columns[side]["seconds"], ours["seconds"], preparation)
        if not math.isnan(ours["cpu_seconds"][0]):
            by_cpu, *_ = ratio_of_sums(columns[side]["cpu_seconds"], ours["cpu_seconds"])
            print(f"  by CPU time: {by_cpu:.2f}")
        print_parts(side, columns[side]["parts"])


def print_ratio(
    side: str, theirs: Sequence[float], ours: Sequence[float], preparation: float
) -> None:
    """How many times as long a peer takes, without and with ours' preparation."""
    ratio, low, high = ratio_of_sums(theirs, ours)
    with_all = sum(theirs) / (sum(ours) + preparation)
    print(
        f"{side} / ours: {ratio:.2f} (95 % over layouts {low:.2f} to {high:.2f}); "
        f"{with_all:.2f} with the preparation counted on these {len(ours)} trials"
    )


def print_parts(side: str, parts: Sequence[Mapping[str, float]]) -> None:
    """Shares of a peer's time."""
    total = sum(sum(each.values()) for each in parts)
    shares = {name: sum(each[name] for each in parts) / total for name in parts[0]}
    shown = ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    print(f"  of the time of {side}: {shown}")
