"""The report's sentences: the answer, what it is worth, and what the words mean."""

from collections.abc import Sequence

from placement_search.report.choice_words import gap_sentences, how_chosen, place_among
from placement_search.report.findings import Findings
from placement_search.report.formats import (
    as_count,
    as_estimate,
    as_factor,
    as_interval,
    as_score,
    as_share,
    as_signed,
    joined,
    plural,
)
from placement_search.report.head_words import pay_sentence
from placement_search.report.latency_words import latency_sentences, too_slow
from placement_search.study.answer import Answer
from placement_search.study.comparisons import Comparison, Method
from placement_search.study.course import DATA
from placement_search.study.definition import StudyDefinition
from placement_search.study.finalists import NONE_IS_FAST, why_unanswered
from placement_search.study.records import (
    FULL_FINE_TUNING,
    SEARCHED,
    StudyRecord,
    TrialRecord,
)
from placement_search.study.starts import is_adapted, is_start


def headline(findings: Findings) -> str:
    """The whole answer in a sentence or two; where adapters are not shown to help it says so."""
    if findings.answer is None:
        return _headline_without_finals(findings)
    told = _names_by_verdict(findings.answer)
    parts = [_counted(verdict, names) for verdict, names in told.items()]
    total = sum(len(names) for names in told.values())
    chosen = findings.answer.chosen
    size = plural(len(findings.layout.connections), "connection")
    if chosen.trial.role != SEARCHED:
        what = "a layout from elsewhere" if chosen.trial.is_start else "a baseline"
        if is_adapted(chosen.trial.role):
            what = "a layout adapted from elsewhere"
        start = f"The answer is {what}, “{chosen.name}” ({size}): {place_among(findings)}"
    else:
        start = f"The search recommends a layout of {size}"
    if not total:
        return f"{start}; there is no baseline among the finalists to compare it with."
    of_all = _compared(findings.answer)
    said = f"{start}. On the test split, against {of_all}, it is {joined(parts)}."
    return f"{said} {pay_sentence(findings.answer)}".strip()


def key_figures(findings: Findings) -> list[tuple[str, str]]:
    """The recommended layout's scores and costs, each with what it is."""
    if findings.answer:
        return _figures_of_answer(findings.answer, findings)
    trial = findings.recommended
    if trial is None or trial.card is None:
        return []
    return [
        (f"validation score, {search_seeds(findings)}", as_score(trial.score)),
        _size(trial, findings),
        (
            "forward FLOPs, relative to the bare backbone's",
            as_factor(trial.card.costs.flops_factor),
        ),
    ]


def choice_sentences(findings: Findings) -> list[str]:
    """How the layout was chosen, and what to keep in mind."""
    if findings.answer is None:
        return latency_sentences(findings) + _without_finals(findings)
    sentences = how_chosen(findings.answer, findings) + latency_sentences(findings)
    if findings.has_incomplete_finals:
        sentences.append(
            "The finals are not complete: some finalists lack seeds, so this answer may change. "
            "The same command completes them."
        )
    sentences += gap_sentences(findings)
    if findings.layout.is_recurrent:
        sentences.append(
            "The layout has recurrent connections, so the backbone runs twice per example."
        )
    return sentences


def comparison_sentence(comparison: Comparison, answer: Answer) -> str:
    """What the answer gains over one baseline on the test split.

    By its trainings after the choice where there are some, and then in pairs of finals too.
    """
    name, method = comparison.name, "paired " if comparison.method is Method.PAIRED else ""
    if "random layouts" in name:
        name = f"the mean of {name}"
    size = f"{as_count(comparison.n_adapter_parameters)} parameters"
    paired = comparison.in_pairs
    by_finals = (
        f"; by the finals, in pairs, {as_signed(paired.mean)} ({as_interval(paired)})"
        if paired
        else ""
    )
    return (
        f"{_VERDICTS[comparison.verdict]} {name} ({size}): {as_signed(comparison.gain.mean)}, "
        f"{_interval(comparison, method)}; {as_score(answer.test.mean)} "
        f"against {as_score(comparison.test.mean)}{by_finals}."
    )


def _interval(comparison: Comparison, method: str) -> str:
    """The interval of a gain, or why there is none."""
    if not comparison.is_point:
        return f"{method}95 % interval {as_interval(comparison.gain)}"
    few = ", too few to tell by" if comparison.verdict == "not told apart" else ""
    same = "gain" if method else "of each gave"
    return f"without an interval, since all seeds {same} the same{few}"


