"""What replays of samplers came to, as a page: a table and curves of regret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from placement_search.report.pictures import draw_svg

COLOURS = ("#0b6fa4", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be123c", "#0f766e", "#64748b")
SHOWN_TRIALS = 60
INTRODUCTION = """
# Samplers, replayed on measured layouts

Rebuilt by `python -m benchmarks.samplers --out reports/samplers` (`--seeds`, `--trials`,
`--tasks`, `--samplers` for more or less). Nothing is trained: a proposal is answered from the
tabular benchmark (`benchmarks/placements`). *Trials* is the median over the seeds until one layout
within 1 % of the table's best was tried, quartiles in brackets, *never* for not within {n_trials}.
*Regret* is the best score less that of the layout that scored best so far, mean over the seeds.
The yardsticks are random search, and exhaustive search in random order, whose mean number of
trials is (layouts + 1) / (close ones + 1).
"""


@dataclass(frozen=True, slots=True)
class Result:
    """How a sampler did on a task.

    Args:
        task: The task.
        space: ``singles`` or ``sets``.
        sampler: Its name.
        n_layouts: Layouts of the table.
        n_close: Those within 1 % of the best.
        n_seeds: Searches.
        trials: Median number of trials until one of them was tried; None where most never did.
        quartiles: The quarter and three quarters of the searches, likewise.
        regrets: Best score less that of the incumbent, mean over seeds, after some trials.
        curve: The same after each trial.
    """

    task: str
    space: str
    sampler: str
    n_layouts: int
    n_close: int
    n_seeds: int
    trials: float | None
    quartiles: tuple[float | None, float | None]
    regrets: tuple[float, ...]
    curve: tuple[float, ...]


def shown_trials(value: float | None) -> str:
    """A number of trials, or that it never came to that."""
    return "never" if value is None else f"{value:g}"


def page(results: Sequence[Result], looked_at: Sequence[int], n_trials: int) -> str:
    """All results in Markdown: trials until close to the best, and regret."""
    lines = [INTRODUCTION.format(n_trials=n_trials).strip()]
    for (task, space), group in grouped(results).items():
        first = group[0]
        whole = (first.n_layouts + 1) / (first.n_close + 1)
        lines += [
            "",
            f"## `{task}`, {space}",
            "",
            (
                f"{first.n_layouts} layouts, {first.n_close} within 1 % of the best; random order: "
                f"{whole:.1f} trials on average; {first.n_seeds} seeds."
            ),
            "",
            "| sampler | trials | " + " | ".join(f"regret after {n}" for n in looked_at) + " |",
            "| --- | --- | " + " | ".join("---" for _ in looked_at) + " |",
        ]
        for each in sorted(group, key=_order):
            low, high = map(shown_trials, each.quartiles)
            regrets = " | ".join(f"{regret:.4f}" for regret in each.regrets)
            lines.append(
                f"| {each.sampler} | {shown_trials(each.trials)} ({low} to {high}) | {regrets} |"
            )
    return "\n".join([*lines, "", "![Regret after each trial](regret.svg)", ""])


def _order(result: Result) -> tuple[float, float]:
    trials = float("inf") if result.trials is None else result.trials
    return trials, result.regrets[-1]


def grouped(results: Sequence[Result]) -> Mapping[tuple[str, str], list[Result]]:
    """Results by task and space, in the order in which they came."""
    found: dict[tuple[str, str], list[Result]] = {}
    for each in results:
        found.setdefault((each.task, each.space), []).append(each)
    return found


def curves(results: Sequence[Result]) -> str:
    """Mean regret after each trial, one panel for each task and space, as SVG."""
    groups = grouped(results)
    names = list(dict.fromkeys(each.sampler for each in results))
    colours = dict(zip(names, COLOURS * 2, strict=False))
    n_columns = min(2, len(groups))
    n_rows = -(-len(groups) // n_columns)

    def paint(figure: Figure) -> None:
        panels = list(figure.subplots(n_rows, n_columns, squeeze=False).flat)
        for axes, ((task, space), group) in zip(panels, groups.items(), strict=False):
            for each in group:
                curve = each.curve[:SHOWN_TRIALS]
                width = 2.2 if each.sampler == "guided" else 1.2
                style = "--" if each.sampler == "random" else "-"
                axes.plot(
                    range(1, len(curve) + 1), curve, style, color=colours[each.sampler],
                    linewidth=width, label=each.sampler,
                )  # fmt: skip
            axes.set_title(f"{task}, {space}")
            axes.set_xlabel("trials")
            axes.set_ylabel("regret")
            axes.set_ylim(bottom=0)
        for axes in panels[len(groups) :]:
            axes.set_axis_off()
        panels[0].legend(fontsize="small")

    described = f"Regret of {', '.join(names)} after each trial, by task"
    return draw_svg("regret", (5.2 * n_columns, 3.6 * n_rows), described, paint)
