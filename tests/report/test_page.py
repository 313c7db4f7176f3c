import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from placement_search.proxies.layouts import LAYOUT_PROXIES
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.page import as_html
from placement_search.study.combined_proxy import COMBINED
from placement_search.study.records import StudyRecord

VOID = {"meta", "br", "wbr", "img", "hr", "link", "input"}


class Reader(HTMLParser):
    """Keeps ids and resources, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.resources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Called for each opening tag."""
        if tag not in VOID:
            self.open.append(tag)
        self._keep(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002
        """Called for each tag that closes itself."""
        self._keep(attrs)

    def handle_endtag(self, tag: str) -> None:
        """Called for each closing tag."""
        assert self.open.pop() == tag

    def _keep(self, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href"}:
                self.resources.append(value or "")


@pytest.fixture
def page(written: Path) -> str:
    return (written / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_page_needs_nothing_beside_itself(page: str) -> None:
    """Every link points into the page or holds its own data; styles load nothing."""
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in reader.resources)
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []
    assert "<script" not in page


@pytest.mark.slow
def test_ids_are_unique_and_links_find_them(page: str) -> None:
    """Pictures of one page don't take each other's parts."""
    reader = Reader()
    reader.feed(page)
    assert len(reader.ids) == len(set(reader.ids))
    assert {r[1:] for r in reader.resources if r.startswith("#")} <= set(reader.ids)
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(reader.ids)


@pytest.mark.slow
def test_names_can_not_run_code(record: StudyRecord) -> None:
    """A study's name and a reason are text, never markup."""
    name = "<script>alert('x')</script>"
    page = as_html(gather_findings(replace(record, name=name)))
    assert "<script" not in page
    assert "<h1>&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;</h1>" in page
    assert "RuntimeError: &lt;b&gt;loss&lt;/b&gt; | is nan" in page


@pytest.mark.slow
def test_every_section_is_there(page: str) -> None:
    """All that a report promises has its place on the page, the answer first."""
    titles = re.findall(r"<h2[^>]*>([^<]+)</h2>", page)
    assert titles == [
        "The answer",
        "What the words mean",
        "Finalists",
        "Search history",
        "Score against trainable parameters",
        "Heat maps: every pair of nodes",
        "Proxies: did they predict the scores?",
        "Ranking of all trials",
        "How the trials ended",
        "Costs of the search",
        "How to repeat it",
    ]
    assert page.count("<figure>") == 6
    assert "no causal effect" in page


@pytest.mark.slow
def test_every_verdict_has_a_colour(page: str) -> None:
    """A chip's class is its verdict."""
    chips = re.findall(r'class="chip ([a-z-]+)"', page)

    assert set(chips) == {"better", "not-told-apart"}
    assert all(f".{chip} {{ color: " in page for chip in chips)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LAYOUT_PROXIES, COMBINED])
def test_what_is_no_sum_is_told(page: str, name: str) -> None:
    """Most rows of the table of proxies are sums over connections, these are not."""
    (said,) = re.findall(r"[^.]* are no sums but score a layout as a whole", page)

    assert name.replace("_", " ") in said


@pytest.mark.slow
def test_an_unfinished_study_has_a_page(unfinished: StudyRecord) -> None:
    """Without finals and proxy map the page says so and shows the rest."""
    page = as_html(gather_findings(replace(unfinished, proxy_map=None)))
    assert "The study has no proxy map yet." in page
    assert 'id="finalists"' not in page
    assert "The incumbent" in page


@pytest.mark.slow
def test_a_page_of_many_trials_stays_small(large_findings: Findings) -> None:
    """10,000 trials fit into less than a megabyte."""
    assert len(as_html(large_findings).encode()) < 1_000_000
