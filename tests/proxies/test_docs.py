"""docs/proxies.md says of every proxy what it is and when to distrust it."""

from pathlib import Path

import pytest

from placement_search.evaluation.agreement import TopOverlap
from placement_search.evaluation.estimates import Estimate
from placement_search.layout_scores import AGGREGATES
from placement_search.proxies import PROXIES
from placement_search.proxies.layouts import LAYOUT_PROXIES
from placement_search.study.combined_proxy import COMBINED
from placement_search.study.correlations import ProxyCorrelation

PAGE = (Path(__file__).parents[2] / "docs" / "proxies.md").read_text(encoding="utf-8")
ABOVE, AROUND, BELOW = Estimate(0.5, 0.1, 0.8, 50), Estimate(0, -1, 1, 50), Estimate(-1, -1, -1, 50)


@pytest.mark.parametrize("name", [*PROXIES, *LAYOUT_PROXIES, *AGGREGATES, COMBINED])
def test_every_proxy_has_a_row(name: str) -> None:
    """With a formula, a cost, a source, and when to distrust it."""
    (row,) = [line for line in PAGE.splitlines() if line.startswith((f"| `{name}`", f"| {name} "))]

    assert row.replace("\\|", "").count(" | ") == 4


@pytest.mark.parametrize(
    "found",
    [
        ProxyCorrelation("x", ABOVE),
        ProxyCorrelation("x", ABOVE, within=AROUND),
        ProxyCorrelation("x", ABOVE, top=TopOverlap(AROUND, 5, 0.1, 0.5)),
        ProxyCorrelation("x", AROUND),
        ProxyCorrelation("x", BELOW, within=ABOVE),
        ProxyCorrelation("x", BELOW, within=AROUND),
        ProxyCorrelation("x", BELOW, within=Estimate(-0.2, -0.6, 0.2, 50)),
        ProxyCorrelation("x", ABOVE, within=Estimate(0.2, -0.2, 0.6, 50)),
        ProxyCorrelation("x", BELOW),
        ProxyCorrelation("x", None),
    ],
)
def test_every_verdict_is_explained(found: ProxyCorrelation) -> None:
    """In the words that the report uses."""
    assert f"| {found.verdict.partition(':')[0]} |" in PAGE
