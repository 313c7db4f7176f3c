"""What replays of samplers came to, as a page: a table and curves of regret."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from matplotlib.figure import Figure

from placement_search.report.pictures import draw_svg

COLOURS = ("#0b6fa4", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be123c", "#0f766e", "#64748b")
SHOWN_TRIALS = 60
ORDER = "random order"
"""Label of exhaustive search in random order."""
JUDGED = "guided"
"""The default, which is to be good in few of the others' trials."""
AIMS = {"random": 3.0, "tpe": 1.5}
"""How many times as many trials each of these is to need."""
TITLES = {"singles": "single connections", "sets": "one to six connections"}
"""What a space holds, by its name."""
INTRODUCTION = """
# Samplers, replayed on measured layouts

Made by `{command}`.

Nothing is trained. Single connections are all tabled (`benchmarks/placements`), so there a search
is a real one. Of sets it may choose what is tabled and nothing else: what samplers draw, and greedy
choices, mean the nearest tabled set that is new, each another one; the random candidates and small
changes that `guided` weighs are tabled ones. *Trials* is the median over the seeds until one layout
within 1 % of the table's best was tried, quartiles in brackets, *never* for not within {longest}.
*Regret* is the best score less that of the layout that scored best so far, mean over the seeds. The
yardsticks are random search, and exhaustive search in random order, whose mean number of trials is
(layouts + 1) / (close ones + 1). The thin grey line of the picture is its expected regret: after k
trials they are k layouts drawn without replacement, so the i-th best of n is their best with
probability C(n - i, k - 1) / C(n, k). That is exact where a layout is observed to score what it is
worth, as with one seed each.
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
        longest: Trials of a search that never tried one of them.
        trials: Median number of trials until one of them was tried; None where most never did.
        quartiles: The quarter and three quarters of the searches, likewise.
        regrets: Best score less that of the incumbent, mean over seeds, after some trials.
        curve: The same after each trial.
        random_order: The same, expected of exhaustive search in random order.
        made_from: Digest of all that the result hangs on; empty where nobody wrote it down.
    """

    task: str
    space: str
    sampler: str
    n_layouts: int
    n_close: int
    n_seeds: int
    longest: int
    trials: float | None
    quartiles: tuple[float | None, float | None]
    regrets: tuple[float, ...]
    curve: tuple[float, ...]
    random_order: tuple[float, ...] = ()
    made_from: str = ""

    @property
    def what(self) -> tuple[str, str, str, int, int]:
        """Which searches it is of: task, space, sampler, how many, and how long."""
        return self.task, self.space, self.sampler, self.n_seeds, len(self.curve)

    def is_of(self, longest: int) -> bool:
        """Whether searches of up to so many trials come to the same.

        Longer ones do where both quartiles are known, since only searches that never were good
        enough go on.
        """
        return longest == self.longest or (longest > self.longest and None not in self.quartiles)


def random_order(worths: Sequence[float], n_trials: int) -> tuple[float, ...]:
    """Expected regret of exhaustive search in random order, after each trial.

    The i-th best of n layouts (from 0) is the best of k drawn ones where none of those above it is
    drawn and it is, which is ``(k / (n - i)) * prod over j < i of (n - j - k) / (n - j)``.

    Args:
        worths: Of all layouts, the best first; observed scores are taken to be the same.
        n_trials: How many trials; no more than there are layouts.
    """
    array = np.asarray(worths, dtype=float)
    left = len(array) - np.arange(len(array))
    curve = []
    for k in range(1, min(n_trials, len(array)) + 1):
        none_above = np.cumprod(np.concatenate([[1.0], np.maximum(left - k, 0)[:-1] / left[:-1]]))
        curve.append(float(array[0] - (none_above * np.minimum(k / left, 1.0)) @ array))
    return tuple(curve)


def shown_trials(value: float | None) -> str:
    """A number of trials, or that it never came to that."""
    return "never" if value is None else f"{value:g}"


