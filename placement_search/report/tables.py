"""The report's tables as plain text, for Markdown and HTML alike."""

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from placement_search.evaluation.estimates import mean_estimate
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.report.findings import Findings, RankedTrial, reason_line
from placement_search.report.formats import (
    UNKNOWN,
    as_count,
    as_estimate,
    as_factor,
    as_score,
    as_seconds,
    plural,
    trained_notation,
)
from placement_search.report.words import course_words, sampler_words
from placement_search.space.training import TrainingChoice
from placement_search.study.answer import Finalist
from placement_search.study.random_gain import references_alike
from placement_search.study.records import ReferenceRecord, TrialEnd, TrialRecord

SHOWN_TRIALS = 200
SHOWN_FAILURES = 20
WITH_TABLE = "; trials.csv holds them with more columns."


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its title, and whether it holds numbers, or notation to be set as code."""

    title: str
    is_number: bool = False
    is_code: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text under columns; every row has as many cells as there are columns."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[str, ...], ...]


def connections_table(findings: Findings) -> Table:
    """The recommended layout, one connection a row, its two nodes in words."""
    nodes = findings.nodes
    rows = [
        (
            f"{c.source}>{c.target}",
            c.kind.value.replace("_", "-"),
            nodes[c.source].title,
            nodes[c.target].title,
            c.module.notation,
        )
        for c in findings.layout.connections
    ]
    columns = (
        Column("connection", is_code=True),
        Column("kind"),
        Column("reads the state at"),
        Column("adds to the state at"),
        Column("module", is_code=True),
    )
    return Table(columns, tuple(rows))


def finalists_table(findings: Findings) -> Table:
    """Every retrained layout, then the references, with scores over seeds and costs."""
    columns = (
        Column("role"),
        Column("layout", is_code=True),
        Column("admitted"),
        *_numbers("parameters", "validation", "test", "seeds", "FLOPs", "latency", "train seconds"),
    )
    rows = [_finalist_row(finalist) for finalist in findings.finalists]
    return Table(columns, (*rows, *_reference_rows(findings)))


def ranking_table(findings: Findings, limit: int = SHOWN_TRIALS) -> Table:
    """The first ``limit`` trials: complete ones by score, then the others by number."""
    columns = (
        *_numbers("rank", "trial"),
        Column("role"),
        Column("layout", is_code=True),
        *_numbers("score", "parameters", "FLOPs", "train seconds"),
        Column("admitted"),
        Column("end"),
    )
    return Table(columns, tuple(_trial_row(ranked) for ranked in findings.trials[:limit]))


def ends_table(findings: Findings) -> Table:
    """How many trials ended in each way."""
    meanings = {
        TrialEnd.COMPLETE: "trained to the last epoch and scored",
        TrialEnd.PRUNED: "stopped early, since it lagged behind earlier trials",
        TrialEnd.FAILED: "stopped by a bug or by the machine, or its training diverged",
        TrialEnd.INFEASIBLE: "did not fit the budget or the memory",
        TrialEnd.RUNNING: "under way, or interrupted; it runs again when the study continues",
        TrialEnd.WAITING: "still in the queue",
    }
    counts = Counter(trial.end for trial in findings.record.trials)
    rows = [(end.value, as_count(counts[end]), meaning) for end, meaning in meanings.items()]
    return Table((Column("end"), *_numbers("trials"), Column("meaning")), tuple(rows))


def failures_table(findings: Findings, limit: int = SHOWN_FAILURES) -> Table:
    """The first ``limit`` trials that failed or were infeasible, each with its reason's line."""
    rows = [
        (str(t.number), t.role, trained_notation(t), t.end.value, reason_line(t.reason))
        for t in findings.failures[:limit]
    ]
    columns = (
        *_numbers("trial"),
        Column("role"),
        Column("layout", is_code=True),
        Column("end"),
        Column("reason"),
    )
    return Table(columns, tuple(rows))


