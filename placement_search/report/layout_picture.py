"""The schematic picture of a layout: arcs from source to target over the line of nodes."""

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path as Curve

from placement_search.backbones.nodes import Node
from placement_search.layout import Connection, Kind, Layout
from placement_search.report.pictures import FAINT, INK, KIND_COLOURS, draw_svg

MARKERS = {"input": "D", "middle": "o", "output": "s", "whole": "s"}
"""The mark of a node by its place in its block."""
PLACES = {
    "input": "embeddings", "middle": "after attention", "output": "after MLP",
    "whole": "after a block",
}  # fmt: skip


def draw_layout(layout: Layout, nodes: Sequence[Node]) -> str:
    """The layout as SVG: forward arcs above the nodes, recurrent ones below."""

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        _draw_nodes(axes, nodes)
        for connection in layout.connections:
            _draw_connection(axes, connection)
        _draw_legend(axes, nodes)
        _frame(axes, layout, len(nodes))

    described = f"Arcs of the layout {layout.notation} over a line of {len(nodes)} nodes"
    return draw_svg("layout", (11.0, 3.4), described, paint)


def arc_height(source: int, target: int) -> float:
    """Height of an arc in units of the distance between two nodes; below the line if recurrent."""
    if source == target:
        return 1.5
    height = 0.9 + 0.75 * math.sqrt(abs(target - source))
    return height if target > source else -height


def _draw_nodes(axes: Axes, nodes: Sequence[Node]) -> None:
    n_nodes = len(nodes)
    axes.plot([0, n_nodes - 1], [0, 0], color=FAINT, linewidth=1.2, zorder=1)
    size = 46 if n_nodes <= 30 else 22
    for place, marker in MARKERS.items():
        across = [node.index for node in nodes if node.place == place]
        axes.scatter(
            across, [0] * len(across), s=size, marker=marker, color="white", edgecolor=INK, zorder=3
        )
    for node in range(n_nodes):
        if n_nodes <= 30 or node % 4 == 0:
            axes.annotate(
                str(node), (node, 0), (0, -8), textcoords="offset points",
                ha="center", va="top", fontsize=8,
            )  # fmt: skip


def _draw_connection(axes: Axes, connection: Connection) -> None:
    source, target = connection.source, connection.target
    height = arc_height(source, target)
    spread = 0.55 if source == target else 0.0
    gap = math.copysign(0.32 if height > 0 else 0.85, height)
    # The control points of a cubic curve lie a third above the height that it reaches.
    top = gap + (height - gap) * 4 / 3
    points = [
        (source - spread * 0.4, gap), (source - spread, top),
        (target + spread, top), (target + spread * 0.4, gap),
    ]  # fmt: skip
    curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    axes.add_patch(
        FancyArrowPatch(
            path=curve,
            arrowstyle="-|>",
            mutation_scale=11,
            linewidth=2.0,
            color=KIND_COLOURS[connection.kind],
            zorder=2,
        )
    )


def _draw_legend(axes: Axes, nodes: Sequence[Node]) -> None:
    kinds = [
        Line2D([], [], color=KIND_COLOURS[kind], linewidth=2.0, label=_named(kind)) for kind in Kind
    ]
    found = {node.place for node in nodes}
    marks = [
        Line2D([], [], color="none", marker=marker, markeredgecolor=INK, label=PLACES[place])
        for place, marker in MARKERS.items()
        if place in found
    ]
    axes.legend(
        handles=[*kinds, *marks], ncols=7, loc="upper center", bbox_to_anchor=(0.5, -0.02),
        fontsize=8.5, columnspacing=1.4, handletextpad=0.5,
    )  # fmt: skip


def _frame(axes: Axes, layout: Layout, n_nodes: int) -> None:
    heights = [arc_height(c.source, c.target) for c in layout.connections]
    axes.set_xlim(-0.8, n_nodes - 0.2)
    axes.set_ylim(min([-1.4, *heights]) - 0.3, max([1.2, *heights]) + 0.3)
    axes.set_axis_off()


def _named(kind: Kind) -> str:
    return kind.value.replace("_", "-")
