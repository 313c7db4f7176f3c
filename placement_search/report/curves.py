"""Score over trials, score against size, and the answer's gains: three pictures of a study."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from placement_search.layout import Kind
from placement_search.report.findings import Findings
from placement_search.report.formats import as_count
from placement_search.report.pictures import ACCENT, FAINT, INK, KIND_COLOURS, draw_svg
from placement_search.study.baselines import RANDOM
from placement_search.study.records import SEARCHED, TrialEnd, TrialRecord

RASTER_ABOVE = 800
"""Points beyond which they are drawn as pixels, so that the page stays small."""
SEARCHED_COLOUR = KIND_COLOURS[Kind.PARALLEL]
BASELINE_COLOUR = KIND_COLOURS[Kind.LONG_RANGE]
START_COLOUR = KIND_COLOURS[Kind.RECURRENT]
PRUNED_COLOUR = "#5b6875"


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled baseline: where it lies and what it is called."""

    label: str
    n_adapter_parameters: int
    score: float


def draw_history(findings: Findings) -> str:
    """Score over trial number with the incumbent, the baselines and the pruned trials, as SVG."""
    trials = findings.record.trials

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        _draw_trials(axes, trials)
        _draw_incumbents(axes, trials, findings.record.definition.sign)
        marks = baseline_marks(trials)
        for mark in marks:
            axes.axhline(mark.score, color=BASELINE_COLOUR, linewidth=0.8, linestyle=(0, (4, 3)))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: as_count(round(value))))
        axes.set(xlabel="trial number", ylabel="validation score", xlim=_trial_limits(trials))
        right = axes.get_xlim()[1]
        _label_beside(axes, marks, [right] * len(marks))
        _add_legend(axes)

    described = f"Validation scores of {len(trials)} trials in the order of the study"
    return draw_svg("history", (11.0, 4.3), described, paint)


def draw_sizes(findings: Findings) -> str:
    """Score against trainable parameters with baselines and recommended layout, as SVG."""
    complete = findings.record.ranking
    marks = baseline_marks(findings.record.trials)
    recommended = findings.recommended

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for label, colour, marker, chosen in groups(complete):
            _scatter(axes, _sizes(chosen), _scores(chosen), label, colour, marker)
        if recommended and recommended.score is not None:
            size = recommended.n_adapter_parameters
            axes.scatter(
                [size], [recommended.score], s=190, marker="*", color=ACCENT, edgecolor="white",
                label=findings.layout_name, zorder=6,
            )  # fmt: skip
        _scale_sizes(axes, _sizes(complete))
        axes.set(xlabel="trainable parameters of the adapters", ylabel="validation score")
        _label_beside(axes, marks, [float(mark.n_adapter_parameters) for mark in marks])
        _add_legend(axes)

    described = f"Validation scores of {len(complete)} complete trials against their parameters"
    return draw_svg("sizes", (11.0, 4.5), described, paint)


def draw_gains(findings: Findings) -> str | None:
    """The answer's gain over each baseline on the test split, as SVG; None without comparisons."""
    if findings.answer is None or not findings.answer.comparisons:
        return None
    comparisons = findings.answer.comparisons

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.axvline(0.0, color=INK, linewidth=0.8)
        for row, comparison in enumerate(comparisons):
            gain = comparison.gain
            axes.plot([gain.low, gain.high], [row, row], color=SEARCHED_COLOUR, linewidth=2.2)
            axes.plot([gain.mean], [row], color=SEARCHED_COLOUR, marker="o", markersize=6)
        axes.set_yticks(range(len(comparisons)), [f"against {c.name}" for c in comparisons])
        axes.set_ylim(len(comparisons) - 0.5, -0.5)
        axes.set_xlabel("gain on the test split; right of the line the answer is better")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)

    described = "Gain over each baseline on the test split with 95 % intervals"
    return draw_svg("gains", (9.0, 0.9 + 0.32 * len(comparisons)), described, paint)


def baseline_marks(trials: Sequence[TrialRecord]) -> list[Mark]:
    """The complete baselines by name, the random ones as their mean."""
    complete = [t for t in trials if t.is_baseline and t.score is not None]
    random = [t for t in complete if t.role.startswith(RANDOM)]
    marks = [
        Mark(t.role, t.n_adapter_parameters, score)
        for t in complete
        if t not in random and (score := t.score) is not None
    ]
    if random:
        size = round(statistics.fmean(_sizes(random)))
        label = f"random layouts, mean of {len(random)}"
        marks.append(Mark(label, size, statistics.fmean(_scores(random))))
    return marks


