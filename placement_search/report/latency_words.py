"""What a report says of finalists that are slower, by measurement, than the study's limit."""

from placement_search.report.findings import Findings
from placement_search.study.answer import Finalist


def too_slow(findings: Findings) -> list[Finalist]:
    """Finalists that could be the answer but for their measured latency, best first."""
    return [f for f in findings.finalists if f.trial.is_eligible and f.is_too_slow]


def latency_sentences(findings: Findings) -> list[str]:
    """Which layouts can't be the answer for their measured latency; none where all keep the limit.

    Layouts outside the space or the budget are left out: they could not be the answer anyway.
    """
    slow = too_slow(findings)
    if not slow:
        return []
    limit = findings.record.definition.max_latency
    told = "; ".join(f"{f.name} at {_measured(f)}" for f in slow)
    head = "Too slow by measurement, though not by prediction, and so never the answer"
    return [f"{head}: {told}; the limit is {limit} (--max-latency)."]


def latency_facts(findings: Findings) -> list[dict[str, object]]:
    """The same for programs."""
    return [
        {
            "layout": f.trial.layout,
            "trial": f.trial.number,
            "latency_factor": f.costs.latency_factor,
            "latency_factors": f.latencies,
        }
        for f in too_slow(findings)
    ]


def _measured(finalist: Finalist) -> str:
    """The factor, and from what it is the median where there is more than one measurement."""
    factors, factor = finalist.latencies, finalist.costs.latency_factor
    spread = f" ({min(factors):.4f} to {max(factors):.4f} over {len(factors)} seeds)"
    return f"{factor:.4f} times the backbone's{spread if len(factors) > 1 else ''}"
