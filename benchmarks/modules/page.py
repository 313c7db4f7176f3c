"""The page of the modules' comparison, from its journals."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from benchmarks.modules.entries import ENTRIES, FULL, HEAD
from benchmarks.shown import gain as shown_gain
from benchmarks.shown import mean
from placement_search.evaluation.score_card import ScoreCard

INTRODUCTION = """
# Adapters of the literature, each in its paper's own placement

Rebuilt by `make modules MODEL=… DATA=…`; all trainings and times lie in `*.jsonl` beside. Images:
the embedded backbone, 800 training examples, 8 epochs. Texts: all-MiniLM-L6-v2 in bfloat16, 400
examples, 3 epochs. Each method has the learning rate whose first seed scored best on the validation
split, of three or more; then five seeds. No further rate was tried where the best lies at an end of
them, as for {n_edges} of {n_chosen} rows, which another rate might serve better. Test scores with
95 % intervals, and the gain over the head alone paired by seed. *own* is the method's own setting,
*equal* the largest rank that costs no more parameters than LoRA of rank 8 on queries and values.
*step* is the time of a training step from cached frozen states over that of the bottleneck, *pass*
that of a forward pass over the bare backbone's; all methods in turn in one run, medians over nine
rounds. Full fine-tuning is in float32 everywhere, which on the texts is part of its times.
"""

MERGING = """
## Copies averaged into one

