"""What replays of samplers came to, as a page: a table and curves of regret."""

import textwrap
from collections.abc import Sequence

from matplotlib.figure import Figure

from benchmarks.aims import JUDGED, TITLES, aim_lines
from benchmarks.random_order import mean_until_close, median_until_close
from benchmarks.results import Result, Split, grouped
from placement_search.report.pictures import draw_svg
from placement_search.study.settings import SearchSettings

COLOURS = ("#0b6fa4", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be123c", "#0f766e", "#64748b")
SHOWN_TRIALS = 60
ORDER = "random order"
"""Label of exhaustive search in random order."""
MEANT = {"singles": "single connections", "sets": "sets"}
"""What the introduction calls what a space holds."""
WHOLE = "{} are all tabled (`benchmarks/placements`), so there a search is a real one."
CLOSED = """
Of {} it may choose what is tabled and nothing else: what samplers draw, and greedy choices, mean
the nearest tabled layout that is new, each another one; the random candidates and small changes
that `guided` weighs are tabled ones.
"""
ONE_AT_A_TIME = """
One trial runs at a time, so each proposal knows all scores before it (`--concurrency 1`; the
default of a search is another).
"""
SEVERAL = """
As in a search with `--concurrency {concurrency}`, {default}, {concurrency} trials are under way at
once: a proposal knows the layouts of the last {unknown} before it, and not their scores.
"""
PLAIN = """
Every trial is trained to its end, none is pruned, and no baselines are known before.
"""
TOLD = """
*Trials* is the median over the seeds until one layout within 1 % of the table's best was tried,
quartiles in brackets, *never* for not within {longest}. *Regret* is the best score less that of the
layout that scored best so far, mean over the seeds.
"""
MEASURES = """
There are two measures. Samplers see validation scores of single trainings. The first measure judges
a layout by the mean of those very scores{of_sets}. The second, *by test*, judges it by its mean
test score, which no search sees: trials until one within 1 % of the table's best mean test score
was tried, and that best one less the mean test score of the layout whose validation score was the
best so far. It rewards no luck that a search has seen, and is noisier for what is close to the
best.
"""
OF_SETS = ": of sets of several, which have one seed, a search sees exactly what it is judged by"
FIRST_TRIALS = """
By test the first {n_trials} trials of every search count: which ones went on was decided by
validation scores.
"""
YARDSTICKS = """
The yardsticks are random search, and exhaustive search in random order, whose mean number of trials
is (layouts + 1) / (close ones + 1), and whose median is the smallest k with
C(n - m, k) / C(n, k) of at most a half, for m close ones of n. The thin grey line of the picture is
its expected regret: after k trials they are k layouts drawn without replacement, so the i-th best
of n is their best with probability C(n - i, k - 1) / C(n, k). That is exact where a layout is
observed to score what it is worth, as sets of several are, with one seed each.
"""
ADVANTAGES = """
`guided` has advantages here. The order of its first choices was chosen on the shipped table's four
tasks (docs/decisions/0018-guided-sampler.md), so on those it is not held out; a task that had no
part in the choice is made by `python -m benchmarks.placements.held_out`.{weighs}
"""
WEIGHS = """ Where not all is tabled it weighs
candidates that are, while what other samplers draw is moved to the nearest tabled set."""
ALIKE = """
The first choices of {names} do not hang on the seed: where the quartiles equal the median, nearly
all searches begin alike, so that {n_seeds} seeds say little more than one.
"""
BEGIN_ALIKE = ("guided", "gradient-guided")
"""Samplers whose first choices the proxies make."""


def shown_trials(value: float | None) -> str:
    """A number of trials, or that it never came to that."""
    return "never" if value is None else f"{value:g}"


def shown_regret(value: float) -> str:
    """A regret with four decimals; one that rounding left a little below zero is zero."""
    return f"{round(value, 4) + 0.0:.4f}"


def introduction(results: Sequence[Result], longest: int, command: str) -> str:
    """What was done and how to read it, in as far as it is true of these results.

    Args:
        results: Of all tasks, spaces and samplers; at least one.
        longest: Trials of a search that never came close.
        command: What made them.
    """
    spaces = list(dict.fromkeys(each.space for each in results))
    closed = [MEANT[s] for s in spaces if not all(r.is_whole for r in results if r.space == s)]
    whole = [MEANT[space] for space in spaces if MEANT[space] not in closed]
    n_trials, n_seeds = _n_trials(results), max(each.n_seeds for each in results)
    nothing = ["Nothing is trained."]
    nothing += [WHOLE.format(" and ".join(whole).capitalize())] if whole else []
    nothing += [CLOSED.format(" and ".join(closed)).strip()] if closed else []
    parts = [" ".join(nothing), _lag(results[0].concurrency) + PLAIN, TOLD.format(longest=longest)]
    parts.append(MEASURES.format(of_sets=OF_SETS if "sets" in spaces else ""))
    parts += [FIRST_TRIALS.format(n_trials=n_trials)] if longest > n_trials else []
    parts.append(YARDSTICKS)
    if any(each.sampler == JUDGED for each in results):
        parts.append(ADVANTAGES.format(weighs=WEIGHS if closed else ""))
    alike = [f"`{name}`" for name in BEGIN_ALIKE if any(r.sampler == name for r in results)]
    if alike and n_seeds > 1:
        parts.append(ALIKE.format(names=" and ".join(alike), n_seeds=n_seeds))
    filled = [textwrap.fill(" ".join(part.split()), 100, break_on_hyphens=False) for part in parts]
    return "\n\n".join(
        ["# Samplers, replayed on measured layouts", f"Made by `{command}`.", *filled]
    )


def _lag(concurrency: int) -> str:
    """What samplers know of the trials before the one that they are asked for."""
    if concurrency == 1:
        return ONE_AT_A_TIME
    default = "the default" if concurrency == SearchSettings().concurrency else "not the default"
    return SEVERAL.format(concurrency=concurrency, default=default, unknown=concurrency - 1)


def _n_trials(results: Sequence[Result]) -> int:
    """Trials that every search has, but where the table ran out."""
    return max(len(each.curve) for each in results)


def page(results: Sequence[Result], looked_at: Sequence[int], longest: int, command: str) -> str:
    """All results in Markdown: trials until close to the best, and regret.

    Args:
        results: Of all tasks, spaces and samplers.
        looked_at: Trials after which regret is told.
        longest: Trials of a search that never came close.
        command: What made them, with all that they depend on.
    """
    lines = [introduction(results, longest, command)]
    lines += overview(results, longest)
    heads = ["sampler", "trials", "trials by test"]
    heads += [f"regret after {n}" for n in looked_at] + [f"regret on test after {looked_at[-1]}"]
    for (task, space), group in grouped(results).items():
        lines += ["", f"## `{task}`, {TITLES[space]}", "", _world_line(group[0]), ""]
        lines += [f"| {' | '.join(heads)} |", "|" + " --- |" * len(heads)]
        lines += [f"| {' | '.join(_cells(each))} |" for each in sorted(group, key=_order)]
    return "\n".join([*lines, "", "![Regret after each trial](regret.svg)", ""])


def _world_line(result: Result) -> str:
    """How many layouts there are, how many are close, and when random order meets one."""
    close = [result.close_by(split) for split in Split]
    means = [f"{mean_until_close(result.n_layouts, m):.1f}" for m in close]
    medians = [median_until_close(result.n_layouts, m) for m in close]
    return (
        f"{result.n_layouts} layouts, {close[0]} within 1 % of the best (by test {close[1]}); "
        f"random order: {means[0]} trials on average, median {medians[0]} (by test {means[1]}, "
        f"median {medians[1]}); {result.n_seeds} seeds."
    )


def _cells(result: Result) -> list[str]:
    cells = [result.sampler]
    for trials, quartiles in (
        (result.trials, result.quartiles),
        (result.test_trials, result.test_quartiles),
    ):
        low, high = map(shown_trials, quartiles)
        cells.append(f"{shown_trials(trials)} ({low} to {high})")
    return [*cells, *map(shown_regret, (*result.regrets, result.test_regrets[-1]))]


def overview(results: Sequence[Result], longest: int) -> list[str]:
    """Median trials of each sampler by each split, and whether the default's aim is met.

    Args:
        results: Of all tasks, spaces and samplers.
        longest: Trials of a search that never came close by validation.
    """
    lines = ["", "## Median trials until within 1 % of the best"]
    for split, of_split in ((Split.VALIDATION, longest), (Split.TEST, _n_trials(results))):
        lines += ["", f"### By {split} scores"]
        for space in dict.fromkeys(each.space for each in results):
            of_space = [each for each in results if each.space == space]
            lines += ["", *_medians(of_space, of_split, split)]
        lines += aim_lines(results, of_split, split)
    return lines


def _medians(results: Sequence[Result], longest: int, split: Split) -> list[str]:
    """A row for each sampler and random order, a column for each task; all of one space."""
    of_task = {each.task: each for each in results}
    lines = [
        f"| {TITLES[results[0].space]} | " + " | ".join(f"`{task}`" for task in of_task) + " |",
        "| --- |" + " ---: |" * len(of_task),
    ]
    for name in dict.fromkeys(each.sampler for each in results):
        trials = {each.task: each.trials_by(split) for each in results if each.sampler == name}
        cells = [_median(trials[task], longest) if task in trials else "–" for task in of_task]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    exact = [median_until_close(r.n_layouts, r.close_by(split)) for r in of_task.values()]
    return [*lines, f"| {ORDER} | " + " | ".join(map(str, exact)) + " |"]


def _median(trials: float | None, longest: int) -> str:
    return f"> {longest}" if trials is None else f"{trials:g}"


def _order(result: Result) -> tuple[float, float]:
    trials = float("inf") if result.trials is None else result.trials
    return trials, result.curve[-1]


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
            order = group[0].random_order[:SHOWN_TRIALS]
            axes.plot(range(1, len(order) + 1), order, color="#9ca3af", linewidth=0.8, label=ORDER)
            for each in group:
                curve = each.curve[:SHOWN_TRIALS]
                width = 2.2 if each.sampler == JUDGED else 1.2
                style = "--" if each.sampler == "random" else "-"
                axes.plot(
                    range(1, len(curve) + 1), curve, style, color=colours[each.sampler],
                    linewidth=width, label=each.sampler,
                )  # fmt: skip
            axes.set_title(f"{task}, {TITLES[space]}")
            axes.set_xlabel("trials")
            axes.set_ylabel("regret")
            axes.set_ylim(bottom=0)
        for axes in panels[len(groups) :]:
            axes.set_axis_off()
        panels[0].legend(fontsize="small")

    described = f"Regret of {', '.join(names)} and of {ORDER} after each trial, by task"
    return draw_svg("regret", (5.2 * n_columns, 3.6 * n_rows), described, paint)