def sampler_words(record: StudyRecord) -> str:
    """Where another version of the sampler took over from the one that began the study, if any."""
    n_trials = len(record.trials)
    later = [first for first in sorted(record.sampler_versions) if 0 < first < n_trials]
    if not later:
        return ""
    changes = joined([f"trial {first}" for first in later])
    return f" (from {changes} on by another version of it, which may propose otherwise)"


def course_words(asked: StudyDefinition) -> str:
    """What a trial consists of, where it is more than one training; begins with a comma."""
    if asked.fidelity == DATA:
        return ", over parts of the training data: a ninth, a third, all"
    if asked.replicates > 1:
        return f", over the mean of {asked.replicates} seeds per trial"
    return ""


_COUNTED = {
    "better": "better than",
    "not told apart": "not told apart from",
    "worse": "worse than",
}
_VERDICTS = {
    "better": "Better than",
    "not told apart": "Not told apart from",
    "worse": "Worse than",
}


def _names_by_verdict(answer: Answer) -> dict[str, list[str]]:
    told: dict[str, list[str]] = {verdict: [] for verdict in _COUNTED}
    for comparison in answer.comparisons:
        told[comparison.verdict].append(comparison.name)
    return {verdict: names for verdict, names in told.items() if names}


def _compared(answer: Answer) -> str:
    """How many the answer is compared with, and what they are."""
    names = [comparison.name for comparison in answer.comparisons]
    n_starts, n_full = sum(map(is_start, names)), names.count(FULL_FINE_TUNING)
    n_baselines = len(names) - n_starts - n_full
    parts = [plural(n_baselines, "baseline")] if n_baselines else []
    n_adapted = sum(map(is_adapted, names))
    said = f" ({n_adapted} of them adapted)" if n_adapted else ""
    parts += [f"{plural(n_starts, 'layout')} from elsewhere{said}"] if n_starts else []
    return joined(parts + [FULL_FINE_TUNING] * n_full)


def _counted(verdict: str, names: Sequence[str]) -> str:
    """How many, and which unless the answer is better."""
    counted = f"{_COUNTED[verdict]} {len(names)}"
    return counted if verdict == "better" else f"{counted} ({'; '.join(names)})"


def search_seeds(findings: Findings) -> str:
    """How many seeds stand behind a score of the search."""
    n_seeds = findings.record.definition.replicates
    return "one seed" if n_seeds == 1 else plural(n_seeds, "seed")


def _headline_without_finals(findings: Findings) -> str:
    trial = findings.recommended
    if trial is None and too_slow(findings):
        return "Every complete layout that the budget admits is slower, measured, than it allows."
    if trial is None:
        return "No layout that the space and the budget admit is complete yet."
    return (
        "There is no final answer yet; the best layout so far scored "
        f"{as_score(trial.score)} on the validation split with {search_seeds(findings)}."
    )


def _without_finals(findings: Findings) -> list[str]:
    n_admitted = sum(trial.is_eligible for trial in findings.record.ranking)
    if not n_admitted:
        return ["Only baselines outside the search space are complete; continue the study."]
    if findings.recommended is None:
        return ["More trials, or another --max-latency, may find one that is fast enough."]
    reason = why_unanswered(findings.record)
    cure = " More --finalists may find one that is." if reason == NONE_IS_FAST else ""
    return [
        (
            f"There is no final answer since {reason}, so the layout shown is the incumbent: the "
            f"admitted trial with the best validation score.{cure}"
        ),
        (
            "That score is optimistic: it is the best of "
            f"{plural(n_admitted, 'score')}, each from {search_seeds(findings)}, and luck is part "
            "of what made it the best."
        ),
    ]


def _figures_of_answer(answer: Answer, findings: Findings) -> list[tuple[str, str]]:
    chosen, seeds = answer.chosen, plural(answer.test.n, "seed")
    over, same = seeds, "the same seeds"
    if answer.n_confirming:
        over, same = f"{seeds} after the choice", f"the {plural(len(chosen.cards), 'seed')} before"
    return [
        (f"test score, mean and 95 % interval over {over}", as_estimate(answer.test)),
        (f"validation score over {same}", as_estimate(chosen.validation)),
        _size(chosen.trial, findings),
        ("forward FLOPs, relative to the bare backbone's", as_factor(chosen.costs.flops_factor)),
        ("latency, relative to the bare backbone's", as_factor(chosen.costs.latency_factor)),
    ]


def _size(trial: TrialRecord, findings: Findings) -> tuple[str, str]:
    n_parameters = trial.n_adapter_parameters
    share = as_share(n_parameters, findings.record.definition.backbone.n_parameters)
    what = f"trainable parameters of the adapters, {share} of the backbone's"
    return what, as_count(n_parameters)
