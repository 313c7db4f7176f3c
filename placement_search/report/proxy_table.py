"""The report's table of proxies: did they predict the scores, and how stable are they."""

from placement_search.evaluation.agreement import TopOverlap
from placement_search.evaluation.estimates import Estimate
from placement_search.report.findings import Findings
from placement_search.report.formats import UNKNOWN, as_interval, as_signed
from placement_search.report.tables import Column, Table
from placement_search.study.correlations import ProxyCorrelation
from placement_search.study.map_record import ProxySpread

COLUMNS_NOTE = (
    "“Of the best tenth” is how much of a proxy's own best tenth is truly among the best, which "
    "are a tenth and all that tie with its last one; “compared” is how many the correlation is of: "
    "sets of places for what sees places alone, else layouts, each with the mean of its trials; "
    "“between batches” and “between heads” are how alike disjoint batches of examples, and other "
    "heads, rank the connections by it: 1 where it makes no difference."
)
"""What titles of the table mean that do not say it themselves."""


def proxies_table(findings: Findings) -> Table:
    """Each proxy's agreement with the scores, what that says, and how much it depends on chance.

    Variants, such as coverage in place of a sum, are left to ``report.json``.
    """
    titles = (
        "Spearman", "95 % interval", "same number of connections", "of the best tenth", "compared",
        "between batches", "between heads",
    )  # fmt: skip
    columns = (
        Column("proxy"),
        *(Column(title, is_number=True) for title in titles),
        Column("in words"),
    )
    known = findings.record.proxy_map
    spread = known.spread if known else None
    shown = (proxy for proxy in findings.correlations if not proxy.is_variant)
    return Table(columns, tuple(_row(proxy, spread) for proxy in shown))


def _row(proxy: ProxyCorrelation, spread: ProxySpread | None) -> tuple[str, ...]:
    found = proxy.correlation
    batches = spread.between_batches.get(proxy.proxy) if spread else None
    heads = spread.between_heads.get(proxy.proxy) if spread else None
    return (
        proxy.proxy.replace("_", " "),
        UNKNOWN if found is None else as_signed(found.mean),
        UNKNOWN if found is None else as_interval(found),
        _with_interval(proxy.within),
        _overlap(proxy.top),
        UNKNOWN if found is None else str(found.n),
        _agreement(batches),
        _agreement(heads),
        proxy.verdict,
    )


def _with_interval(estimate: Estimate | None) -> str:
    if estimate is None:
        return UNKNOWN
    return f"{as_signed(estimate.mean)} ({as_interval(estimate)})"


def _overlap(top: TopOverlap | None) -> str:
    if top is None:
        return UNKNOWN
    share = top.share
    return (
        f"{share.mean:.0%} ({share.low:.0%} to {share.high:.0%}) of {top.n_top}, "
        f"{top.chance:.0%} by chance"
    )


def _agreement(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:.2f}"
