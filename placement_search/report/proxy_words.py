"""The report's sentences about proxies: how far to trust them, and when to distrust them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from placement_search.evaluation.estimates import Estimate
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.report.findings import Findings
from placement_search.report.formats import as_interval, as_signed, joined
from placement_search.study.combined_proxy import (
    COMBINED,
    MIN_TRIALS,
    TRUST_BOUND,
    same_places,
)
from placement_search.study.correlations import N_PARAMETERS, ProxyCorrelation

STABLE = 0.8
"""Rank correlation between batches, or heads, below which a proxy is called unstable."""
FEW_TRIALS = 20
"""With fewer the words say that intervals are wide."""
ELSEWHERE = (
    "The sampler prefers some layouts to others, so these trials are no random draw from the "
    "space, and a correlation found here need not hold for another task or backbone."
)


def proxy_sentences(findings: Findings) -> list[str]:
    """How far this study's proxies can be trusted."""
    known = _known(findings)
    if not known:
        return _without_correlations(findings)
    return [
        *_best_sentences(known, findings),
        *distrust_sentences(findings),
        *_few_sentences(known),
        ELSEWHERE,
    ]


def closing_proxy_sentences(findings: Findings) -> list[str]:
    """For the end of a search: the highest correlation, then the main reasons to distrust it.

    The report has all of them.
    """
    known = _known(findings)
    if not known:
        return _without_correlations(findings)
    highest, *doubts = _best_sentences(known, findings)
    doubts += [
        *_unfitted_sentences(findings),
        *_size_sentences(_shown(findings)),
        *_stability_sentences(findings),
        *_few_sentences(known),
    ]
    return [highest, *(doubts or [ELSEWHERE])]


def proxy_facts(findings: Findings) -> list[dict[str, object]]:
    """How well each proxy predicted the scores, for programs; variants are in report.json."""
    return [
        {
            "proxy": each.proxy,
            "correlation": asdict(each.correlation) if each.correlation else None,
            "within_one_size": asdict(each.within) if each.within else None,
            "top": asdict(each.top) if each.top else None,
            "verdict": each.verdict,
        }
        for each in findings.correlations
        if not each.is_variant
    ]


def distrust_sentences(findings: Findings) -> list[str]:
    """What the correlations alone do not say; nothing where there are none."""
    shown = _shown(findings)
    return [
        *_unfitted_sentences(findings),
        *_combined_sentences(shown),
        *_size_sentences(shown),
        *_place_sentences(shown),
        *_stability_sentences(findings),
        *_variant_sentences(findings),
    ]


def _shown(findings: Findings) -> list[ProxyCorrelation]:
    return [each for each in findings.correlations if not each.is_variant and each.correlation]


def _known(findings: Findings) -> dict[str, Estimate]:
    """The correlations of proxies by name, without what is fitted and what is no proxy."""
    if findings.record.proxy_map is None:
        return {}
    found = {each.proxy: each.correlation for each in _shown(findings) if each.correlation}
    return {name: each for name, each in found.items() if name not in {N_PARAMETERS, COMBINED}}


def _without_correlations(findings: Findings) -> list[str]:
    if findings.record.proxy_map is None:
        return [no_map_sentence(findings)]
    return [
        "Too few admitted trials are complete, or too alike, to correlate proxies with.",
        *_unfitted_sentences(findings),
    ]


def no_map_sentence(findings: Findings) -> str:
    """Why a study has no proxy map."""
    if findings.record.definition.has_proxy_map:
        return "The study has no proxy map yet."
    return "The study was made with --no-map, so it has no proxy map."


def _best_of(known: Mapping[str, Estimate]) -> str:
    return max(known, key=lambda name: known[name].mean)


def _best_sentences(known: Mapping[str, Estimate], findings: Findings) -> Iterator[str]:
    """The highest correlation, then what there is to say against it."""
    best = _best_of(known)
    found = known[best]
    size = next((p.correlation for p in _shown(findings) if p.proxy == N_PARAMETERS), None)
    yield (
        f"The highest correlation is that of {best.replace('_', ' ')}, "
        f"{as_signed(found.mean)} ({as_interval(found)}).{_flattery(known)}"
    )
    sure = [name.replace("_", " ") for name, each in known.items() if each.low > 0]
    if not sure:
        yield "No proxy's interval lies above zero: trust none of them here."
        return
    if found.low <= 0:
        yield f"Its interval holds zero; these lie above it: {', '.join(sure)}."
    if size is not None and found.mean <= size.mean:
        yield (
            f"Over all layouts the number of parameters alone does as well "
            f"({as_signed(size.mean)}){_beyond_size(known, findings)}."
        )


def _flattery(known: Mapping[str, Estimate]) -> str:
    """That it was picked as the highest, where there were several to pick from."""
    n = len(known)
    return f" It is the highest of {n}, so it flatters, and so does its interval." if n > 1 else ""