def costs_table(findings: Findings) -> Table:
    """What the search itself took."""
    record = findings.record
    trials = [trial.card for trial in record.trials if trial.card]
    finals = [final.card for final in record.finals]
    rows = [_scored_row("complete trials", trials), _scored_row("retrainings of finalists", finals)]
    rows.insert(1, _unscored_row("pruned trials", record.ended(TrialEnd.PRUNED)))
    rows.insert(2, _unscored_row("failed and infeasible trials", findings.failures))
    again = [confirmation.card for confirmation in record.confirmations]
    references = [reference.card for reference in findings.own_references]
    rows += [
        _scored_row(what, cards)
        for what, cards in (
            ("trainings of the answer after the choice", again),
            ("references, chosen from and compared with", references),
        )
        if cards
    ]
    if record.proxy_map:
        examples = f"proxy map, from {as_count(record.proxy_map.n_examples)} examples"
        rows.append((examples, "1", as_seconds(record.proxy_map.seconds), UNKNOWN))
    if switches := record.switches:
        named = f"switches of {as_count(len(switches.keep))} connections, trained at once"
        rows.append((named, "1", as_seconds(switches.seconds), as_count(switches.n_steps)))
    columns = (Column("what"), *_numbers("runs", "seconds", "optimizer steps"))
    return Table(columns, tuple(rows))


def _scored_row(what: str, cards: Sequence[ScoreCard]) -> tuple[str, str, str, str]:
    seconds = math.fsum(card.train_seconds for card in cards)
    n_steps = sum(card.n_steps for card in cards)
    return what, as_count(len(cards)), as_seconds(seconds), as_count(n_steps)


def _unscored_row(what: str, trials: Sequence[TrialRecord]) -> tuple[str, str, str, str]:
    """What trials without a score card took; a dash where some did not count it."""
    seconds = [trial.seconds for trial in trials if trial.seconds is not None]
    steps = [trial.n_steps for trial in trials if trial.n_steps is not None]
    return (
        what,
        as_count(len(trials)),
        as_seconds(math.fsum(seconds)) if len(seconds) == len(trials) else UNKNOWN,
        as_count(sum(steps)) if len(steps) == len(trials) else UNKNOWN,
    )


def facts_table(findings: Findings) -> Table:
    """What was searched: backbone, data, space, training and the study's own choices."""
    record, asked = findings.record, findings.record.definition
    backbone, plan, space = asked.backbone, asked.training, asked.space
    kinds = ", ".join(str(kind).replace("_", "-") for kind in space.get("kinds", ()))
    count = space.get("connections", {})
    rows = (
        ("backbone", f"{backbone.id} ({backbone.architecture}, {backbone.model_type})"),
        ("backbone size", (f"{backbone.n_blocks} blocks, width {backbone.width}, "
         f"{as_count(backbone.n_parameters)} parameters, all frozen")),
        ("backbone revision", backbone.revision or "none, not from the hub"),
        ("backbone fingerprint", backbone.fingerprint),
        ("device and dtype", f"{asked.device}, {backbone.dtype}"),
        ("pooling", _pooling(findings)),
        ("data", findings.data_name),
        *(("", note) for note in findings.record.notes),
        *findings.record.queue_notes.items(),
        ("data fingerprint", asked.data_fingerprint),
        ("metric", f"{asked.metric}, {'higher' if asked.is_higher_better else 'lower'} is better"),
        ("search space", f"{space.get('name', asked.space_file)}: {space.get('description', '')}"),
        ("kinds of connection", kinds or UNKNOWN),
        (_counted(space), (f"{count.get('at_least', UNKNOWN)} to "
         f"{count.get('at_most', UNKNOWN)}")),
        ("budget of a layout", asked.budget or "no limit"),
        ("sampler and pruner", (f"{asked.sampler}{sampler_words(record)}, "
         f"{asked.pruner}{course_words(asked)}")),
        *([("switches", record.switches.words)] if record.switches else ()),
        ("seed", str(asked.seed)),
        ("training", (f"{plural(plan.epochs, 'epoch')}, "
         f"{plural(plan.n_reports, 'validation score')}, "
         f"batch size {plan.batch_size}, learning rate {plan.learning_rate:g}, "
         f"weight decay {plan.weight_decay:g}, warm-up over {plan.warm_up:.0%} of the steps"
         f"{_dropping(plan)}")),
        ("training that the space says", asked.space_training or "nothing of its own"),
    )  # fmt: skip
    return Table((Column("what"), Column("value")), rows)


def _counted(space: Mapping[str, Any]) -> str:
    """What the space's ``connections`` count: what comes together counts as one there."""
    is_grouped = space.get("tied") or space.get("symmetric")
    return "groups of connections per layout" if is_grouped else "connections per layout"


def versions_table(findings: Findings) -> Table:
    """Package versions and platform, by name."""
    rows = tuple(sorted(findings.record.provenance.items()))
    return Table((Column("package"), Column("version")), rows)


