r"""What the tabular benchmark says of placement and of proxies: tables and a picture.

    python -m benchmarks.placements.findings --out reports/placements

Single connections after short training, by task: what the best of each kind score; how the tasks'
rankings of places agree; how each proxy ranks them, by Spearman's correlation with the test scores,
with the probed head and with random ones. Then what long training changes, of the tasks whose
connections are all trained so.
A connection's score is the mean over the seeds that the table holds of it. Connections share nodes,
so intervals over them are those of a bootstrap over nodes. Sets of several, where
enough are tabled: how their connections' proxies added up, and proxies of whole layouts, rank them,
against their number alone.
"""

import argparse
import math
import shlex
import statistics
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from benchmarks.placements.errors import TableError, plain_errors
from benchmarks.placements.grid_bootstrap import N_DRAWS, Pair, best_difference, grid_correlation
from benchmarks.placements.layout_maps import LayoutScores, grids_of, layout_scores_of
from benchmarks.placements.long_findings import CHANGES, changes_table, trained_long
from benchmarks.placements.maps import MAPS, Maps, maps_of
from benchmarks.placements.protocol import LONG, RANK, SHORT
from benchmarks.placements.set_findings import (
    MIN_SETS,
    SETS,
    set_scores,
    sets_table,
)
from benchmarks.placements.single_scores import (
    MIN_PAIRS,
    head_scores,
    least_difference,
    seeds_of,
    seeds_table,
    single_scores,
)
from benchmarks.placements.table import TABLE, Row, rows_of_one_backbone
from benchmarks.shown import correlation
from placement_search.evaluation.agreement import top_overlap
from placement_search.layout import Kind, kind_of
from placement_search.output_files import make_folder, write_whole
from placement_search.report.heat_maps import COLOURS, border
from placement_search.report.pictures import draw_svg

INTRODUCTION = """
Rebuilt by `{command}`: bottlenecks of
rank {rank} on the backbone with fingerprint `{backbone}`, {epochs} epochs, test scores, seeds each:
{seeds}.
"""
NOISE = """
A difference between two single connections may be chance where it is below {least}:
1.96 standard errors of a difference of two means over those seeds, from how much the seeds of one
connection differ.
"""
PICTURE = """
White lines part recurrent (below left), sequential, parallel and long-range connections. Each panel
has a scale of its own, so that the same colours are nearer to each other where little is gained.
"""
BOOTSTRAP = f"""
The intervals are of 95 %, by a bootstrap over nodes: {N_DRAWS:,} times source nodes and target
nodes are drawn with replacement, each for itself, and what is measured is the correlation over the
connections between them. Connections share sources and targets, so they are no independent pairs.
"""
CLAIM = """
Spearman's correlation of each proxy with the test scores, intervals over nodes as above, and how
much of the proxy's own best tenth of connections is truly among the best, which are a tenth and all
that tie with its last one (chance: the last row). Nowak et al. (2024) report that rank correlates
best, better than common norms, and that the correlation varies much between tasks. *Best norm less
best rank* is the difference of the two best correlations of either family, from the same draws of
nodes: where its interval holds 0, these scores do not tell which family knows more. The best of
four ranks is a luckier choice than the best of two norms, which favours ranks a little. Rows after
*feature norm* are proxies of whole layouts, from 32 examples and one small random write.
"""
RANDOM_HEADS = """
The same with random heads in place of the probed one, which know nothing of the task: the mean of
two, each from a quarter of the examples. A proxy that does as well with them knows the backbone and
its inputs, and needs no labels; one that does worse may lack the labels or the examples.
"""
SEEDS = """
Spearman's correlation between two seeds' scores of the same connections, mean over the pairs of
seeds: how much of a ranking by one training is the place, and how much is luck.
"""
NORMS = ("nuclear_norm", "frobenius_norm")
RANKS = ("numerical_rank", "effective_rank", "stable_rank", "participation_ratio")
"""Proxies of the two families, by what each reads from the same gradients."""


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
            ours, theirs = scores[one], scores[other]
            cells.append("1" if one == other else correlation(grid_correlation(ours, theirs)))
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
            ranking = _scores_of(grid, scores[task])
            cells.append(correlation(grid_correlation(ranking, scores[task])) + share)
        lines.append(f"| {name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    differences = [_norms_less_ranks(scores[task], maps[task]) for task in tasks]
    if any(each != "-" for each in differences):
        lines.append("| best norm less best rank | " + " | ".join(differences) + " |")
    if chances:
        lines.append("| chance | " + " | ".join(chances.get(task, "-") for task in tasks) + " |")
    return "\n".join(lines)


def _scores_of(grid: Sequence[Sequence[float]], pairs: Iterable[Pair]) -> dict[Pair, float]:
    return {(source, target): grid[source][target] for source, target in pairs}


def _norms_less_ranks(
    known: Mapping[Pair, float], maps: Mapping[str, Sequence[Sequence[float]]]
) -> str:
    """How much better the best norm correlates than the best rank; a dash without either."""
    norms, ranks = (
        [_scores_of(maps[name], known) for name in family if name in maps]
        for family in (NORMS, RANKS)
    )
    return correlation(best_difference(norms, ranks, known)) if norms and ranks else "-"


def score_maps(scores: Mapping[str, Mapping[Pair, float]]) -> str:
    """The test score of every single connection, one panel per task, as SVG."""
    n_nodes = 1 + max(max(pair) for known in scores.values() for pair in known)

    def grid_of(known: Mapping[Pair, float]) -> NDArray[np.float64]:
        grid = np.full((n_nodes, n_nodes), np.nan)
        for (source, target), score in known.items():
            grid[source, target] = score
        return grid

    n_columns = min(len(scores), 2)
    n_rows = math.ceil(len(scores) / n_columns)

    def paint(figure: Figure) -> None:
        panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
        for axes in panels[len(scores) :]:
            axes.set_axis_off()
        for axes, (task, known) in zip(panels, scores.items(), strict=False):
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
    return draw_svg("placements", (4.3 * n_columns, 4.0 * n_rows), described, paint)


def _noise_of(rows: Sequence[Row]) -> str:
    told = [f"{least:.3f} on `{task}`" for task, least in least_difference(rows).items()]
    said = NOISE.format(least=", ".join(told)).split() if told else []
    return textwrap.fill(" ".join(said), 100, break_on_hyphens=False)


@dataclass(frozen=True, slots=True)
class Proxies:
    """What proxies score, by task.

    Args:
        maps: Single connections, with the probed head.
        random_heads: The same with random heads, of those that have a gradient.
        layouts: Whole layouts.
    """

    maps: Maps
    random_heads: Maps = field(default_factory=dict)
    layouts: LayoutScores = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Sequence[Row], path: Path) -> "Proxies":
        """Those in a file of maps, and in the one beside it, that go with a table's rows.

        Raises:
            TableError: If a task's were made from other examples than its rows.
        """
        return cls(
            maps_of(rows, path),
            maps_of(rows, path, of_random_heads=True),
            layout_scores_of(rows, path),
        )

    @property
    def of_single_connections(self) -> Maps:
        """The maps, and what the proxies of layouts score a connection alone."""
        found: Maps = {}
        for task, maps in self.maps.items():
            n_nodes = len(next(iter(maps.values())))
            found[task] = maps | grids_of(self.layouts.get(task, {}), n_nodes)
        return found


