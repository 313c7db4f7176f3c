"""How a report says that the answer was chosen: from which layouts, and by which rule."""

from placement_search.report.findings import WITH_REASON, Findings, reason_line
from placement_search.report.formats import as_count, as_estimate, joined, plural
from placement_search.report.head_words import rule_sentences
from placement_search.study.answer import MIN_SEEDS, Answer, Finalist, unconfirmed_seeds
from placement_search.study.gaps import gaps_of
from placement_search.study.objective import TITLES
from placement_search.study.records import (
    CONFIRMATION,
    FINALIST,
    SEARCHED,
    StudyRecord,
    TrialEnd,
    TrialRecord,
)
from placement_search.study.starts import is_start


def place_among(findings: Findings) -> str:
    """What puts an answer first that the search did not propose."""
    if len(_candidates(findings)) == 1:
        return f"it is the only finalist that {_may_be_chosen(findings)}"
    return "by score and size it comes before all other admitted finalists"


def how_chosen(answer: Answer, findings: Findings) -> list[str]:
    """Who took part in the finals, who could be chosen, by which rule, and what was not read."""
    sentences = [_retrained(findings), *_missing(findings), *_rule(answer, findings)]
    sentences += [*rule_sentences(findings), _confirmed(answer, findings.record)]
    if findings.record.definition.is_paired:
        by_finals = ", by the finals," if answer.n_confirming else ""
        sentences.append(
            "The same seed number shows all finalists the examples in the same order, so single "
            f"layouts are compared{by_finals} by the differences of their seeds, in pairs."
        )
    sentences.append(
        "The test split took no part in the choice; it was read once for each layout and seed, "
        f"after its training: {as_count(findings.n_test_reads)} times in all."
    )
    return sentences


_WHERE = {
    FINALIST: "in the finals, which judge it by its others",
    CONFIRMATION: "in the trainings after the choice",
}


def gap_sentences(findings: Findings) -> list[str]:
    """Which retrainings gave no score, and why; they would give none again."""
    record = findings.record
    return [
        f"Seed {replicate} of {record.trial_of(layout_id).name} gave no score {where}: "
        f"{reason_line(why).removesuffix('.')}."
        for kind, where in _WHERE.items()
        for (layout_id, replicate), why in sorted(gaps_of(record.gaps, kind).items())
    ]


def _confirmed(answer: Answer, record: StudyRecord) -> str:
    """Whether the luck of being chosen is in what is told of the answer."""
    n_seeds = record.goal.n_seeds
    missing = unconfirmed_seeds(record, answer.chosen.trial)
    if answer.n_confirming:
        seeds = plural(answer.n_confirming, "new seed")
        some = f" Of {n_seeds} such trainings {len(missing)} are missing, so this may change: the "
        fewer = f"{some}same command goes on with them." if missing else ""
        return (
            f"The answer alone was then trained again with {seeds}: what is told of it on the test "
            "split, and how it compares, is of these, since the luck of its finals is part of why "
            f"it was chosen; gains by the finals stand beside.{fewer}"
        )
    luck = (
        "What is told of it on the test split is of its finals, whose luck is part of why it was "
        "chosen, so it is somewhat flattered; "
    )
    if missing:
        return f"{luck}the same command trains it again with new seeds."
    return f"{luck}trainings with new seeds gave fewer than {MIN_SEEDS} scores."


def _retrained(findings: Findings) -> str:
    best = "the best trials"
    if findings.record.definition.cost is not None:
        best = "proposals spread along the search's Pareto front, from the dearest to the cheapest,"
    others = "all complete baselines" + (
        " and layouts from elsewhere" if findings.transfers else ""
    )
    seeds = plural(findings.record.goal.n_seeds, "fresh seed")
    return f"How it was chosen: {best} and {others} were retrained with {seeds} each."


def _missing(findings: Findings) -> list[str]:
    """Which baselines did not take part, and why; none where all did."""
    record = findings.record
    complete = {trial.layout_id for trial in record.ranking}
    lasts = {t.role: t for t in record.trials if t.role != SEARCHED}
    open_ = [t for t in lasts.values() if t.layout_id not in complete]
    told = [f"{trial.role} ({_why_missing(trial)})" for trial in open_]
    queued = {trial.role for trial in record.trials}
    told += [
        f"{role} ({reason_line(note)})"
        for role, note in sorted(record.queue_notes.items())
        if role not in queued and not is_start(role)
    ]
    return [f"Not among them: {'; '.join(told)}."] if told else []


def _why_missing(trial: TrialRecord) -> str:
    if trial.end in WITH_REASON:
        return f"{trial.end.value}: {reason_line(trial.reason)}"
    return "pruned" if trial.end is TrialEnd.PRUNED else "not reached yet"


def _rule(answer: Answer, findings: Findings) -> list[str]:
    candidates, best = _candidates(findings), answer.best
    if len(candidates) == 1:
        return [f"It is the only finalist that {_may_be_chosen(findings)}."]
    said = (
        f"Among the {len(candidates)} finalists that {_may_be_chosen(findings)}, the answer is the "
        f"one with the {_fewest(findings)} whose mean validation score lies within one standard "
        "error of the best; of equally small ones the best of those whose FLOPs are the fewest, to "
        "within a tenth of the bare backbone's."
    )
    if best is answer.chosen:
        return [said, "Here that is the best one itself."]
    mean, size = as_estimate(best.validation), as_count(best.trial.n_adapter_parameters)
    return [said, f"The best mean was {mean} with {size} parameters."]


def _candidates(findings: Findings) -> list[Finalist]:
    """The finalists that could be chosen."""
    return [f for f in findings.finalists if f.is_admitted and f.is_comparable]


def _may_be_chosen(findings: Findings) -> str:
    """What they have in common; their seeds are told where another one lacks them."""
    conditions = ["space and budget admit"]
    if any(f.is_admitted and not f.is_comparable for f in findings.finalists):
        conditions.append(f"that had at least {MIN_SEEDS} seeds")
    return joined(conditions)


def _fewest(findings: Findings) -> str:
    """What decides among the layouts that are about as good as the best."""
    cost = findings.record.definition.cost
    if cost in {None, "parameters"}:
        return "fewest parameters"
    return f"fewest {TITLES[str(cost)]}, then the fewest parameters,"