def page(results: Sequence[Result], looked_at: Sequence[int], longest: int, command: str) -> str:
    """All results in Markdown: trials until close to the best, and regret.

    Args:
        results: Of all tasks, spaces and samplers.
        looked_at: Trials after which regret is told.
        longest: Trials of a search that never came close.
        command: What made them, with all that they depend on.
    """
    lines = [INTRODUCTION.format(longest=longest, command=command).strip()]
    lines += overview(results, longest)
    for (task, space), group in grouped(results).items():
        first = group[0]
        whole = (first.n_layouts + 1) / (first.n_close + 1)
        lines += [
            "",
            f"## `{task}`, {TITLES[space]}",
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


def overview(results: Sequence[Result], longest: int) -> list[str]:
    """Median trials of each sampler, a table for each space, and whether the default's aim is met.

    Args:
        results: Of all tasks, spaces and samplers.
        longest: Trials of a search that never came close.
    """
    lines = ["", "## Median trials until within 1 % of the best"]
    for space in dict.fromkeys(each.space for each in results):
        of_space = [each for each in results if each.space == space]
        tasks = list(dict.fromkeys(each.task for each in of_space))
        lines += [
            "",
            f"| {TITLES[space]} | " + " | ".join(f"`{task}`" for task in tasks) + " |",
            "| --- |" + " ---: |" * len(tasks),
        ]
        for name in dict.fromkeys(each.sampler for each in of_space):
            trials = {each.task: each.trials for each in of_space if each.sampler == name}
            cells = [_median(trials[task], longest) if task in trials else "–" for task in tasks]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [*lines, *_aim_lines(results, longest)]


def _median(trials: float | None, longest: int) -> str:
    return f"> {longest}" if trials is None else f"{trials:g}"


class Aim(StrEnum):
    """Whether the default needs as few trials as it is meant to."""

    MET = "It does on"
    MISSED = "It does not on"
    OPEN = "These searches are too short to tell on"


def _aim_lines(results: Sequence[Result], longest: int) -> list[str]:
    """Where the default needs as few trials as it is meant to; nothing where it was not run."""
    found: dict[Aim, list[str]] = {}
    for (task, space), group in grouped(results).items():
        aim = aim_of({each.sampler: each.trials for each in group}, longest)
        if aim is not None:
            found.setdefault(aim, []).append(f"`{task}` ({TITLES[space]})")
    if not found:
        return []
    said = [f"{aim} {len(found[aim])}: {', '.join(found[aim])}." for aim in Aim if aim in found]
    meant = (
        f"`{JUDGED}` is meant to need at most a third of random search's trials and two thirds of "
        "TPE's."
    )
    return ["", " ".join([meant, *said])]


def aim_of(trials: Mapping[str, float | None], longest: int) -> Aim | None:
    """Whether the default needs as few trials as it is meant to.

    Who never was good enough needs more trials than were run, nobody knows how many.

    Args:
        trials: Median by sampler; None where most searches never were good enough.
        longest: Trials of a search that never came close.

    Returns:
        None where the default or a rival is missing.
    """
    if not {JUDGED, *AIMS} <= set(trials):
        return None
    own, more = trials[JUDGED], longest + 1
    rivals = [(trials[name], factor) for name, factor in AIMS.items()]
    least = more if own is None else own
    if any(needed is not None and least * factor > needed for needed, factor in rivals):
        return Aim.MISSED
    if own is not None and all(
        own * factor <= (more if needed is None else needed) for needed, factor in rivals
    ):
        return Aim.MET
    return Aim.OPEN


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
            order = group[0].random_order[:SHOWN_TRIALS]
            axes.plot(range(1, len(order) + 1), order, color="#9ca3af", linewidth=0.8, label=ORDER)
            for each in group:
                curve = each.curve[:SHOWN_TRIALS]
                width = 2.2 if each.sampler == "guided" else 1.2
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
