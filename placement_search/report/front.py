"""The Pareto front of a study whose score was set against a cost: its table and its picture."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from placement_search.report.curves import BASELINE_COLOUR, SEARCHED_COLOUR
from placement_search.report.findings import Findings
from placement_search.report.formats import as_count, as_score, trained_notation
from placement_search.report.pictures import ACCENT, draw_svg
from placement_search.report.tables import Column, Table
from placement_search.study.front import pareto_front
from placement_search.study.objective import TITLES, cost_of
from placement_search.study.records import TrialRecord


def front_table(findings: Findings) -> Table | None:
    """The layouts on the front, cheapest first; None where the score was all."""
    cost = findings.record.definition.cost
    if cost is None:
        return None
    rows = [
        (str(t.number), t.role, trained_notation(t), as_score(t.score),
         as_count(cost_of(t.card, cost)))
        for t in pareto_front(findings.record, cost)
        if t.card
    ]  # fmt: skip
    columns = (
        Column("trial", is_number=True),
        Column("role"),
        Column("layout", is_code=True),
        Column("score", is_number=True),
        Column(TITLES[cost], is_number=True),
    )
    return Table(columns, tuple(rows))


def draw_front(findings: Findings) -> str | None:
    """All complete trials by cost and score, with the front as a line; None without a cost."""
    record, cost = findings.record, findings.record.definition.cost
    if cost is None:
        return None

    def places(trials: list[TrialRecord]) -> tuple[list[int], list[float]]:
        cards = [trial.card for trial in trials if trial.card]
        return [cost_of(card, cost) for card in cards], [card.score for card in cards]

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        searched = [t for t in record.ranking if not t.is_baseline]
        baselines = [t for t in record.ranking if t.is_baseline]
        axes.scatter(*places(searched), s=26, color=SEARCHED_COLOUR, label="proposed")
        axes.scatter(*places(baselines), s=26, marker="D", color=BASELINE_COLOUR, label="baselines")
        front = places(pareto_front(record, cost))
        axes.step(*front, where="post", color=ACCENT, linewidth=1.8, label="Pareto front")
        axes.set(xlabel=TITLES[cost], ylabel="validation score")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: as_count(round(value))))
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, fontsize=8.5)

    described = f"Validation scores of complete trials against {TITLES[cost]}, and the front"
    return draw_svg("front", (11.0, 4.3), described, paint)
