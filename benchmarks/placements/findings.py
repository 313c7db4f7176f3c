r"""What the tabular benchmark says of placement and of proxies: tables and a picture.

    python -m benchmarks.placements.findings --out reports/placements

Single connections after short training, by task: what the best of each kind score; how the tasks'
rankings of places agree; how each proxy ranks them, by Spearman's correlation with the test scores.
A connection's score is the mean over the seeds that the table holds of it. Sets of several, where
enough are tabled: how their connections' proxies added up rank them, against their number alone.
"""

import argparse
import itertools
import shlex
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.placements.errors import TableError, plain_errors
from benchmarks.placements.maps import MAPS, Maps, read_maps
from benchmarks.placements.protocol import RANK, SHORT
from benchmarks.placements.table import TABLE, Row, rows_of_one_backbone
from placement_search.evaluation.agreement import grouped_correlation, top_overlap
from placement_search.evaluation.estimates import Estimate, rank_correlation
from placement_search.layout import Kind, Layout, kind_of, parse_layout
from placement_search.layout_scores import AGGREGATES
from placement_search.modules import MODULE_TYPES
from placement_search.report.heat_maps import COLOURS, border
from placement_search.report.pictures import draw_svg

Pair = tuple[int, int]
INTRODUCTION = """
Rebuilt by `{command}`: bottlenecks of
rank {rank} on the backbone with fingerprint `{backbone}`, {epochs} epochs, test scores, seeds each:
{seeds}. A difference of about 0.02 between two single connections may be chance.
"""
SETS = """
Spearman's correlation with the test scores of sets of two to six connections, 95 % intervals: of
their number, which costs nothing to know; and of the *sum* of their connections' scores by each
proxy, and its *coverage*, where connections near each other share what they cover (Nowak et al.
2024). Both need the proxy map and no training. Sums grow with the number of connections: what the
proxy adds to that is its correlation *within a size*, ranks taken among sets of one size.
"""
CLAIM = """
Spearman's correlation of each proxy with the test scores, 95 % intervals, and how much of the
proxy's own best tenth of connections is truly among the best, which are a tenth and all that tie
with its last one (chance: the last row). Nowak et al.
(2024) report that rank correlates best, better than common norms, and that the correlation varies
much between tasks.
"""
SEEDS = """
Spearman's correlation between two seeds' scores of the same connections, mean over the pairs of
seeds: how much of a ranking by one training is the place, and how much is luck.
"""
MIN_PAIRS = 30
"""Connections from which a task is told of."""
MIN_SETS = 30
"""Sets from which a task is told of."""


def single_scores(rows: Sequence[Row]) -> dict[str, dict[Pair, float]]:
    """By task the mean test score of every single connection after short training."""
    found: dict[str, dict[Pair, list[float]]] = {}
    for row in _alone(rows):
        (connection,) = parse_layout(row.layout, MODULE_TYPES).connections
        pair = connection.source, connection.target
        found.setdefault(row.task, {}).setdefault(pair, []).append(row.test)
    return {
        task: {pair: statistics.fmean(each) for pair, each in sorted(scores.items())}
        for task, scores in sorted(found.items())
        if len(scores) >= MIN_PAIRS
    }


def _alone(rows: Sequence[Row]) -> list[Row]:
    """The short trainings of single connections."""
    return [r for r in rows if r.epochs == SHORT.epochs and r.layout.count(">") == 1]


def head_scores(rows: Sequence[Row]) -> dict[str, float]:
    """By task the mean test score of the head alone after short training."""
    found: dict[str, list[float]] = {}
    for row in rows:
        if row.layout == "none" and row.epochs == SHORT.epochs:
            found.setdefault(row.task, []).append(row.test)
    return {task: statistics.fmean(scores) for task, scores in found.items()}


