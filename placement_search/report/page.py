"""The report as one HTML page that needs nothing beside itself."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from placement_search.report import tables, words
from placement_search.report.curves import draw_gains, draw_history, draw_sizes
from placement_search.report.findings import Findings
from placement_search.report.front import draw_front, front_table
from placement_search.report.heat_maps import draw_measured_map, draw_proxy_maps
from placement_search.report.layout_picture import draw_layout
from placement_search.report.primer import PRIMER
from placement_search.report.proxy_table import COLUMNS_NOTE, proxies_table
from placement_search.report.proxy_words import no_map_sentence, proxy_sentences
from placement_search.report.random_words import interval_sentence, random_sentence
from placement_search.report.training_words import training_sentence
from placement_search.report.transfers import TITLE, transfer_sentences, transfers_table

TEMPLATE = "page.html.j2"


def as_html(findings: Findings) -> str:
    """The whole page: style, tables and pictures inside it, every name of the study escaped."""
    environment = Environment(
        loader=PackageLoader("placement_search", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template(TEMPLATE)
    return template.render(
        findings=findings,
        record=findings.record,
        **_said(findings),
        **_tables(findings),
        pictures=_pictures(findings),
    )


def _said(findings: Findings) -> dict[str, object]:
    return {
        "headline": words.headline(findings),
        "data_name": findings.data_name,
        "better": "Up" if findings.record.definition.is_higher_better else "Down",
        "figures": words.key_figures(findings),
        "comparisons": _comparisons(findings),
        "training_note": training_sentence(findings),
        "random": (random_sentence(findings), interval_sentence(findings)),
        "transfer_title": TITLE,
        "transfer_words": transfer_sentences(findings),
        "choice": words.choice_sentences(findings),
        "primer": PRIMER,
        "no_map": no_map_sentence(findings),
        "columns_note": COLUMNS_NOTE,
        "proxy_words": proxy_sentences(findings),
        "search_seeds": words.search_seeds(findings),
        "ranking_note": tables.ranking_note(findings),
        "n_hidden_failures": max(0, len(findings.failures) - tables.SHOWN_FAILURES),
    }


def _comparisons(findings: Findings) -> list[tuple[str, str]]:
    """Each comparison's verdict and sentence."""
    if findings.answer is None:
        return []
    answer = findings.answer
    return [(c.verdict, words.comparison_sentence(c, answer)) for c in answer.comparisons]


def _tables(findings: Findings) -> dict[str, tables.Table | None]:
    return {
        "connections": tables.connections_table(findings),
        "front": front_table(findings),
        "finalists": tables.finalists_table(findings),
        "transfers": transfers_table(findings),
        "ranking": tables.ranking_table(findings),
        "proxies": proxies_table(findings),
        "ends": tables.ends_table(findings),
        "failures": tables.failures_table(findings),
        "costs": tables.costs_table(findings),
        "facts": tables.facts_table(findings),
        "versions": tables.versions_table(findings),
    }


def _pictures(findings: Findings) -> dict[str, Markup | None]:
    """Pictures by name, marked safe: matplotlib escapes the text in them."""
    drawn = {
        "layout": draw_layout(findings.layout, findings.nodes) if findings.recommended else None,
        "gains": draw_gains(findings),
        "proxies": draw_proxy_maps(findings),
        "measured": draw_measured_map(findings),
        "history": draw_history(findings),
        "sizes": draw_sizes(findings),
        "front": draw_front(findings),
    }
    return {name: Markup(svg) if svg else None for name, svg in drawn.items()}  # noqa: S704
