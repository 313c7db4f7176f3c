"""The report's sentences about proxies beyond their correlations: when to distrust them."""

from collections.abc import Iterator, Sequence

from placement_search.report.findings import Findings
from placement_search.report.formats import as_interval, as_signed
from placement_search.study.combined_proxy import COMBINED, TRUST_BOUND
from placement_search.study.correlations import N_PARAMETERS, ProxyCorrelation

STABLE = 0.8
"""Rank correlation between batches, or heads, below which a proxy is called unstable."""


def distrust_sentences(findings: Findings) -> list[str]:
    """What the correlations alone do not say; nothing where there are none."""
    shown = [each for each in findings.correlations if not each.is_variant and each.correlation]
    return [
        *_combined_sentences(shown),
        *_size_sentences(shown),
        *_place_sentences(shown),
        *_stability_sentences(findings),
        *_variant_sentences(findings),
    ]


def _combined_sentences(shown: Sequence[ProxyCorrelation]) -> Iterator[str]:
    for proxy in shown:
        if proxy.proxy == COMBINED and proxy.correlation:
            found = proxy.correlation
            is_worth_it = found.low > TRUST_BOUND
            yield (
                f"The combined proxy, fitted on this study's trials and judged on trials that it "
                f"had not seen, correlates by {as_signed(found.mean)} ({as_interval(found)}): it "
                f"is {'' if is_worth_it else 'not '}worth using, which takes an interval above "
                f"{TRUST_BOUND}."
            )


def _size_sentences(shown: Sequence[ProxyCorrelation]) -> Iterator[str]:
    by_size = [
        each.proxy.replace("_", " ")
        for each in shown
        if each.proxy not in {N_PARAMETERS, COMBINED}
        and each.correlation
        and each.correlation.low > 0
        and each.within
        and each.within.low <= 0
    ]
    if by_size:
        yield (
            f"Among layouts with the same number of connections {', '.join(by_size)} "
            f"{'predicts' if len(by_size) == 1 else 'predict'} nothing for certain: distrust "
            "such a proxy when layouts of one size are compared."
        )


def _place_sentences(shown: Sequence[ProxyCorrelation]) -> Iterator[str]:
    by_place = [
        each.proxy.replace("_", " ")
        for each in shown
        if each.within and each.within.low > 0 and each.correlation and each.correlation.low <= 0
    ]
    if by_place:
        yield (
            f"Only among layouts with the same number of connections is there something in "
            f"{', '.join(by_place)}: over all layouts their sums follow size, which did not help "
            "here."
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