AdaMix trains four down maps and draws one for each pass; Tiny-Attention here has four experts of
one head, begun almost alike as the authors do (spread 1e-6), or independently (spread 1). *As
trained* is evaluation mode: AdaMix computes with the mean of its copies, the experts add the mean
of what they make. *Merged* is `deploy`: one module with the mean weights. Five random routings at
inference are averaged; *one of that size* is AdaMix with one copy, and the Tiny-Attention above.
Test scores of five seeds, differences paired by seed with 95 % intervals; *logits change* is the
largest change over the largest logit; *speed-up* the time of a pass over that of the merged layout.
"""
COLUMNS = (
    "| task | method | parameters | as trained | merged | merged − as trained "
    "| merged − random routing | merged − one of that size | logits change | speed-up |"
)
MIN_PAIRS = 2
"""Fewer have no interval."""


@dataclass(frozen=True, slots=True)
class Merged:
    """One training of a layout whose modules have copies, and what became of it.

    Args:
        task: The data.
        name: The method.
        single: The method with one module of the size that the copies are averaged to.
        seed: Which, from 0.
        test: Score as it was trained, in evaluation mode.
        merged: Score of the deployed layout.
        routed: Scores of random routings at inference; none where there are none.
        change: Largest change of a logit by deployment over the largest logit.
        n_parameters: Trained adapter parameters.
        n_merged: Those of the deployed layout.
        speed_up: Time of a forward pass over that of the deployed layout.
    """

    task: str
    name: str
    single: str
    seed: int
    test: float
    merged: float
    routed: list[float]
    change: float
    n_parameters: int
    n_merged: int
    speed_up: float


@dataclass(frozen=True, slots=True)
class Trained:
    """One training.

    Args:
        task: The data.
        name: The method.
        size: ``own`` or ``equal``.
        layout: Notation; empty for full fine-tuning.
        rate: Learning rate.
        seed: Which, from 0.
        validation: Score.
        test: Score.
        n_parameters: Trainable parameters, the head left out.
        seconds: Of the training.
    """

    task: str
    name: str
    size: str
    layout: str
    rate: float
    seed: int
    validation: float
    test: float
    n_parameters: int
    seconds: float

    @classmethod
    def of(
        cls, task: str, name: str, size: str, layout: str, rate: float, seed: int, card: ScoreCard
    ) -> Self:
        """The row of a score card, which holds a test score."""
        if card.test_score is None:
            raise ValueError("rows hold test scores")
        return cls(
            task=task,
            name=name,
            size=size,
            layout=layout,
            rate=rate,
            seed=seed,
            validation=card.score,
            test=card.test_score,
            n_parameters=card.costs.n_adapter_parameters,
            seconds=round(card.train_seconds, 2),
        )


@dataclass(frozen=True, slots=True)
class Timed:
    """What a method takes.

    Args:
        task: The data.
        name: The method.
        size: ``own`` or ``equal``.
        step: Time of a training step over that of the bottleneck, median over rounds.
        passed: Time of a forward pass over that of the bare backbone, likewise.
        step_seconds: Median time of a training step.
        pass_seconds: Of a forward pass.
    """

    task: str
    name: str
    size: str
    step: float
    passed: float
    step_seconds: float
    pass_seconds: float


def chosen(rows: Sequence[Trained]) -> list[Trained]:
    """Of one method on one task, the seeds at the rate whose first seed was best by validation."""
    firsts = [row for row in rows if row.seed == 0]
    if not firsts:
        return []
    rate = max(firsts, key=lambda row: row.validation).rate
    return sorted((row for row in rows if row.rate == rate), key=lambda row: row.seed)


def _at_an_edge(rows: Sequence[Trained]) -> tuple[int, int]:
    """How many methods have their best rate at an end of those tried, and how many there are."""
    tried: dict[tuple[str, str, str], list[Trained]] = {}
    for row in rows:
        if row.seed == 0:
            tried.setdefault((row.task, row.name, row.size), []).append(row)
    ends = [
        max(firsts, key=lambda row: row.validation).rate
        in {min(row.rate for row in firsts), max(row.rate for row in firsts)}
        for firsts in tried.values()
        if len(firsts) > 1
    ]
    return sum(ends), len(ends)


def page(rows: Sequence[Trained], merged: Sequence[Merged], times: Sequence[Timed]) -> str:
    """All tasks in Markdown."""
    n_edges, n_chosen = _at_an_edge(rows)
    lines = [INTRODUCTION.strip().format(n_edges=n_edges, n_chosen=n_chosen)]
    for task in dict.fromkeys(row.task for row in rows):
        own = [row for row in rows if row.task == task]
        lines += ["", f"## `{task}`", "", *_table(own, [t for t in times if t.task == task])]
    if merged:
        lines += ["", MERGING.strip(), "", *_merging_table(merged, rows)]
    return "\n".join(lines) + "\n"


def _merging_table(merged: Sequence[Merged], rows: Sequence[Trained]) -> list[str]:
    lines = [COLUMNS, "| --- | --- | ---: | --- | --- | --- | --- | --- | ---: | ---: |"]
    for task, name in dict.fromkeys((row.task, row.name) for row in merged):
        group = [row for row in merged if (row.task, row.name) == (task, name)]
        single = {row.seed: row.test for row in _single(group[0], rows, merged)}
        routed = [(row.merged, statistics.mean(row.routed)) for row in group if row.routed]
        change = max(row.change for row in group)
        lines.append(
            f"| `{task}` | {name} | {group[0].n_parameters:,} → {group[0].n_merged:,} "
            f"| {mean([row.test for row in group])} | {mean([row.merged for row in group])} "
            f"| {_gain([(row.merged, row.test) for row in group])} | {_gain(routed)} "
            f"| {_gain([(row.merged, single[row.seed]) for row in group if row.seed in single])} "
            f"| {change:.1e} | {statistics.median(row.speed_up for row in group):.2f} |"
        )
    return lines


def _single(
    of: Merged, rows: Sequence[Trained], merged: Sequence[Merged]
) -> Sequence[Trained | Merged]:
    """The trainings of one module of the size that copies are averaged to."""
    here = [row for row in merged if (row.task, row.name) == (of.task, of.single)]
    own = [row for row in rows if (row.task, row.name, row.size) == (of.task, of.single, "own")]
    return here or chosen(own)


def _gain(pairs: Sequence[tuple[float, float]]) -> str:
    """Of the first over the second, paired by seed; a dash where there are no two."""
    if len(pairs) < MIN_PAIRS:
        return "-"
    return shown_gain([ours for ours, _ in pairs], [theirs for _, theirs in pairs])


def _table(rows: Sequence[Trained], times: Sequence[Timed]) -> list[str]:
    order = [HEAD, *(entry.name for entry in ENTRIES), FULL]
    named = {(row.name, row.size) for row in rows}
    methods = sorted(named, key=lambda method: (order.index(method[0]), method[1] != "own"))
    groups = {method: chosen([r for r in rows if (r.name, r.size) == method]) for method in methods}
    groups = {method: group for method, group in groups.items() if group}
    head = {row.seed: row.test for row in groups.get((HEAD, "own"), ())}
    lines = [
        "| method | size | parameters | test | gain over the head | rate | step | pass |",
        "| --- | --- | ---: | --- | --- | --- | ---: | ---: |",
    ]
    for (name, size), group in groups.items():
        both = [(row.test, head[row.seed]) for row in group if row.seed in head]
        gain = "-" if name == HEAD else _gain(both)
        took = next((each for each in times if (each.name, each.size) == (name, size)), None)
        shown = "- | -" if took is None else f"{took.step:.2f} | {took.passed:.2f}"
        lines.append(
            f"| {name} | {size} | {group[0].n_parameters:,} | {mean([row.test for row in group])} "
            f"({len(group)}) | {gain} | {group[0].rate:g} | {shown} |"
        )
    return lines
