"""The answer of a study: the recommended layout, and what it gains over the baselines."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from placement_search.evaluation.estimates import (
    Estimate,
    difference_estimate,
    mean_estimate,
    standard_error,
)
from placement_search.evaluation.score_card import Costs, ScoreCard
from placement_search.study.baselines import RANDOM
from placement_search.study.records import FULL_FINE_TUNING, StudyRecord, TrialRecord


@dataclass(frozen=True, slots=True)
class Finalist:
    """A layout after the finals.

    Args:
        trial: Its trial in the search.
        validation: Over fresh seeds, on the validation split.
        test: Over the same seeds, on the test split.
        cards: The score cards, by replicate.
    """

    trial: TrialRecord
    validation: Estimate
    test: Estimate
    cards: tuple[ScoreCard, ...]

    @property
    def name(self) -> str:
        """The baseline's name, or the layout's notation."""
        return self.trial.role if self.trial.is_baseline else self.trial.layout

    @property
    def validation_scores(self) -> list[float]:
        """One score per seed."""
        return [card.score for card in self.cards]

    @property
    def test_scores(self) -> list[float]:
        """One score per seed."""
        return [card.test_score for card in self.cards if card.test_score is not None]

    @property
    def costs(self) -> Costs:
        """Counted costs and the measured latency, which the first seed's evaluation holds."""
        return self.cards[0].costs


@dataclass(frozen=True, slots=True)
class Comparison:
    """The answer against a baseline on the test split.

    Args:
        name: The baseline, or what several random layouts are called together.
        n_adapter_parameters: What the baseline costs.
        test: The baseline's test score.
        gain: By how much the answer's mean is better than the baseline's; negative where worse.
    """

    name: str
    n_adapter_parameters: int
    test: Estimate
    gain: Estimate

    @property
    def verdict(self) -> str:
        """``better``, ``worse`` or ``no different`` as far as the interval tells."""
        if self.gain.low > 0:
            return "better"
        return "worse" if self.gain.high < 0 else "no different"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a study recommends.

    Args:
        chosen: The smallest admitted layout within one standard error of the best.
        best: The admitted layout with the best mean validation score.
        comparisons: The answer against each baseline, on the test split.
    """

    chosen: Finalist
    best: Finalist
    comparisons: tuple[Comparison, ...]


MIN_SEEDS = 2
"""Retrainings that a layout needs to be compared: one has no spread."""


def read_finalists(record: StudyRecord) -> list[Finalist]:
    """All layouts that were retrained at least once, best mean validation score first."""
    by_layout: dict[str, list[ScoreCard]] = {}
    for final in record.finals:
        by_layout.setdefault(final.layout_id, []).append(final.card)
    finalists = [
        Finalist(
            record.trial_of(layout_id),
            mean_estimate([card.score for card in cards]),
            mean_estimate([card.test_score for card in cards if card.test_score is not None]),
            tuple(cards),
        )
        for layout_id, cards in by_layout.items()
    ]
    sign = record.definition.sign
    return sorted(
        finalists, key=lambda f: (-sign * f.validation.mean, f.trial.n_adapter_parameters)
    )


def find_answer(record: StudyRecord) -> Answer | None:
    """The answer after the finals; None before any admitted layout went through them.

    The choice reads validation scores of fresh seeds alone. Among the layouts that space and
    budget admit, and that were retrained at least twice, it takes the one with the fewest
    parameters whose mean is within one standard error of the best mean; baselines that are
    admitted, random ones too, may be the answer.
    """
    finalists = [f for f in read_finalists(record) if len(f.cards) >= MIN_SEEDS]
    admitted = [finalist for finalist in finalists if finalist.trial.is_eligible]
    if not admitted:
        return None
    best, sign = admitted[0], record.definition.sign
    floor = sign * best.validation.mean - standard_error(best.validation_scores)
    near = [finalist for finalist in admitted if sign * finalist.validation.mean >= floor]
    chosen = min(near, key=lambda f: (f.trial.n_adapter_parameters, -sign * f.validation.mean))
    return Answer(chosen, best, tuple(_comparisons(record, chosen, finalists)))


def _comparisons(
    record: StudyRecord, chosen: Finalist, finalists: Sequence[Finalist]
) -> list[Comparison]:
    against = _Against(chosen.test_scores, record.definition.sign)
    baselines = [f for f in finalists if f.trial.is_baseline and f is not chosen]
    random = [f for f in baselines if f.trial.role.startswith(RANDOM)]
    named = sorted((f for f in baselines if f not in random), key=lambda f: f.trial.number)
    comparisons = [
        against.scores(f.trial.role, f.trial.n_adapter_parameters, f.test_scores) for f in named
    ]
    # One value per random layout: its seeds share the placement, no independent draws of it.
    alike = _means_by_layout(record, chosen)
    if len(alike) > 1:
        name = f"{len(alike)} random layouts of the same size"
        comparisons.append(against.scores(name, chosen.trial.n_adapter_parameters, alike))
    elif len(random) > 1:
        size = random[0].trial.n_adapter_parameters
        name = f"{len(random)} random layouts"
        comparisons.append(against.scores(name, size, [f.test.mean for f in random]))
    ceiling = [r.card for r in record.references if r.role == FULL_FINE_TUNING]
    scores = [card.test_score for card in ceiling if card.test_score is not None]
    if len(scores) >= MIN_SEEDS:
        size = ceiling[0].costs.n_adapter_parameters
        comparisons.append(against.scores(FULL_FINE_TUNING, size, scores))
    return comparisons


def _means_by_layout(record: StudyRecord, chosen: Finalist) -> list[float]:
    """Mean test score of each random layout that was drawn to be of the answer's size."""
    by_layout: dict[str, list[float]] = {}
    for reference in record.references:
        if reference.like == chosen.trial.layout_id and reference.card.test_score is not None:
            by_layout.setdefault(reference.layout, []).append(reference.card.test_score)
    return [statistics.fmean(scores) for scores in by_layout.values()]


@dataclass(frozen=True, slots=True)
class _Against:
    """Compares with the answer's test scores."""

    ours: list[float]
    sign: int

    def scores(self, name: str, n_parameters: int, theirs: Sequence[float]) -> Comparison:
        gain = difference_estimate(
            [self.sign * score for score in self.ours], [self.sign * score for score in theirs]
        )
        return Comparison(name, n_parameters, mean_estimate(theirs), gain)
