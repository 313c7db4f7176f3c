"""The Pareto front of a study whose score was set against a cost: its table and its picture."""

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from placement_search.report.curves import groups
from placement_search.report.findings import Findings
from placement_search.report.formats import (
    as_count,
    as_estimate,
    as_score,
    trained_notation,
)
from placement_search.report.pictures import ACCENT, draw_svg
from placement_search.report.tables import Column, Table
from placement_search.study.answer import Finalist
from placement_search.study.front import admitted_front
from placement_search.study.objective import TITLES, cost_of
from placement_search.study.records import TrialRecord


def front_table(findings: Findings) -> Table | None:
    """The layouts on the front, cheapest first; None where the score was all."""
    cost = findings.record.definition.cost
    if cost is None:
        return None
    retrained = {f.trial.layout_id: f for f in findings.finalists if f.is_comparable}
    rows = [
        (str(t.number), t.role, trained_notation(t), as_score(t.score),
         as_count(cost_of(t.card, cost)), *_in_finals(retrained.get(t.layout_id)))
        for t in admitted_front(findings.record, cost)
        if t.card
    ]  # fmt: skip
    columns = (
        Column("trial", is_number=True),
        Column("role"),
        Column("layout", is_code=True),
        Column("score", is_number=True),
        Column(TITLES[cost], is_number=True),
        Column("validation, retrained", is_number=True),
        Column("test, retrained", is_number=True),
    )
    return Table(columns, tuple(rows))


def front_sentence(findings: Findings) -> str:
    """How far the front reaches; empty where the score was all."""
    cost = findings.record.definition.cost
    cards = [t.card for t in admitted_front(findings.record, cost) if t.card] if cost else []
    if cost is None or not cards:
        return ""
    low, high = (as_count(cost_of(card, cost)) for card in (cards[0], cards[-1]))
    layouts = "1 layout" if len(cards) == 1 else f"{len(cards)} layouts"
    return (
        f"The Pareto front has {layouts}, of {low} to {high} {TITLES[cost]} and validation scores "
        f"of {as_score(cards[0].score)} to {as_score(cards[-1].score)} in the search; the report "
        "and placement-search best list them."
    )


def _in_finals(finalist: Finalist | None) -> tuple[str, str]:
    """Its means over fresh seeds; the search's own score chose it and is luck in part."""
    if finalist is None:
        return "", ""
    return as_estimate(finalist.validation), as_estimate(finalist.test)


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
        for label, colour, marker, trials in groups(record.ranking):
            if trials:
                axes.scatter(*places(trials), s=26, marker=marker, color=colour, label=label)
        front = places(admitted_front(record, cost))
        axes.step(*front, where="post", color=ACCENT, linewidth=1.8, label="Pareto front")
        axes.set(xlabel=TITLES[cost], ylabel="validation score")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: as_count(round(value))))
        axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, fontsize=8.5)

    described = f"Validation scores of complete trials against {TITLES[cost]}, and the front"
    return draw_svg("front", (11.0, 4.3), described, paint)
