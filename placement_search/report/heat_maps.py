"""Heat maps over all pairs of nodes: source against target, with the kinds' regions visible."""

import math
from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch, Rectangle
from numpy.typing import NDArray
from scipy import stats

from placement_search.layout import Kind, Layout, kind_of
from placement_search.report.findings import Findings, MeasuredConnection
from placement_search.report.pictures import FAINT, INK, KIND_COLOURS, draw_svg
from placement_search.study.records import ProxyMap

Grid = NDArray[np.float64]
"""Shape ``(n_nodes, n_nodes)``, ``[source, target]``; NaN where nothing is known."""

COLOURS = "viridis"
BORDER_COLOUR = "#b8bfc6"
N_COLUMNS = 4
N_TICKS = 9


def draw_proxy_maps(findings: Findings) -> str | None:
    """One panel per proxy beside a key of the kinds, as SVG; None where there is no proxy map."""
    if findings.record.proxy_map is None:
        return None
    scores = findings.record.proxy_map.scores
    n_columns = min(N_COLUMNS, len(scores) + 1)
    n_rows = math.ceil((len(scores) + 1) / n_columns)

    def paint(figure: Figure) -> None:
        panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
        _draw_key(panels[0], findings)
        for axes, (name, values) in zip(panels[1:], scores.items(), strict=False):
            grid = np.array(values, dtype=np.float64)
            image = _draw_grid(axes, rank_shares(grid), (0.0, 1.0))
            _mark(axes, findings.layout)
            known = _range(grid) + stability(findings.record.proxy_map, name)
            axes.set_title(f"{name.replace('_', ' ')}\n{known}")
        for axes in panels[len(scores) + 1 :]:
            axes.set_axis_off()
        _add_bar(figure, image, panels, "share of connections with a smaller score")

    described = f"Heat maps of {', '.join(scores)} over source and target nodes"
    return draw_svg("proxies", (0.8 + 2.55 * n_columns, 0.4 + 2.75 * n_rows), described, paint)


def stability(proxy_map: ProxyMap | None, name: str) -> str:
    """How alike disjoint batches rank the connections, for a panel's title; empty if unknown."""
    spread = proxy_map.spread if proxy_map else None
    found = spread.between_batches.get(name) if spread else None
    return "" if found is None else f", batches {found:.2f}"


def draw_measured_map(findings: Findings) -> str:
    """The mean validation score of every measured connection beside a key, as SVG."""
    grid = measured_grid(findings.measured, findings.n_nodes)

    def paint(figure: Figure) -> None:
        panels = figure.subplots(1, 2, width_ratios=(2, 1))
        known = grid[np.isfinite(grid)]
        limits = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        image = _draw_grid(panels[0], grid, limits)
        _mark(panels[0], findings.layout)
        _add_bar(figure, image, [panels[0]], "mean validation score")
        _draw_key(panels[1], findings)

    described = f"Heat map of {len(findings.measured)} measured connections"
    return draw_svg("measured", (10.0, 5.6), described, paint)


def measured_grid(measured: Sequence[MeasuredConnection], n_nodes: int) -> Grid:
    """The mean scores by source and target; NaN where no trial connects the two."""
    grid = np.full((n_nodes, n_nodes), np.nan)
    for connection in measured:
        grid[connection.source, connection.target] = connection.mean_score
    return grid


def rank_shares(grid: Grid) -> Grid:
    """Each value's rank from 0 for the smallest to 1 for the largest; equal values share theirs.

    Ranks are what a rank correlation sees, and a few huge values can't hide the others.
    """
    shares = np.full(grid.shape, np.nan)
    is_known = np.isfinite(grid)
    known = grid[is_known]
    if known.size:
        shares[is_known] = (stats.rankdata(known) - 1) / max(known.size - 1, 1)
    return shares


def border(n_nodes: int, offset: int) -> tuple[list[float], list[float]]:
    """The staircase to the right of the cells with target = source + ``offset``, as x and y."""
    targets = [node + offset + 0.5 for node in range(n_nodes) for _ in range(2)]
    sources = [node + half for node in range(n_nodes) for half in (-0.5, 0.5)]
    return targets, sources


def _draw_grid(axes: Axes, grid: Grid, limits: tuple[float, float]) -> AxesImage:
    image = axes.imshow(
        np.ma.masked_invalid(grid), cmap=COLOURS, vmin=limits[0], vmax=limits[1],
        interpolation="nearest",
    )  # fmt: skip
    for offset in (-1, 0, 1):
        axes.plot(*border(len(grid), offset), color=BORDER_COLOUR, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(True)
    _label(axes, len(grid))
    return image


def _draw_key(axes: Axes, findings: Findings) -> None:
    kinds, n_nodes = list(Kind), findings.n_nodes
    grid = [[kinds.index(kind_of(s, t)) for t in range(n_nodes)] for s in range(n_nodes)]
    colours = ListedColormap([KIND_COLOURS[kind] for kind in kinds])
    axes.imshow(
        grid, cmap=colours, vmin=0, vmax=len(kinds) - 1, interpolation="nearest", alpha=0.75
    )
    _label(axes, n_nodes)
    axes.set_title("key: the four kinds")
    near, far = 0.28 * (n_nodes - 1), 0.72 * (n_nodes - 1)
    axes.text(far, near, "long-range", ha="center", va="center", fontsize=9)
    axes.text(near * 0.8, far * 0.75, "recurrent", ha="center", va="center", fontsize=9)
    diagonals = (Kind.SEQUENTIAL, Kind.PARALLEL)
    handles = [
        Patch(facecolor=KIND_COLOURS[kind], edgecolor="white", label=kind.value)
        for kind in diagonals
    ]
    mark = Patch(facecolor="none", edgecolor=INK, linewidth=1.6, label=findings.layout_name)
    axes.legend(
        handles=[*handles, mark], loc="lower left", fontsize=7.5, handlelength=1.1,
        labelspacing=0.25, borderpad=0.1,
    )  # fmt: skip


def _label(axes: Axes, n_nodes: int) -> None:
    step = 2 ** max(0, math.ceil(math.log2(n_nodes / N_TICKS)))
    axes.set_xticks(range(0, n_nodes, step))
    axes.set_yticks(range(0, n_nodes, step))
    axes.tick_params(length=2, labelsize=8, color=FAINT)
    axes.set_xlabel("target", fontsize=8.5, labelpad=1)
    axes.set_ylabel("source", fontsize=8.5, labelpad=1)
    axes.set_xlim(-0.5, n_nodes - 0.5)
    axes.set_ylim(n_nodes - 0.5, -0.5)


def _mark(axes: Axes, layout: Layout) -> None:
    for source, target in sorted({(c.source, c.target) for c in layout.connections}):
        for colour, width in ((INK, 3.2), ("white", 1.5)):
            axes.add_patch(
                Rectangle(
                    (target - 0.5, source - 0.5),
                    1,
                    1,
                    fill=False,
                    edgecolor=colour,
                    linewidth=width,
                    zorder=4,
                    clip_on=False,
                )
            )


def _add_bar(figure: Figure, image: AxesImage, panels: Sequence[Axes], label: str) -> None:
    bar = figure.colorbar(image, ax=panels, shrink=0.75, pad=0.015, aspect=30)
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8)
    bar.set_label(label, fontsize=8.5)


def _range(grid: Grid) -> str:
    known = grid[np.isfinite(grid)]
    return f"{known.min():.3g} to {known.max():.3g}" if known.size else "no finite value"