def page(rows: Sequence[Row], proxies: Proxies, command: str) -> str:
    """All tables in Markdown.

    Args:
        rows: Of one backbone, at least one.
        proxies: Of the same.
        command: What makes the page.
    """
    scores, sets = single_scores(rows), set_scores(rows)
    seeds, noise = seeds_of(rows), _noise_of(rows)
    parts = [
        "# What single connections score, and which proxy knew",
        INTRODUCTION.format(
            command=command,
            rank=RANK,
            backbone=rows[0].backbone,
            epochs=SHORT.epochs,
            seeds=seeds,
        ).strip(),
        *([noise] if noise else []),
        "## Kinds",
        "Median over the connections of a kind, then its best one, which is lucky too.",
        kinds_table(scores, head_scores(rows)),
        "![Test score of every single connection](scores.svg)",
        PICTURE.strip(),
        "## Do tasks agree on the best places?",
        "Spearman's correlation between two tasks' scores of the same connections.",
        BOOTSTRAP.strip(),
        agreement_table(scores),
        "## Do seeds agree on them?",
        SEEDS.strip(),
        seeds_table(rows),
        "## Which proxy knew?",
        CLAIM.strip(),
        proxies_table(scores, proxies.of_single_connections),
        *_random_head_parts(scores, proxies.random_heads),
        f"## What does long training change? ({LONG.epochs} epochs)",
        *_long_parts(rows, proxies.of_single_connections),
        "## Sets: what do the proxies say together?",
        *(
            [SETS.strip(), sets_table(sets, proxies.maps, proxies.layouts)]
            if sets
            else [f"Fewer than {MIN_SETS} are tabled."]
        ),
    ]
    return "\n\n".join(parts) + "\n"


def _random_head_parts(scores: Mapping[str, Mapping[Pair, float]], maps: Maps) -> list[str]:
    return [RANDOM_HEADS.strip(), proxies_table(scores, maps)] if maps else []


def _long_parts(rows: Sequence[Row], maps: Maps) -> list[str]:
    """What is told of the tasks whose connections are all trained long."""
    scores = trained_long(rows)
    if not scores:
        return ["The single connections of no task are all trained so long."]
    own = [row for row in rows if row.task in scores]
    missing = [f"`{task}`" for task in single_scores(rows) if task not in scores]
    seeds = seeds_of(own, LONG.epochs)
    told = f"Seeds each: {seeds}." + (f" Not trained so: {', '.join(missing)}." if missing else "")
    return [
        told,
        CHANGES.strip(),
        changes_table(rows, scores),
        "What the kinds score then, as above:",
        kinds_table(scores, head_scores(rows, LONG.epochs)),
        *_agreement_parts(seeds_table(own, LONG.epochs)),
        "And which proxy knew of long training:",
        proxies_table(scores, maps),
    ]


def _agreement_parts(table: str) -> list[str]:
    """How far long seeds agree, where some task has two."""
    has_two = any("| 1 |" not in line for line in table.splitlines()[2:])
    return ["How far their seeds agree:", table] if has_two else []


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
        proxies = Proxies.of(rows, given.maps)
    text = page(rows, proxies, command_of(given))
    print(text)
    if given.out:
        folder = make_folder(given.out)
        write_whole(folder / "findings.md", text)
        write_whole(folder / "scores.svg", score_maps(scores))


if __name__ == "__main__":
    main()
