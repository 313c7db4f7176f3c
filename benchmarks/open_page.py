"""What free searches of sets came to, as a page: the best that each sampler found, and when."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LOOKED_AT = (10, 20, 30)
"""Trials after which the best so far is told."""
N_EARLY = 10
"""Proposals that are left out of what a sampler proposes once it has learned."""
INTRODUCTION = """
# Samplers that search sets freely

Made by `{command}`.

Every proposal of one to six connections was trained, 4 epochs, one seed. *Best after n* is the
layout with the best validation score among the first n trials, a training without a score being one
of them: its validation and its test score, mean and standard deviation over {n_seeds} searches.
*Proposed* is the mean validation score of all proposals from the eleventh on, *size* their mean
number of connections, which each sampler is free to choose. The deviation is no uncertainty where
searches are the same whatever the seed: all of `gradient-guided`, and of `guided` the first six or
so. What `guided` begins with was chosen on these tasks (docs/decisions/0018-guided-sampler.md).
Each proposal knows all trials before it, where a search has four under way at once.
Below each table stands what the tabular benchmark has of random sets.
"""


@dataclass(frozen=True, slots=True)
class Trained:
    """A layout with its scores.

    Args:
        layout: Notation.
        validation: What samplers are told.
        test: What they are not.
    """

    layout: str
    validation: float
    test: float

    @property
    def size(self) -> int:
        """Its connections."""
        return self.layout.count("+") + 1


def best_of(trained: Sequence[Trained | None]) -> Trained | None:
    """The one with the best validation score, the first of equals; None where none has a score."""
    known = [each for each in trained if each is not None]
    return max(known, key=lambda each: each.validation, default=None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the searches of one sampler found on a task.

    Args:
        searches: What each trained, in order; None stands for a training without a score.
    """

    searches: tuple[tuple[Trained | None, ...], ...]

    def best(self, n_trials: int) -> list[Trained]:
        """The best among the first trials of each search that has a score by then."""
        found = (best_of(trained[:n_trials]) for trained in self.searches)
        return [each for each in found if each is not None]

    @property
    def late(self) -> list[Trained]:
        """What was proposed after the first ones, and has a score."""
        return [each for trained in self.searches for each in trained[N_EARLY:] if each is not None]

    @property
    def n_trials(self) -> int:
        """Of the longest search."""
        return max(map(len, self.searches))


def page(
    outcomes: Mapping[tuple[str, str], Outcome],
    sets: Mapping[str, Sequence[Trained]],
    command: str,
) -> str:
    """All outcomes in Markdown, by task and sampler, the best test score first.

    Args:
        outcomes: By task and sampler.
        sets: Random sets of each task, to compare with.
        command: What made them.
    """
    n_seeds = " or ".join(map(str, sorted({len(each.searches) for each in outcomes.values()})))
    lines = [INTRODUCTION.format(command=command, n_seeds=n_seeds).strip()]
    for task in dict.fromkeys(task for task, _ in outcomes):
        own = {sampler: each for (of, sampler), each in outcomes.items() if of == task}
        lines += ["", f"## `{task}`", "", *_table(own), "", *_said_of(sets.get(task, ()))]
    return "\n".join([*lines, ""])


def _table(outcomes: Mapping[str, Outcome]) -> list[str]:
    most = max(each.n_trials for each in outcomes.values())
    told = [n for n in LOOKED_AT if n < most] + [most]
    heads = ["sampler", "proposed", "size"]
    heads += [f"best after {n}: {split}" for n in told for split in ("validation", "test")]
    rows = []
    for name, outcome in outcomes.items():
        late = outcome.late
        cells = [
            f"{statistics.fmean(each.validation for each in late):.4f}" if late else "",
            f"{statistics.fmean(each.size for each in late):.1f}" if late else "",
        ]
        for n in told:
            best = outcome.best(n)
            cells += [_estimate([t.validation for t in best]), _estimate([t.test for t in best])]
        tests = [each.test for each in outcome.best(most)]
        worth = statistics.fmean(tests) if tests else -math.inf
        rows.append((worth, f"| {name} | {' | '.join(cells)} |"))
    rows.sort(key=lambda row: row[0], reverse=True)
    rule = "| --- |" + " ---: |" * (len(heads) - 1)
    return [f"| {' | '.join(heads)} |", rule, *(line for _, line in rows)]


def _estimate(values: Sequence[float]) -> str:
    if not values:
        return "no score"
    spread = f" ± {statistics.stdev(values):.4f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.4f}{spread}"


def _said_of(sets: Sequence[Trained]) -> list[str]:
    """What random sets score, all of them and the largest."""
    largest = max((each.size for each in sets), default=0)
    named: dict[str, Sequence[Trained]] = {
        "random sets": sets,
        f"those of {largest} connections": [each for each in sets if each.size == largest],
    }
    lines = []
    for what, group in named.items():
        best = best_of(group)
        if best is not None:
            mean = statistics.fmean(each.validation for each in group)
            lines.append(
                f"- {len(group)} {what}, tabled: mean validation score {mean:.4f}; the best of "
                f"them has {best.validation:.4f}, and {best.test:.4f} on the test split."
            )
    return lines
