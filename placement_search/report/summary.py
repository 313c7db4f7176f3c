"""The few lines that end a search in the terminal: what was found, its cost, how it compares."""

from placement_search.evaluation.estimates import Estimate
from placement_search.report.findings import Findings
from placement_search.report.front import front_sentence
from placement_search.report.latency_words import latency_facts
from placement_search.report.proxy_words import closing_proxy_sentences, proxy_facts
from placement_search.report.random_words import random_facts, random_sentence
from placement_search.report.training_words import training_sentence
from placement_search.report.transfers import transfer_facts, transfer_sentences
from placement_search.report.words import (
    choice_sentences,
    comparison_sentence,
    headline,
    key_figures,
)


def summary_lines(findings: Findings) -> list[str]:
    """The answer in plain words, a line each; it says so where the answer does not win."""
    recommended = findings.recommended
    lines = [headline(findings)]
    if recommended is not None:
        lines.append(f"  layout {recommended.layout} (trial {recommended.number})")
    lines += [f"  {name}: {value}" for name, value in key_figures(findings)]
    lines += choice_sentences(findings)
    if findings.answer is not None:
        answer = findings.answer
        lines += ["On the test split the answer is:"]
        lines += [f"  {comparison_sentence(c, answer)}" for c in answer.comparisons]
    notes = filter(None, [training_sentence(findings), front_sentence(findings)])
    lines += [*notes, random_sentence(findings)]
    lines += transfer_sentences(findings)
    return lines + [f"Proxies: {sentence}" for sentence in closing_proxy_sentences(findings)]


def summary_facts(findings: Findings) -> dict[str, object]:
    """The same for programs: plain numbers and words."""
    answer, recommended = findings.answer, findings.recommended
    facts: dict[str, object] = {
        "study": findings.record.name,
        "layout": recommended.layout if recommended else None,
        "trial": recommended.number if recommended else None,
        "n_adapter_parameters": recommended.n_adapter_parameters if recommended else None,
        "is_final": answer is not None and not findings.has_incomplete_finals,
        "gain_over_random": random_facts(findings),
        "from_elsewhere": transfer_facts(findings),
        "too_slow": latency_facts(findings),
        "proxies": proxy_facts(findings),
    }
    if answer is None:
        return facts
    return facts | {
        "validation": answer.chosen.validation.mean,
        "test": answer.test.mean,
        "n_confirming": answer.n_confirming,
        "comparisons": [
            {
                "name": comparison.name,
                "n_adapter_parameters": comparison.n_adapter_parameters,
                "test": comparison.test.mean,
                "gain": comparison.gain.mean,
                "gain_low": comparison.gain.low,
                "gain_high": comparison.gain.high,
                "verdict": comparison.verdict,
                "method": comparison.method.value,
                "gain_in_pairs": comparison.in_pairs.mean if comparison.in_pairs else None,
                "gain_in_pairs_low": comparison.in_pairs.low if comparison.in_pairs else None,
                "gain_in_pairs_high": comparison.in_pairs.high if comparison.in_pairs else None,
            }
            for comparison in answer.comparisons
        ],
    }


def summary_rows(findings: Findings) -> list[dict[str, str | int | float | None]]:
    """The same as rows: the answer, then each baseline with the answer's gain over it."""
    recommended, answer = findings.recommended, findings.answer
    rows: list[dict[str, str | int | float | None]] = []
    if recommended is not None:
        rows.append(
            _row("answer", recommended.n_adapter_parameters, answer.test if answer else None)
            | {"layout": recommended.layout}
        )
    for comparison in answer.comparisons if answer else ():
        row = _row(comparison.name, comparison.n_adapter_parameters, comparison.test)
        gain = comparison.gain
        rows.append(row | {"gain": gain.mean, "gain_low": gain.low, "gain_high": gain.high})
    return rows


def _row(
    name: str, n_parameters: int, test: Estimate | None
) -> dict[str, str | int | float | None]:
    return {
        "name": name,
        "n_adapter_parameters": n_parameters,
        "test": test.mean if test else None,
        "gain": None,
        "gain_low": None,
        "gain_high": None,
        "layout": None,
    }
