"""Drawing with matplotlib into SVG that stands inside a page; equal input gives equal text."""

import html
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from io import StringIO
from types import MappingProxyType

import matplotlib as mpl
from matplotlib.figure import Figure

from placement_search.layout import Kind

KIND_COLOURS: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.SEQUENTIAL: "#009e73",
        Kind.PARALLEL: "#0072b2",
        Kind.LONG_RANGE: "#e69f00",
        Kind.RECURRENT: "#cc4c8a",
    }
)
"""Told apart by colour-blind readers too; after Okabe and Ito (2008), the last one darker."""

INK, FAINT, ACCENT = "#24313f", "#8794a1", "#c8452d"

_DPI = 150
_NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def draw_svg(
    name: str, size: tuple[float, float], description: str, paint: Callable[[Figure], None]
) -> str:
    """An ``<svg>`` element that can stand in a page beside others.

    Args:
        name: Unique on the page; starts all ids of the picture.
        size: Width and height in inches.
        description: What the picture shows, for readers who can't see it.
        paint: Draws on an empty figure.
    """
    with _style():
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        text = StringIO()
        figure.savefig(text, format="svg", dpi=_DPI, metadata=_NO_METADATA)
    return _embedded(text.getvalue(), name, description)


def _style() -> AbstractContextManager[None]:
    return mpl.rc_context(
        {
            "svg.hashsalt": "placement-search",
            "svg.fonttype": "none",
            "text.parse_math": False,
            "font.family": "sans-serif",
            "font.sans-serif": ["DejaVu Sans"],
            "font.size": 9.5,
            "text.color": INK,
            "axes.edgecolor": FAINT,
            "axes.labelcolor": INK,
            "axes.titlesize": 9.5,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "xtick.color": INK,
            "ytick.color": INK,
            "legend.frameon": False,
        }
    )


def _embedded(svg: str, name: str, description: str) -> str:
    """Without prologue and metadata, its ids kept apart from those of other pictures."""
    body = svg[svg.index("<svg") :].strip()
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="#|url\(#)', rf"\g<1>{name}-", body)
    label = html.escape(description, quote=True)
    return body.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