def _beyond_size(known: Mapping[str, Estimate], findings: Findings) -> str:
    """Which proxies tell places of as many connections apart, where size tells layouts apart."""
    names = [
        each.proxy.replace("_", " ")
        for each in _shown(findings)
        if each.proxy in known and each.within and each.within.low > 0
    ]
    if not names:
        return ", so the proxies are not shown to add anything to knowing a layout's size"
    tell = "tells" if len(names) == 1 else "tell"
    return (
        f"; among layouts with the same number of connections {', '.join(names)} still {tell} "
        "better places from worse"
    )


def _few_sentences(known: Mapping[str, Estimate]) -> Iterator[str]:
    n_layouts = known[_best_of(known)].n
    if n_layouts < FEW_TRIALS:
        yield f"With {n_layouts} layouts the intervals are wide; read them with care."


def _unfitted_sentences(findings: Findings) -> Iterator[str]:
    """How many trials the combined proxy lacks, where there are some."""
    tried = [trial.layout for trial in findings.record.ranking if trial.is_eligible]
    n_places = len(same_places([parse_layout(each, MODULE_TYPES) for each in tried]))
    if findings.record.proxy_map is not None and 0 < n_places < MIN_TRIALS:
        yield (
            f"The combined proxy is not fitted: trials at {n_places} of {MIN_TRIALS} different "
            "places that it needs."
        )


def _combined_sentences(shown: Sequence[ProxyCorrelation]) -> Iterator[str]:
    for proxy in shown:
        if proxy.proxy == COMBINED and proxy.correlation:
            found = proxy.correlation
            is_worth_it = found.low > TRUST_BOUND
            yield (
                f"The combined proxy, fitted on this study's trials and judged on places that it "
                f"had not seen, correlates by {as_signed(found.mean)} ({as_interval(found)}): it "
                f"is {'' if is_worth_it else 'not '}worth using, which takes an interval above "
                f"{TRUST_BOUND}.{_combined_within(proxy)}"
            )


def _combined_within(proxy: ProxyCorrelation) -> str:
    """What to keep in mind where it is not shown to order layouts of one size."""
    within = proxy.within
    if proxy.is_unchecked:
        return (
            " It was not checked among layouts with the same number of connections: distrust it "
            "there."
        )
    if within is None or within.low > 0:
        return ""
    return (
        f" Among layouts with the same number of connections it is {as_signed(within.mean)} "
        f"({as_interval(within)}): distrust it there."
    )


def _size_sentences(shown: Sequence[ProxyCorrelation]) -> Iterator[str]:
    found = [
        each
        for each in shown
        if each.proxy not in {N_PARAMETERS, COMBINED}
        and each.correlation
        and each.correlation.low > 0
    ]
    by_size = [
        each.proxy.replace("_", " ") for each in found if each.within and each.within.low <= 0
    ]
    unchecked = [each.proxy.replace("_", " ") for each in found if each.is_unchecked]
    if by_size:
        yield (
            f"Among layouts with the same number of connections {', '.join(by_size)} "
            f"{'predicts' if len(by_size) == 1 else 'predict'} nothing for certain: distrust "
            "such a proxy when layouts of one size are compared."
        )
    if unchecked:
        yield (
            f"Among layouts with the same number of connections {joined(unchecked)} could not be "
            "checked: distrust such a proxy there."
        )


def _place_sentences(shown: Sequence[ProxyCorrelation]) -> Iterator[str]:
    by_place = [
        each.proxy.replace("_", " ")
        for each in shown
        if each.proxy not in {N_PARAMETERS, COMBINED}
        and each.within
        and each.within.low > 0
        and each.correlation
        and each.correlation.low <= 0
    ]
    if by_place:
        yield (
            f"Only among layouts with the same number of connections "
            f"{'does' if len(by_place) == 1 else 'do'} {joined(by_place)} order them as the scores "
            "do; over all layouts that is not shown."
        )


def _stability_sentences(findings: Findings) -> Iterator[str]:
    known = findings.record.proxy_map
    spread = known.spread if known else None
    if spread is None:
        return
    for what, found in (
        ("batch of examples", spread.between_batches), ("head", spread.between_heads),
    ):  # fmt: skip
        names = [name for name, value in found.items() if value is not None and value < STABLE]
        if names:
            yield (
                f"With another {what} these rank the connections differently (rank correlation "
                f"below {STABLE}): {', '.join(name.replace('_', ' ') for name in names)}."
            )


def _variant_sentences(findings: Findings) -> Iterator[str]:
    n_variants = sum(each.is_variant for each in findings.correlations)
    if n_variants:
        yield (
            f"report.json holds {n_variants} variants, the coverage of each proxy and its scores "
            "with random heads. Of so many 95 % intervals one in twenty misses by chance alone, so "
            "a single high one proves little."
        )
