"""The page of the modules' comparison, from its journals."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from placement_search.evaluation.estimates import mean_estimate, paired_estimate
from placement_search.evaluation.score_card import ScoreCard

HEAD = "head only"
INTRODUCTION = """
# Adapters of the literature, each in its paper's own placement

Rebuilt by `python -m benchmarks.modules.run` (see its help; journals of all trainings:
`modules.jsonl`). Each method has the learning rate of three whose first seed scored best on the
validation split, then five seeds; test scores with 95 % intervals, and the gain over the head alone
paired by seed. *own* is the method's own setting, *equal* the largest rank that costs no more
parameters than LoRA of rank 8 on queries and values. Seconds are those of one training from cached
frozen states, on a machine that did other work too; *pass* is the time of a forward pass over the
bare backbone's.
"""


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
        latency_factor: Of a forward pass against the bare backbone's; None where not measured.
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
    latency_factor: float | None

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
            latency_factor=card.costs.latency_factor,
        )


def chosen(rows: Sequence[Trained]) -> list[Trained]:
    """Of one method on one task, the seeds at the rate whose first seed was best by validation."""
    firsts = [row for row in rows if row.seed == 0]
    if not firsts:
        return []
    rate = max(firsts, key=lambda row: row.validation).rate
    return sorted((row for row in rows if row.rate == rate), key=lambda row: row.seed)


def page(rows: Sequence[Trained]) -> str:
    """All tasks in Markdown."""
    lines = [INTRODUCTION.strip()]
    for task in dict.fromkeys(row.task for row in rows):
        lines += ["", f"## `{task}`", "", *_table([row for row in rows if row.task == task])]
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Trained]) -> list[str]:
    methods = list(dict.fromkeys((row.name, row.size) for row in rows))
    groups = {method: chosen([r for r in rows if (r.name, r.size) == method]) for method in methods}
    groups = {method: group for method, group in groups.items() if group}
    head = {row.seed: row.test for row in groups.get((HEAD, "own"), ())}
    lines = [
        "| method | size | parameters | test | gain over the head | rate | seconds | pass |",
        "| --- | --- | ---: | --- | --- | --- | ---: | ---: |",
    ]
    for (name, size), group in groups.items():
        test = mean_estimate([row.test for row in group])
        both = [(row.test, head[row.seed]) for row in group if row.seed in head]
        gain = "-"
        if name != HEAD and len(both) > 1:
            found = paired_estimate([ours for ours, _ in both], [theirs for _, theirs in both])
            gain = f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"
        latency = next((row.latency_factor for row in group if row.latency_factor), None)
        shown = (test.high - test.low) / 2
        lines.append(
            f"| {name} | {size} | {group[0].n_parameters:,} | {test.mean:.3f} ± {shown:.3f} "
            f"({len(group)}) | {gain} | {group[0].rate:g} | "
            f"{statistics.median(row.seconds for row in group):.1f} | "
            f"{'-' if latency is None else f'{latency:.2f}'} |"
        )
    return lines
