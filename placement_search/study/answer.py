"""The answer of a study: the recommended layout, and what it gains over the baselines."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median

from placement_search.evaluation.estimates import (
    Estimate,
    is_as_good,
    is_rounding,
    mean_estimate,
    standard_error,
)
from placement_search.evaluation.score_card import Costs, ScoreCard
from placement_search.study.comparisons import Against, Comparison
from placement_search.study.gaps import gaps_of
from placement_search.study.objective import cost_of
from placement_search.study.random_gain import RandomGain, is_random, random_gain
from placement_search.study.records import (
    CONFIRMATION,
    FULL_FINE_TUNING,
    SEARCHED,
    StudyRecord,
    TrialRecord,
)


@dataclass(frozen=True, slots=True)
class Finalist:
    """A layout after the finals.

    Args:
        trial: Its trial in the search.
        validation: Over fresh seeds, on the validation split.
        test: Over the same seeds, on the test split.
        cards: The score cards, by replicate.
        replicates: Which replicates those are; an interruption or a failure leaves gaps.
        is_too_slow: Whether its measured latency is over the study's limit, so that it can't be
            the answer although the prediction let it pass.
    """

    trial: TrialRecord
    validation: Estimate
    test: Estimate
    cards: tuple[ScoreCard, ...]
    replicates: tuple[int, ...]
    is_too_slow: bool = False

    @property
    def is_admitted(self) -> bool:
        """Whether space and budget admit it, by prediction and by measurement."""
        return self.trial.is_eligible and not self.is_too_slow

    @property
    def is_comparable(self) -> bool:
        """Whether it was retrained often enough to be compared; see `MIN_SEEDS`."""
        return len(self.cards) >= MIN_SEEDS

    @property
    def name(self) -> str:
        """The role where it has one of its own, the layout's notation where it was proposed."""
        return self.trial.name

    @property
    def validation_scores(self) -> list[float]:
        """One score per seed."""
        return [card.score for card in self.cards]

    @property
    def tests(self) -> dict[int, float]:
        """Test scores by replicate."""
        scores = {r: card.test_score for r, card in zip(self.replicates, self.cards, strict=True)}
        return {replicate: score for replicate, score in scores.items() if score is not None}

    @property
    def latencies(self) -> list[float]:
        """Measured at the first seed, or at each where the study limits latency."""
        factors = (card.costs.latency_factor for card in self.cards)
        return [factor for factor in factors if factor is not None]

    @property
    def costs(self) -> Costs:
        """Counted costs, and the median of the measured latencies."""
        measured = self.latencies
        return replace(self.cards[0].costs, latency_factor=median(measured) if measured else None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a study recommends.

    Args:
        chosen: The smallest admitted layout within one standard error of the best.
        best: The admitted layout with the best mean validation score.
        comparisons: The answer against each baseline, on the test split.
        random: Its gain over random layouts of its size, which is always told.
        floor: The mean that is one standard error from the best, on the side of worse ones.
        test: The answer's test score: from the seeds after the choice where there are some.
        n_confirming: How many those are; 0 where the test score is that of the finals, which
            flatters the answer.
    """

    chosen: Finalist
    best: Finalist
    comparisons: tuple[Comparison, ...]
    random: RandomGain
    floor: float
    test: Estimate
    n_confirming: int


ABOUT_AS_MANY = 0.1
"""FLOPs, in those of the bare backbone, by which layouts may differ and count as equal."""
MIN_SEEDS = 2
"""Retrainings that a layout needs to be compared: one has no spread."""


def read_finalists(record: StudyRecord) -> list[Finalist]:
    """All layouts that were retrained at least once, best mean validation score first."""
    by_layout: dict[str, dict[int, ScoreCard]] = {}
    for final in record.finals:
        by_layout.setdefault(final.layout_id, {})[final.replicate] = final.card
    slow = record.too_slow
    finalists = [
        Finalist(
            record.trial_of(layout_id),
            mean_estimate([card.score for card in cards.values()]),
            mean_estimate([c.test_score for c in cards.values() if c.test_score is not None]),
            tuple(cards.values()),
            tuple(cards),
            is_too_slow=layout_id in slow,
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
    budget admit, by measured latency too, and that were retrained at least twice, it takes the one
    with the fewest parameters whose mean is within one standard error of the best mean. Of equally
    small ones those fall out that need more FLOPs than another by a tenth of the bare backbone's,
    since a second pass has to be worth it; then the better mean decides. Where the study sets the
    score against another cost, the cheapest by that comes before the smallest. Baselines that are
    admitted, random ones too, may be the answer.
    """
    finalists = [f for f in read_finalists(record) if f.is_comparable]
    admitted = [finalist for finalist in finalists if finalist.is_admitted]
    if not admitted:
        return None
    sign, first = record.definition.sign, admitted[0].validation.mean
    ties = [f for f in admitted if is_rounding(f.validation.mean - first, first)]
    best = min(ties, key=lambda f: f.trial.n_adapter_parameters)
    floor = best.validation.mean - sign * standard_error(best.validation_scores)
    near = [f for f in admitted if is_as_good(f.validation.mean, floor, sign)]
    chosen = _smallest(_cheapest(near, record.definition.cost))[0]
    ours, is_picked = against(chosen, record), is_random(chosen.trial)
    random = random_gain(record, chosen.trial, ours, is_picked=is_picked)
    comparisons = tuple(_comparisons(record, chosen, finalists, random))
    return Answer(chosen, best, comparisons, random, floor, ours.test, len(ours.fresh))


def _cheapest(near: Sequence[Finalist], cost: str | None) -> Sequence[Finalist]:
    """Those that cost least by what the score is set against; all where the score is all."""
    if cost is None:
        return near
    costs = [cost_of(finalist.cards[0], cost) for finalist in near]
    return [f for f, each in zip(near, costs, strict=True) if each == min(costs)]


def _smallest(near: Sequence[Finalist]) -> list[Finalist]:
    """Those with the fewest parameters, of these those whose FLOPs are about the fewest; in order.

    Finalists come with the best mean first, so the first one is the best of them.
    """
    fewest = min(f.trial.n_adapter_parameters for f in near)
    small = [f for f in near if f.trial.n_adapter_parameters == fewest]
    least = min(f.cards[0].costs.flops_factor for f in small)
    return [f for f in small if f.cards[0].costs.flops_factor < least + ABOUT_AS_MANY]


def against(finalist: Finalist, record: StudyRecord) -> Against:
    """What compares other layouts with a finalist on the test split.

    By its trainings after it was chosen as the answer, if it was and they are there.
    """
    asked, layout_id = record.definition, finalist.trial.layout_id
    cards = [c.card for c in record.confirmations if c.layout_id == layout_id]
    fresh = [card.test_score for card in cards if card.test_score is not None]
    return Against(
        finalist.tests, asked.sign, asked.is_paired, fresh if len(fresh) >= MIN_SEEDS else ()
    )


def unconfirmed_seeds(record: StudyRecord, trial: TrialRecord) -> list[int]:
    """Seeds that an answer is still to be trained from again; those without a score are done."""
    held = {c.replicate for c in record.confirmations if c.layout_id == trial.layout_id}
    gaps = gaps_of(record.gaps, CONFIRMATION)
    held |= {replicate for layout_id, replicate in gaps if layout_id == trial.layout_id}
    return [replicate for replicate in range(1, record.goal.n_seeds + 1) if replicate not in held]


def _comparisons(
    record: StudyRecord, chosen: Finalist, finalists: Sequence[Finalist], random: RandomGain
) -> list[Comparison]:
    ours = against(chosen, record)
    others = [f for f in finalists if f is not chosen]
    randoms = [f for f in others if is_random(f.trial)]
    named = [f for f in others if f.trial.role != SEARCHED and f not in randoms]
    comparisons = [
        ours.layout(f.trial.role, f.trial.n_adapter_parameters, f.tests)
        for f in sorted(named, key=lambda f: f.trial.number)
    ]
    if random.comparison is not None:
        comparisons.append(random.comparison)
    elif len(randoms) > 1 and not is_random(chosen.trial):
        # Where the answer is one of them it was picked as the best, and the rest lie too low.
        # One value per random layout: its seeds share the placement, no independent draws of it.
        size = randoms[0].trial.n_adapter_parameters
        means = [f.test.mean for f in randoms]
        comparisons.append(ours.independent(f"{len(means)} random layouts", size, means))
    ceiling = [r.card for r in record.references if r.role == FULL_FINE_TUNING]
    scores = [card.test_score for card in ceiling if card.test_score is not None]
    if len(scores) >= MIN_SEEDS:
        size = ceiling[0].costs.n_adapter_parameters
        comparisons.append(ours.independent(FULL_FINE_TUNING, size, scores))
    return comparisons
