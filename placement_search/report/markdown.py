"""The report as Markdown: the same sentences and tables as the page, without its pictures."""

import re
from collections.abc import Iterable, Iterator

from placement_search.report import tables
from placement_search.report.findings import Findings
from placement_search.report.front import front_table
from placement_search.report.primer import PRIMER
from placement_search.report.proxy_table import COLUMNS_NOTE, proxies_table
from placement_search.report.proxy_words import proxy_sentences
from placement_search.report.random_words import interval_sentence, random_sentence
from placement_search.report.tables import Column, Table
from placement_search.report.training_words import training_sentence
from placement_search.report.transfers import TITLE, transfer_sentences, transfers_table
from placement_search.report.words import (
    choice_sentences,
    comparison_sentence,
    headline,
    key_figures,
    search_seeds,
)

PICTURES = "Pictures, heat maps among them, are in `report.html` beside this file."


def as_markdown(findings: Findings) -> str:
    """The whole report; ``report.html`` beside it has the pictures."""
    return "\n\n".join(_blocks(findings)) + "\n"


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$&])", r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Text set as code on one line; the bar is escaped, as cells of a table need it."""
    return f"`{' '.join(text.replace('`', chr(39)).split())}`"


def markdown_table(table: Table) -> str:
    """A table with a rule under its titles, numbers to the right."""
    rule = ["---:" if column.is_number else "---" for column in table.columns]
    lines = [_line(escaped(column.title) for column in table.columns), _line(rule)]
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        lines.append(_line(_cell(column, text) for column, text in cells))
    return "\n".join(lines)


def _blocks(findings: Findings) -> Iterator[str]:
    record = findings.record
    yield f"# Placement Search: {escaped(record.name)}"
    yield PICTURES
    yield from _answer(findings)
    yield "## What the words mean"
    yield _list(f"**{escaped(term)}**: {escaped(meaning)}" for term, meaning in PRIMER.items())
    if findings.finalists:
        yield "## Finalists"
        yield "Retrained with fresh seeds; mean and 95 % interval, best validation score first."
        yield markdown_table(tables.finalists_table(findings))
    if findings.transfers:
        yield f"## {TITLE}"
        yield markdown_table(transfers_table(findings))
        yield _list(escaped(sentence) for sentence in transfer_sentences(findings))
    front = front_table(findings)
    if front:
        yield "## Pareto front"
        yield f"The admitted complete trials that no other beats, {search_seeds(findings)} each."
        yield markdown_table(front)
    yield "## Ranking of all trials"
    yield tables.ranking_note(findings)
    yield markdown_table(tables.ranking_table(findings))
    yield "## Proxies"
    yield escaped(COLUMNS_NOTE)
    yield markdown_table(proxies_table(findings))
    yield _list(escaped(sentence) for sentence in proxy_sentences(findings))
    yield from _ends(findings)
    yield "## Costs of the search"
    yield markdown_table(tables.costs_table(findings))
    yield "## How to repeat it"
    yield f"```sh\n{record.command}\n```"
    yield markdown_table(tables.facts_table(findings))
    yield markdown_table(tables.versions_table(findings))


def _answer(findings: Findings) -> Iterator[str]:
    yield "## The answer"
    yield escaped(headline(findings))
    if findings.recommended:
        yield code(findings.recommended.layout)
        yield _list(f"{escaped(what)}: {escaped(figure)}" for what, figure in key_figures(findings))
        yield markdown_table(tables.connections_table(findings))
    if findings.answer:
        answer = findings.answer
        yield _list(escaped(comparison_sentence(c, answer)) for c in answer.comparisons)
        if said := training_sentence(findings):
            yield escaped(said)
    yield f"**{escaped(random_sentence(findings))}** {escaped(interval_sentence(findings))}".strip()
    yield escaped(" ".join(choice_sentences(findings)))


def _ends(findings: Findings) -> Iterator[str]:
    yield "## How the trials ended"
    yield markdown_table(tables.ends_table(findings))
    if findings.failures:
        yield markdown_table(tables.failures_table(findings))


def _cell(column: Column, text: str) -> str:
    return code(text).replace("|", r"\|") if column.is_code else escaped(text)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _list(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
