"""The gain over random layouts at equal budget in plain words, also where there is none to tell."""

from placement_search.report.findings import Findings
from placement_search.report.formats import as_interval, as_signed
from placement_search.study.comparisons import Comparison
from placement_search.study.finalists import why_unanswered
from placement_search.study.random_gain import RandomGain, is_random


def random_sentence(findings: Findings) -> str:
    """What choosing the places gained over placing the same adapters at random, in one sentence.

    One more where random layouts are missing, or lack seeds.
    """
    if findings.answer is None:
        why = why_unanswered(findings.record)
        return f"The gain over random layouts of the same size was not measured: {why}."
    gain = findings.answer.random
    if gain.comparison is None:
        return f"The gain over random layouts of the same size was not measured: {gain.reason}."
    said = f"{_OUTCOMES[gain.comparison.verdict]}: {against_random(gain, gain.comparison)}"
    if is_random(findings.answer.chosen.trial):
        said += "; the answer is itself a random layout, picked as the best of several"
    return " ".join(filter(None, [f"{said}.", gap_sentence(gain)]))


def gap_sentence(gain: RandomGain) -> str:
    """That a gain rests on fewer references than asked for, and why; empty where it does not."""
    if gain.comparison is None:
        return ""
    if gain.lacks_seeds:
        gaps = f"{gain.n_gaps} trainings gave no score, and " if gain.n_gaps else ""
        return (
            f"These references are not complete, {gain.seeds_wanted} seeds each were asked for, so "
            f"the gain may change: {gaps}the same command goes on with those that were not tried."
        )
    asked = f"{gain.n_wanted} random layouts were asked for"
    if gain.lacks_layouts and gain.is_all_there_is:
        return f"{asked}: draws found no more of this size in the space."
    if gain.lacks_layouts:
        return (
            f"{asked}: their training was interrupted or gave no score, or an earlier version did "
            "not draw them; the same command goes on with what was not tried, as far as the space "
            "has more."
        )
    return ""


def interval_sentence(findings: Findings) -> str:
    """What the interval of that gain covers; empty where it was not measured."""
    gain = findings.answer.random if findings.answer else None
    if gain is None or gain.comparison is None:
        return ""
    return (
        f"These random layouts have the answer's modules at other places of the space. Each counts "
        f"once, with its mean over {_seeds(gain)}, since its seeds share its places; the interval "
        "is Welch's at 95 % and covers the luck of drawing them and of the answer's own seeds, so "
        "that more of them (--n-random) make it narrower."
    )


def random_facts(findings: Findings) -> dict[str, object]:
    """The same for programs."""
    gain = findings.answer.random if findings.answer else None
    compared = gain.comparison if gain else None
    return {
        "is_measured": compared is not None,
        "verdict": compared.verdict if compared else None,
        "gain": compared.gain.mean if compared else None,
        "gain_low": compared.gain.low if compared else None,
        "gain_high": compared.gain.high if compared else None,
        "n_random_layouts": gain.n_layouts if gain else 0,
        "n_seeds": gain.n_seeds if gain else 0,
        "most_seeds": gain.most_seeds if gain else 0,
        "is_complete": gain is not None and not (gain.lacks_seeds or gain.lacks_layouts),
        "in_words": random_sentence(findings),
    }


def against_random(gain: RandomGain, compared: Comparison) -> str:
    """The numbers of a gain that was measured."""
    return (
        f"{as_signed(compared.gain.mean)} on the test split, 95 % interval "
        f"{as_interval(compared.gain)}, against the mean of {gain.n_layouts} random layouts of the "
        f"same size with {_seeds(gain)} each"
    )


_OUTCOMES = {
    "better": "Choosing the places paid, the answer is better than random layouts of its size",
    "not told apart": (
        "No gain over random layouts of the same size is shown, the same adapters placed at random "
        "may have done as well (the interval does not tell)"
    ),
    "worse": (
        "Choosing the places did harm, the answer is worse than random layouts of its size, one of "
        "which would be the better choice"
    ),
}


def _seeds(gain: RandomGain) -> str:
    if gain.n_seeds != gain.most_seeds:
        return f"{gain.n_seeds} to {gain.most_seeds} seeds"
    return "one seed" if gain.n_seeds == 1 else f"{gain.n_seeds} seeds"
