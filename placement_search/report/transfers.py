"""How layouts from elsewhere did: a table, and a sentence for each."""

from placement_search.layout import shortened
from placement_search.report.findings import WITH_REASON, Findings, reason_line
from placement_search.report.formats import (
    UNKNOWN,
    as_count,
    as_estimate,
    as_interval,
    as_score,
    as_signed,
    plural,
)
from placement_search.report.random_words import against_random, gap_sentence
from placement_search.report.tables import Column, Table
from placement_search.study.answer import MIN_SEEDS
from placement_search.study.records import TrialEnd
from placement_search.study.transfers import Transfer

TITLE = "How layouts from elsewhere did"


def transfers_table(findings: Findings) -> Table:
    """Every layout that the study was to start from, there and here."""
    titles = (
        "parameters", "validation there", "validation here", "test here", "rank here",
        "gain over random", "95 % interval",
    )  # fmt: skip
    columns = (
        Column("from"),
        Column("layout", is_code=True),
        *(Column(title, is_number=True) for title in titles),
        Column("admitted"),
    )
    n_ranked = len(findings.record.ranking)
    return Table(columns, tuple(_row(transfer, n_ranked) for transfer in findings.transfers))


def transfer_sentences(findings: Findings) -> list[str]:
    """What each of them is worth here, in words."""
    return [" ".join(_said(transfer, findings)) for transfer in findings.transfers]


def transfer_facts(findings: Findings) -> list[dict[str, object]]:
    """The same for programs."""
    sentences = transfer_sentences(findings)
    return [
        _facts(transfer) | {"in_words": said}
        for transfer, said in zip(findings.transfers, sentences, strict=True)
    ]


def _row(transfer: Transfer, n_ranked: int) -> tuple[str, ...]:
    trial, finalist, gain = transfer.trial, transfer.finalist, transfer.random
    compared = gain.comparison if gain else None
    score = as_score(trial.score if trial else None)
    return (
        _origin(transfer),
        shortened(transfer.start.layout),
        as_count(trial.n_adapter_parameters) if trial else UNKNOWN,
        as_score(transfer.start.score),
        as_estimate(finalist.validation) if finalist else score,
        as_estimate(finalist.test) if finalist else UNKNOWN,
        f"{transfer.rank} of {n_ranked}" if transfer.rank else UNKNOWN,
        as_signed(compared.gain.mean) if compared else UNKNOWN,
        as_interval(compared.gain) if compared else UNKNOWN,
        UNKNOWN if trial is None else "yes" if trial.is_eligible else "no",
    )


def _origin(transfer: Transfer) -> str:
    return f"{transfer.start.task} (study {transfer.start.study})"


def _said(transfer: Transfer, findings: Findings) -> list[str]:
    start, seeds = transfer.start, "one seed"
    if start.n_seeds > 1:
        seeds = f"the mean of {start.n_seeds} seeds"
    scored = f"“{transfer.role}” scored {as_score(start.score)} where it was found"
    said = [f"{scored} ({start.metric}, {seeds}), in study “{start.study}”."]
    if not transfer.is_same_backbone:
        said.append("That was another backbone, on which the same numbers may mean other nodes.")
    said.append(_worth(transfer, findings))
    if transfer.note:
        said.append(f"It {transfer.note}.")
    return said


def _worth(transfer: Transfer, findings: Findings) -> str:
    """Whether its places carried over."""
    if transfer.trial is None:
        return _unscored(transfer, findings)
    gain = transfer.random
    if gain is None:
        n_seeds = len(transfer.finalist.tests) if transfer.finalist else 0
        done = f"retrained with {plural(n_seeds, 'seed')}" if n_seeds else "not retrained"
        needs = f", which takes {MIN_SEEDS} seeds" if n_seeds else ""
        return f"Here it was {done}, so its gain over random layouts was not measured{needs}."
    if gain.comparison is None:
        return f"Its gain over random layouts of its size was not measured: {gain.reason}."
    said = f"{_OUTCOMES[gain.comparison.verdict]}: {against_random(gain, gain.comparison)}."
    return " ".join(filter(None, [said, gap_sentence(gain)]))


def _unscored(transfer: Transfer, findings: Findings) -> str:
    """What became of one that is not complete."""
    # The last one: it may have failed before and run again.
    trial = next((t for t in findings.record.trials[::-1] if t.role == transfer.role), None)
    if trial is not None and trial.end in WITH_REASON:
        why = reason_line(trial.reason).removesuffix(".")
        return f"Here it has no score, since it {_ENDS[trial.end]}: {why}."
    if trial is not None and trial.end is TrialEnd.PRUNED:
        return "Here it has no final score, since it was pruned."
    return "Here it has no score yet."


_ENDS = {TrialEnd.FAILED: "failed", TrialEnd.INFEASIBLE: "was infeasible"}
_OUTCOMES = {
    "better": "Its places carried over, here they are better than random ones",
    "not told apart": (
        "That its places carried over is not shown, here they are not told apart from random ones"
    ),
    "worse": "Its places did not carry over, here they are worse than random ones",
}


def _facts(transfer: Transfer) -> dict[str, object]:
    start, trial, finalist = transfer.start, transfer.trial, transfer.finalist
    compared = transfer.random.comparison if transfer.random else None
    return {
        "role": transfer.role,
        "layout": start.layout,
        "task": start.task,
        "study": start.study,
        "metric_there": start.metric,
        "validation_there": start.score,
        "n_seeds_there": start.n_seeds,
        "is_same_backbone": transfer.is_same_backbone,
        "trial": trial.number if trial else None,
        "rank": transfer.rank,
        "is_eligible": trial.is_eligible if trial else None,
        "note": transfer.note,
        "validation": finalist.validation.mean if finalist else trial.score if trial else None,
        "test": finalist.test.mean if finalist else None,
        "verdict": compared.verdict if compared else None,
        "gain_over_random": compared.gain.mean if compared else None,
        "gain_low": compared.gain.low if compared else None,
        "gain_high": compared.gain.high if compared else None,
    }