def seeds_table(rows: Sequence[Row]) -> str:
    """How one seed ranks single connections as another does, on both splits; mean over pairs."""
    found: dict[str, dict[int, dict[str, tuple[float, float]]]] = {}
    for row in _alone(rows):
        seeds = found.setdefault(row.task, {})
        seeds.setdefault(row.replicate, {})[row.layout] = row.validation, row.test
    lines = ["| task | seeds | validation split | test split |", "| --- | --- | --- | --- |"]
    for task, seeds in sorted(found.items()):
        pairs = list(itertools.combinations(seeds.values(), 2))
        cells = [_agreement(pairs, split) for split in (0, 1)]
        lines.append(f"| `{task}` | {len(seeds)} | {cells[0]} | {cells[1]} |")
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


def sets_table(scores: Mapping[str, Mapping[Layout, float]], maps: Maps) -> str:
    """How the number of connections, and each proxy's sum and coverage, rank sets."""
    proxies = list(dict.fromkeys(name for task in scores for name in maps.get(task, {})))
    shown = [f"`{task}`, {len(known)} sets" for task, known in scores.items()]
    lines = ["| score of a set | " + " | ".join(shown) + " |"]
    lines.append("| --- | " + " | ".join("---" for _ in scores) + " |")
    sizes = [
        _interval(rank_correlation(_sizes(known), list(known.values())))
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
    return _interval(rank_correlation(values, measured)) + beside


def kinds_table(scores: Mapping[str, Mapping[Pair, float]], heads: Mapping[str, float]) -> str:
    """Median and best test score of each kind, with the best connection."""
    lines = [
        "| task | connections | head only | " + " | ".join(kind.value for kind in Kind) + " |",
        "| --- | --- | --- | " + " | ".join("---" for _ in Kind) + " |",
    ]
    for task, known in scores.items():
        cells = []
        for kind in Kind:
            own = {pair: score for pair, score in known.items() if kind_of(*pair) is kind}
            best = max(own, key=lambda pair: own[pair], default=None)
            cells.append(
                "-"
                if best is None
                else f"{statistics.median(own.values()):.3f}, best {own[best]:.3f} "
                f"({best[0]}>{best[1]})"
            )
        head = f"{heads[task]:.3f}" if task in heads else "-"
        lines.append(f"| `{task}` | {len(known)} | {head} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def agreement_table(scores: Mapping[str, Mapping[Pair, float]]) -> str:
    """Spearman's correlation of the places' scores between tasks, over those that both have."""
    tasks = list(scores)
    lines = ["| | " + " | ".join(f"`{task}`" for task in tasks) + " |"]
    lines.append("| --- | " + " | ".join("---" for _ in tasks) + " |")
    for one in tasks:
        cells = []
        for other in tasks:
            both = [pair for pair in scores[one] if pair in scores[other]]
            ours, theirs = ([scores[t][pair] for pair in both] for t in (one, other))
            cells.append("1" if one == other else _interval(rank_correlation(ours, theirs)))
        lines.append(f"| `{one}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def proxies_table(scores: Mapping[str, Mapping[Pair, float]], maps: Maps) -> str:
    """Each proxy's correlation with the scores, and how many of its best tenth are of the best."""
    tasks = [task for task in scores if task in maps]
    names = list(dict.fromkeys(name for task in tasks for name in maps[task]))
    lines = ["| proxy | " + " | ".join(f"`{task}`" for task in tasks) + " |"]
    lines.append("| --- | " + " | ".join("---" for _ in tasks) + " |")
    chances: dict[str, str] = {}
    for name in names:
        cells = []
        for task in tasks:
            grid = maps[task].get(name)
            if grid is None:
                cells.append("-")
                continue
            values = [grid[source][target] for source, target in scores[task]]
            measured = list(scores[task].values())
            top = top_overlap(values, measured)
            share = "" if top is None else f", {top.share.mean:.0%} of its tenth"
            if top is not None:
                chances[task] = f"{top.chance:.0%} of any tenth"
            cells.append(_interval(rank_correlation(values, measured)) + share)
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    if chances:
        lines.append("| chance | " + " | ".join(chances.get(task, "-") for task in tasks) + " |")
    return "\n".join(lines)


def _interval(found: Estimate | None) -> str:
    return "-" if found is None else f"{found.mean:+.2f} ({found.low:+.2f} to {found.high:+.2f})"


def score_maps(scores: Mapping[str, Mapping[Pair, float]]) -> str:
    """The test score of every single connection, one panel per task, as SVG."""
    n_nodes = 1 + max(max(pair) for known in scores.values() for pair in known)

    def grid_of(known: Mapping[Pair, float]) -> NDArray[np.float64]:
        grid = np.full((n_nodes, n_nodes), np.nan)
        for (source, target), score in known.items():
            grid[source, target] = score
        return grid

    def paint(figure: Figure) -> None:
        panels = list(figure.subplots(1, len(scores), squeeze=False).flat)
        for axes, (task, known) in zip(panels, scores.items(), strict=True):
            grid = np.ma.masked_invalid(grid_of(known))
            image = axes.imshow(grid, cmap=COLOURS, interpolation="nearest")
            for offset in (-1, 0, 1):
                axes.plot(*border(n_nodes, offset), color="white", linewidth=0.5)
            axes.set_xlim(-0.5, n_nodes - 0.5)
            axes.set_title(task)
            axes.set_xlabel("target node")
            axes.set_ylabel("source node")
            figure.colorbar(image, ax=axes, shrink=0.7, label="test score")

    described = f"Test score of single connections by source and target: {', '.join(scores)}"
    return draw_svg("placements", (4.3 * len(scores), 4.0), described, paint)


def seeds_of(rows: Sequence[Row]) -> str:
    """How many seeds single connections were trained with for short, as the range over them."""
    alone = Counter((row.task, row.layout) for row in _alone(rows))
    counts = set(alone.values()) or {0}
    return f"{min(counts)}" if len(counts) == 1 else f"{min(counts)} to {max(counts)}"


def page(rows: Sequence[Row], maps: Maps, command: str) -> str:
    """All tables in Markdown.

    Args:
        rows: Of one backbone, at least one.
        maps: Of the same.
        command: What makes the page.
    """
    scores, sets = single_scores(rows), set_scores(rows)
    seeds = seeds_of(rows)
    parts = [
        "# What single connections score, and which proxy knew",
        INTRODUCTION.format(
            command=command, rank=RANK, backbone=rows[0].backbone, epochs=SHORT.epochs, seeds=seeds
        ).strip(),
        "## Kinds",
        "Median over the connections of a kind, then its best one, which is lucky too.",
        kinds_table(scores, head_scores(rows)),
        "![Test score of every single connection](scores.svg)",
        "## Do tasks agree on the best places?",
        "Spearman's correlation between two tasks' scores of the same connections.",
        agreement_table(scores),
        "## Do seeds agree on them?",
        SEEDS.strip(),
        seeds_table(rows),
        "## Which proxy knew?",
        CLAIM.strip(),
        proxies_table(scores, maps),
        "## Sets: what do the proxies say together?",
        *(
            [SETS.strip(), sets_table(sets, maps)]
            if sets
            else [f"Fewer than {MIN_SETS} are tabled."]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def command_of(given: argparse.Namespace) -> str:
    """The command that makes the same page from the same files."""
    words = ["python", "-m", "benchmarks.placements.findings"]
    for name, usual in (("table", TABLE), ("maps", MAPS), ("backbone", None), ("out", None)):
        value = getattr(given, name)
        words += [f"--{name}", str(value)] if value != usual else []
    return shlex.join(words)


def main() -> None:
    """Print the page, and write it with its picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--maps", type=Path, default=MAPS)
    parser.add_argument("--backbone", help="fingerprint; needed where the table has several")
    parser.add_argument("--out", type=Path, help="folder for findings.md and scores.svg")
    given = parser.parse_args()
    with plain_errors():
        rows = rows_of_one_backbone(given.table, given.backbone)
        scores = single_scores(rows)
        if not scores:
            raise TableError(
                f"a task is told of from {MIN_PAIRS} single connections of {SHORT.epochs} epochs, "
                f"which {given.table} has of none; go on building it "
                "(python -m benchmarks.placements.build)"
            )
    maps = read_maps(given.maps, rows[0].backbone)
    text = page(rows, maps, command_of(given))
    print(text)
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        (given.out / "findings.md").write_text(text, encoding="utf-8")
        (given.out / "scores.svg").write_text(score_maps(scores), encoding="utf-8")


if __name__ == "__main__":
    main()
