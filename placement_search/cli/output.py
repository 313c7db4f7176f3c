"""Results on stdout, as a table for people or as JSON or CSV for programs."""

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from placement_search.cli.options import Format
from placement_search.rounding import score_text

Cell = str | int | float | bool | None
Row = Mapping[str, Cell]


def print_rows(rows: Sequence[Row], form: Format, *, title: str = "") -> None:
    """Print rows that share their keys.

    Args:
        rows: At least the columns to show, in order.
        form: Table, JSON list or CSV with a header.
        title: Stands over a table.
    """
    if form is Format.JSON:
        print_json([dict(row) for row in rows])
    elif form is Format.CSV:
        typer.echo(as_csv(rows), nl=False)
    else:
        table = Table(title=escape(title) or None, title_justify="left", box=None, pad_edge=False)
        for name, cell in (rows[0] if rows else {}).items():
            is_number = isinstance(cell, int | float)
            table.add_column(
                escape(name), justify="right" if is_number else "left", overflow="fold"
            )
        for row in rows:
            table.add_row(*(escape(_shown(cell)) for cell in row.values()))
        _console().print(table)


def as_csv(rows: Sequence[Row]) -> str:
    """Rows that share their keys, below a header; empty where there are none."""
    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return text.getvalue()


def print_facts(facts: Row, form: Format) -> None:
    """Print one thing's facts, a line each in a table."""
    if form is Format.TABLE:
        width = max(map(len, facts))
        for name, cell in facts.items():
            typer.echo(f"{name:<{width}}  {_shown(cell)}")
    else:
        print_json(dict(facts)) if form is Format.JSON else print_rows([facts], form)


def print_json(value: object) -> None:
    """Print JSON with a stable layout; never NaN."""
    typer.echo(json.dumps(value, indent=2, allow_nan=False))


def _console() -> Console:
    """As wide as the terminal, or as wide as it needs where output goes to a file."""
    return Console(width=None if sys.stdout.isatty() else 250, highlight=False)


def _shown(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return score_text(cell) if abs(cell) < 1000 else f"{cell:,.0f}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
