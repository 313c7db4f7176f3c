"""The report as plain data: ``report.json`` and ``trials.csv``."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import pandas as pd

from placement_search.evaluation.score_card import ScoreCard
from placement_search.report.findings import WITH_REASON, Findings, RankedTrial, reason_line
from placement_search.report.random_words import random_facts
from placement_search.report.transfers import transfer_facts
from placement_search.study.answer import Finalist
from placement_search.study.comparisons import Comparison
from placement_search.study.front import admitted_front
from placement_search.study.records import StudyRecord, TrialEnd, TrialRecord

SCHEMA_VERSION = 2

CSV_COLUMNS = (
    "rank", "trial", "role", "end", "is_eligible", "score", "n_adapter_parameters",
    "n_head_parameters", "n_bytes", "n_flops", "flops_factor", "train_seconds", "n_steps", "seed",
    "n_reports", "last_score", "started", "layout_id", "layout", "training",
    "reason",
)  # fmt: skip


def as_csv(findings: Findings) -> str:
    """One row per trial: complete ones by rank, then the others by number; unknown cells empty."""
    rows = [_csv_row(ranked) for ranked in findings.trials]
    frame = pd.DataFrame(rows, columns=list(CSV_COLUMNS), dtype=object)
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return text


def as_json(findings: Findings) -> str:
    """All that the page shows, as JSON with sorted keys; what is not a finite number is null."""
    record = findings.record
    data = {
        "schema_version": SCHEMA_VERSION,
        "study": record.name,
        "storage": record.storage,
        "command": record.command,
        "definition": record.definition.as_json(),
        "goal": asdict(record.goal),
        "provenance": record.provenance,
        "recommended": findings.recommended.number if findings.recommended else None,
        "answer": _answer(findings),
        "gain_over_random": random_facts(findings),
        "from_elsewhere": transfer_facts(findings),
        "n_test_reads": findings.n_test_reads,
        "queue_notes": record.queue_notes,
        "finalists": [_finalist(finalist) for finalist in findings.finalists],
        "finals": [asdict(final) for final in record.finals],
        "gaps": dict(record.gaps),
        "confirmations": [asdict(again) for again in record.confirmations],
        "trials": [{"rank": ranked.rank, **asdict(ranked.trial)} for ranked in findings.trials],
        "front": _front(findings),
        "measured_connections": [asdict(connection) for connection in findings.measured],
        "correlations": [
            {**asdict(proxy), "verdict": proxy.verdict} for proxy in findings.correlations
        ],
        "references": [asdict(reference) for reference in record.references],
        "pooling": asdict(record.pooling) if record.pooling else None,
        "notes": list(record.notes),
        "sampler_versions": dict(record.sampler_versions),
        "layout_proxies": dict(record.layout_proxies),
        "proxy_map": asdict(record.proxy_map) if record.proxy_map else None,
        "switches": asdict(record.switches) if record.switches else None,
        "ends": _ends(record),
        "costs": _costs(findings),
    }
    return json.dumps(_plain(data), sort_keys=True, indent=1, allow_nan=False) + "\n"


def _csv_row(ranked: RankedTrial) -> dict[str, object]:
    trial, card = ranked.trial, ranked.trial.card
    row: dict[str, object] = {
        "rank": ranked.rank,
        "trial": trial.number,
        "role": trial.role,
        "end": trial.end.value,
        "is_eligible": trial.is_eligible,
        "n_adapter_parameters": trial.n_adapter_parameters,
        "n_reports": len(trial.history),
        "last_score": trial.history[-1] if trial.history else None,
        "train_seconds": trial.seconds,
        "n_steps": trial.n_steps if card is None else card.n_steps,
        "started": trial.started.isoformat() if trial.started else None,
        "layout_id": trial.layout_id,
        "layout": trial.layout,
        "training": trial.training.notation or None,
        "reason": reason_line(trial.reason) if trial.reason else None,
    }
    if card:
        row |= {
            "score": card.score,
            "n_head_parameters": card.costs.n_head_parameters,
            "n_bytes": card.costs.n_bytes,
            "n_flops": card.costs.n_flops,
            "flops_factor": card.costs.flops_factor,
            "seed": card.seed,
        }
    return row


def _answer(findings: Findings) -> dict[str, object] | None:
    answer = findings.answer
    if answer is None:
        return None
    return {
        "chosen": _finalist(answer.chosen),
        "best": _finalist(answer.best),
        "comparisons": [_comparison(c) for c in answer.comparisons],
        "test": asdict(answer.test),
        "n_confirming": answer.n_confirming,
    }


def _front(findings: Findings) -> list[int] | None:
    """The trials on the Pareto front, cheapest first; None where the score was all."""
    cost = findings.record.definition.cost
    return [t.number for t in admitted_front(findings.record, cost)] if cost else None


def _finalist(finalist: Finalist) -> dict[str, object]:
    """A finalist's figures; its trial and score cards stand under ``trials`` and ``finals``."""
    return {
        "name": finalist.name,
        "trial": finalist.trial.number,
        "layout_id": finalist.trial.layout_id,
        "layout": finalist.trial.layout,
        "training": asdict(finalist.trial.training),
        "is_eligible": finalist.trial.is_eligible,
        "is_too_slow": finalist.is_too_slow,
        "n_seeds": len(finalist.cards),
        "validation": asdict(finalist.validation),
        "test": asdict(finalist.test),
        "costs": asdict(finalist.costs),
    }


def _comparison(comparison: Comparison) -> dict[str, object]:
    return {**asdict(comparison), "verdict": comparison.verdict}


def _ends(record: StudyRecord) -> dict[str, int]:
    counts = Counter(trial.end for trial in record.trials)
    return {end.value: counts[end] for end in TrialEnd}


def _costs(findings: Findings) -> dict[str, object]:
    record = findings.record
    trials = [trial.card for trial in record.trials if trial.card]
    failures = [trial for trial in record.trials if trial.end in WITH_REASON]
    return {
        **_spent("trials", trials),
        **_spent_unscored("pruned", record.ended(TrialEnd.PRUNED)),
        **_spent_unscored("failed", failures),
        **_spent("finals", [final.card for final in record.finals]),
        **_spent("confirmations", [again.card for again in record.confirmations]),
        **_spent("references", [reference.card for reference in findings.own_references]),
        "proxy_map_seconds": record.proxy_map.seconds if record.proxy_map else None,
        "proxy_map_examples": record.proxy_map.n_examples if record.proxy_map else None,
        "switches_seconds": record.switches.seconds if record.switches else None,
        "switches_steps": record.switches.n_steps if record.switches else None,
    }


def _spent(what: str, cards: Sequence[ScoreCard]) -> dict[str, float]:
    return {
        f"{what}_seconds": math.fsum(card.train_seconds for card in cards),
        f"{what}_steps": sum(card.n_steps for card in cards),
    }


def _spent_unscored(what: str, trials: Sequence[TrialRecord]) -> dict[str, float]:
    return {
        f"{what}_seconds": math.fsum(trial.seconds or 0 for trial in trials),
        f"{what}_steps": sum(trial.n_steps or 0 for trial in trials),
    }


def _plain(value: object) -> object:
    """``value`` in what JSON can hold."""
    if isinstance(value, dict):
        return {str(key): _plain(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
