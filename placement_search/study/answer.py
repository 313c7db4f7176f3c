"""The answer of a study: the recommended layout, and what it gains over the baselines."""

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
from placement_search.study.records import StudyRecord, TrialRecord


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
        name: The baseline, or ``random layouts`` for the mean of them.
        n_adapter_parameters: What the baseline costs.
        test: The baseline's test score.
        gain: The answer's mean minus the baseline's.
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
    return sorted(finalists, key=lambda f: (-f.validation.mean, f.trial.n_adapter_parameters))


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
    best = admitted[0]
    floor = best.validation.mean - standard_error(best.validation_scores)
    near = [finalist for finalist in admitted if finalist.validation.mean >= floor]
    chosen = min(near, key=lambda f: (f.trial.n_adapter_parameters, -f.validation.mean))
    return Answer(chosen, best, tuple(_comparisons(chosen, finalists)))


def _comparisons(chosen: Finalist, finalists: Sequence[Finalist]) -> list[Comparison]:
    baselines = [f for f in finalists if f.trial.is_baseline and f is not chosen]
    random = [f for f in baselines if f.trial.role.startswith(RANDOM)]
    named = sorted((f for f in baselines if f not in random), key=lambda f: f.trial.number)
    comparisons = [
        _comparison(f.trial.role, f.trial.n_adapter_parameters, chosen, f.test_scores)
        for f in named
    ]
    if len(random) > 1:
        # One value per layout: its seeds share the placement and are not independent draws of it.
        means = [f.test.mean for f in random]
        size = random[0].trial.n_adapter_parameters
        comparisons.append(_comparison(f"{len(random)} random layouts", size, chosen, means))
    return comparisons


def _comparison(
    name: str, n_parameters: int, chosen: Finalist, theirs: Sequence[float]
) -> Comparison:
    gain = difference_estimate(chosen.test_scores, theirs)
    return Comparison(name, n_parameters, mean_estimate(theirs), gain)