def groups(trials: Sequence[TrialRecord]) -> list[tuple[str, str, str, list[TrialRecord]]]:
    """The complete trials by where they come from: label, colour, marker and trials."""
    complete = [t for t in trials if t.score is not None]
    return [
        ("proposed by the sampler", SEARCHED_COLOUR, "o",
         [t for t in complete if t.role == SEARCHED]),
        ("baselines", BASELINE_COLOUR, "D", [t for t in complete if t.is_baseline]),
        ("from elsewhere", START_COLOUR, "s", [t for t in complete if t.is_start]),
    ]  # fmt: skip


def incumbents(trials: Sequence[TrialRecord], sign: int = 1) -> list[tuple[int, float]]:
    """Number and score of every admitted trial that was better than all before it.

    Args:
        trials: In the order of the study.
        sign: -1 where a lower score is better.
    """
    found: list[tuple[int, float]] = []
    for trial in trials:
        if trial.score is None or not trial.is_eligible:
            continue
        if not found or sign * trial.score > sign * found[-1][1]:
            found.append((trial.number, trial.score))
    return found


def spread_apart(places: Sequence[float], gap: float) -> list[float]:
    """``places`` moved as little as an upward sweep needs to be ``gap`` apart, within 0 to 1.

    Args:
        places: Heights as shares of the picture's.
        gap: Least distance between two of the result; halves until all have room.
    """
    while gap * (len(places) - 1) > 1:
        gap /= 2
    order = sorted(range(len(places)), key=lambda index: places[index])
    moved = list(places)
    for rank, index in enumerate(order):
        floor = moved[order[rank - 1]] + gap if rank else 0.0
        moved[index] = max(places[index], floor)
    for rank, index in enumerate(reversed(order)):
        ceiling = moved[order[len(order) - rank]] - gap if rank else 1.0
        moved[index] = min(moved[index], ceiling)
    return moved


def _draw_trials(axes: Axes, trials: Sequence[TrialRecord]) -> None:
    for label, colour, marker, chosen in groups(trials):
        _scatter(axes, [t.number for t in chosen], _scores(chosen), label, colour, marker)
    pruned = [t for t in trials if t.end is TrialEnd.PRUNED and t.history]
    last = [t.history[-1] for t in pruned]
    label = "pruned, at the last score reached"
    _scatter(axes, [t.number for t in pruned], last, label, PRUNED_COLOUR, "x")


def _draw_incumbents(axes: Axes, trials: Sequence[TrialRecord], sign: int) -> None:
    steps = incumbents(trials, sign)
    if steps:
        numbers = [*(number for number, _ in steps), trials[-1].number]
        scores = [*(score for _, score in steps), steps[-1][1]]
        label = "incumbent, the best admitted so far"
        axes.step(numbers, scores, where="post", color=ACCENT, linewidth=1.8, label=label)


def _scatter(
    axes: Axes,
    across: Sequence[float],
    up: Sequence[float],
    label: str,
    colour: str = SEARCHED_COLOUR,
    marker: str = "o",
) -> None:
    if across:
        many = len(across) > RASTER_ABOVE
        axes.scatter(
            across, up, s=5 if many else 26, marker=marker, color=colour, linewidth=1.0,
            label=label, rasterized=many, zorder=3,
        )  # fmt: skip


def _scale_sizes(axes: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic axis with room for 0, which the head alone has."""
    positive = [size for size in sizes if size] or [1]
    axes.set_xscale("symlog", linthresh=min(positive) / 2, linscale=0.4)
    axes.set_xlim(-min(positive) / 8 if 0 in sizes else min(positive) / 1.5, max(positive) * 1.4)
    ticks = [
        float(factor * 10**power)
        for power in range(12)
        for factor in (1, 2, 5)
        if min(positive) / 1.5 <= factor * 10**power <= max(positive) * 1.4
    ]
    axes.set_xticks([0.0, *ticks] if 0 in sizes else ticks, minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: as_count(round(value))))


def _label_beside(axes: Axes, marks: Sequence[Mark], across: Sequence[float]) -> None:
    """Names at the right margin, apart from each other, with a thin line to what they name."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    heights = spread_apart([(mark.score - low) / (high - low) for mark in marks], 0.06)
    for mark, x, height in zip(marks, across, heights, strict=True):
        axes.annotate(
            mark.label, xy=(x, mark.score), xytext=(1.015, height), textcoords="axes fraction",
            va="center", ha="left", fontsize=8.5, annotation_clip=False,
            arrowprops={
                "arrowstyle": "-", "color": FAINT, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 2,
            },
        )  # fmt: skip


def _add_legend(axes: Axes) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=4, fontsize=8.5)


def _trial_limits(trials: Sequence[TrialRecord]) -> tuple[float, float]:
    last = trials[-1].number
    return -0.02 * last - 0.5, 1.01 * last + 0.5


def _sizes(trials: Sequence[TrialRecord]) -> list[int]:
    return [t.n_adapter_parameters for t in trials]


def _scores(trials: Sequence[TrialRecord]) -> list[float]:
    return [t.score for t in trials if t.score is not None]