def ranking_note(findings: Findings, limit: int = SHOWN_TRIALS) -> str:
    """What part of all trials the ranking shows."""
    total = len(findings.trials)
    if total <= limit:
        return f"All {as_count(total)} trials{WITH_TABLE}"
    return f"The first {limit} of {as_count(total)} trials; trials.csv holds all of them."


def _pooling(findings: Findings) -> str:
    pooling = findings.record.pooling
    if pooling is None:
        return UNKNOWN
    if not pooling.scores:
        return pooling.pooling
    compared = ", ".join(f"{name} {as_score(score)}" for name, score in pooling.scores.items())
    return f"{pooling.pooling}, by the head probe's validation score ({compared})"


def _dropping(plan: TrainingPlan) -> str:
    most = plan.drop_lowest
    return f", without up to {most} of the lowest targets in each pass" if most else ""


def _numbers(*titles: str) -> tuple[Column, ...]:
    return tuple(Column(title, is_number=True) for title in titles)


def _finalist_row(finalist: Finalist) -> tuple[str, ...]:
    costs = finalist.costs
    return (
        finalist.trial.role,
        _finalist_notation(finalist),
        "no, too slow" if _is_only_slow(finalist) else _yes(is_so=finalist.is_admitted),
        as_count(finalist.trial.n_adapter_parameters),
        as_estimate(finalist.validation),
        as_estimate(finalist.test),
        str(len(finalist.cards)),
        as_factor(costs.flops_factor),
        as_factor(costs.latency_factor),
        as_seconds(_median_seconds(finalist.cards)),
    )


def _reference_rows(findings: Findings) -> Iterator[tuple[str, ...]]:
    """One row per reference that something is compared with, each seed of it once."""
    for role, held in _references_by_role(findings):
        group = list({reference.replicate: reference for reference in held}.values())
        cards = [reference.card for reference in group]
        tests = [card.test_score for card in cards if card.test_score is not None]
        yield (
            role,
            trained_notation(group[0], 1) if group[0].layout else UNKNOWN,
            "reference",
            as_count(cards[0].costs.n_adapter_parameters),
            as_estimate(mean_estimate([card.score for card in cards])),
            as_estimate(mean_estimate(tests)) if tests else UNKNOWN,
            str(len(cards)),
            as_factor(cards[0].costs.flops_factor),
            as_factor(cards[0].costs.latency_factor),
            as_seconds(_median_seconds(cards)),
        )


def _references_by_role(findings: Findings) -> Iterator[tuple[str, list[ReferenceRecord]]]:
    """Trainings of the backbone, then of the random layouts of each compared layout's size.

    A random layout stands once, for the first that is compared with it.
    """
    record = findings.record
    whole = [r for r in record.references if not r.layout and r.replicate]
    for role in dict.fromkeys(reference.role for reference in whole):
        yield role, [reference for reference in whole if reference.role == role]
    starts = [(f" as “{t.role}”", t.finalist.trial) for t in findings.transfers if t.finalist]
    ours = [("", findings.answer.chosen.trial)] if findings.answer else []
    shown: set[tuple[str, TrainingChoice]] = set()
    for suffix, trial in ours + starts:
        alike: dict[tuple[str, TrainingChoice], list[ReferenceRecord]] = {}
        for reference in references_alike(record, trial):
            alike.setdefault((reference.layout, reference.training), []).append(reference)
        for known, held in alike.items():
            if known not in shown:
                yield f"{held[0].role}{suffix}", held
        shown |= alike.keys()


def _median_seconds(cards: Sequence[ScoreCard]) -> float:
    return statistics.median(card.train_seconds for card in cards)


def _trial_row(ranked: RankedTrial) -> tuple[str, ...]:
    trial, card = ranked.trial, ranked.trial.card
    return (
        UNKNOWN if ranked.rank is None else str(ranked.rank),
        str(trial.number),
        trial.role,
        trained_notation(trial),
        as_score(trial.score),
        as_count(trial.n_adapter_parameters),
        as_factor(card.costs.flops_factor if card else None),
        as_seconds(trial.seconds),
        _yes(is_so=trial.is_eligible),
        trial.end.value,
    )


def _is_only_slow(finalist: Finalist) -> bool:
    return finalist.trial.is_eligible and finalist.is_too_slow


def _yes(*, is_so: bool) -> str:
    return "yes" if is_so else "no"


def _finalist_notation(finalist: Finalist) -> str:
    """Baselines have a name; their connections stand in the ranking."""
    trial = finalist.trial
    return trained_notation(trial, 1) if trial.is_baseline else trained_notation(trial)
