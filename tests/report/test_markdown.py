from dataclasses import replace

from placement_search.report.findings import gather_findings
from placement_search.report.markdown import as_markdown, code, escaped, markdown_table
from placement_search.report.tables import Column, Table
from placement_search.study.records import StudyRecord


def test_names_can_not_format_the_text() -> None:
    """Marks of Markdown and HTML in a name are shown as they are."""
    assert escaped("<b>*a*_b_`c`|d\n#e") == r"\<b\>\*a\*\_b\_\`c\`\|d \#e"
    assert code("a`b\nc") == "`a'b c`"


def test_cells_can_not_break_their_table() -> None:
    """A bar in a cell stays in it, in code too."""
    table = Table((Column("a|b"), Column("n", is_code=True, is_number=True)), (("x|y", "1|2"),))
    assert markdown_table(table) == "| a\\|b | n |\n| --- | ---: |\n| x\\|y | `1\\|2` |"


def test_the_answer_comes_first(record: StudyRecord) -> None:
    """Sections stand in the order in which a reader needs them."""
    text = as_markdown(gather_findings(record))
    titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "The answer",
        "What the words mean",
        "Finalists",
        "Ranking of all trials",
        "Proxies",
        "How the trials ended",
        "Costs of the search",
        "How to repeat it",
    ]
    assert record.command in text


def test_titles_that_do_not_explain_themselves_are_explained(record: StudyRecord) -> None:
    """In one line above the table of proxies."""
    _, _, section = as_markdown(gather_findings(record)).partition("## Proxies\n\n")
    line, _, table = section.partition("\n\n")

    for title in ("of the best tenth", "between batches", "between heads"):
        assert f"“{title}”" in line.lower()
        assert f"| {title} |" in table


def test_a_study_of_references_alone_is_told(unfinished: StudyRecord) -> None:
    """Without a layout to recommend the report still has its tables."""
    findings = gather_findings(replace(unfinished, trials=unfinished.trials[:2]))
    text = as_markdown(findings)
    assert "No layout that the space and the budget admit is complete yet." in text
    assert "## Finalists" not in text
