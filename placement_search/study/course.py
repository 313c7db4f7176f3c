"""The course of a trial: the trainings that it consists of, and what they report.

Usually it is one training, scored as it goes. Over parts of the data it is a training on a ninth of
the examples, then one on a third, then one on all, each anew; with replicates it is as many
trainings from different seeds. Then the end of each training is a report.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

from placement_search.errors import StudyError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.layout import Layout
from placement_search.study.pruners.pruner import Horizon
from placement_search.study.pruners.successive_halving import REDUCTION_FACTOR
from placement_search.study.pruners.wilcoxon import MIN_REPLICATES
from placement_search.study.seeds import derive_seed

EPOCHS, DATA = "epochs", "data"
FIDELITIES = (EPOCHS, DATA)
"""What a trial gets more of from rung to rung."""
PARTS = (9, 3, 1)
"""One in so many training examples, rung by rung; each rung has three times as many."""
FOR_RUNGS = ("median", "successive-halving", "hyperband")
"""Pruners that judge trials over parts of the data."""
WILCOXON = "wilcoxon"


@dataclass(frozen=True, slots=True)
class Leg:
    """One training of a trial.

    Args:
        request: The training.
        report: The number of its end among the trial's reports; None where each of its own
            reports is one.
    """

    request: Evaluation
    report: int | None

    def report_of(self, own: int) -> int | None:
        """The trial's report that the training's own is; None where it is none."""
        if self.report is None:
            return own
        return self.report if own == self.request.plan.n_reports else None


@dataclass(frozen=True, slots=True)
class Course:
    """How the trials of a study run.

    Args:
        plan: How every layout is trained.
        fidelity: ``epochs`` for one training, ``data`` for one on each part of the examples.
        replicates: Trainings from different seeds, whose mean is the score.
    """

    plan: TrainingPlan
    fidelity: str = EPOCHS
    replicates: int = 1

    @property
    def n_reports(self) -> int:
        """Scores that a whole trial reports."""
        if self.fidelity == DATA:
            return len(PARTS)
        return self.replicates if self.replicates > 1 else self.plan.n_reports

    def horizon(self, study_name: str) -> Horizon:
        """What pruners need to know."""
        rungs = [1]
        while (following := self._rung_after(rungs[-1])) <= self.n_reports:
            rungs.append(following)
        return Horizon(self.n_reports, tuple(rungs), study_name)

    def _rung_after(self, report: int) -> int:
        return report + 1 if self.fidelity == DATA else report * REDUCTION_FACTOR

    def legs(self, layout: Layout, seed: int, first_report: int) -> list[Leg]:
        """The trainings of a trial, in turn.

        Args:
            layout: The trial's.
            seed: The study's.
            first_report: Parts of the data before this one are skipped.
        """
        own = Evaluation(layout, derive_seed(seed, layout.id, 0), self.plan)
        if self.fidelity == DATA:
            parts = list(enumerate(PARTS, start=1))[first_report - 1 :]
            return [Leg(replace(own, one_in=one_in), report) for report, one_in in parts]
        if self.replicates == 1:
            return [Leg(own, None)]
        # The same seeds for every layout, so that replicates of two can be compared in pairs.
        seeds = [derive_seed(seed, "replicate", replicate) for replicate in range(self.replicates)]
        return [
            Leg(replace(own, seed=replicate_seed), report)
            for report, replicate_seed in enumerate(seeds, start=1)
        ]

    def value(self, scores: Mapping[int, float]) -> float:
        """The score of a trial that has reported so: the last one, or the mean of replicates."""
        return fmean(scores.values()) if self.replicates > 1 else scores[max(scores)]

    def card(self, cards: Sequence[ScoreCard]) -> ScoreCard:
        """The score card of a trial from those of its trainings.

        It counts the steps and the time of all of them. Over parts of the data it is else that of
        the last; of replicates scores are means, seed and costs the first one's.
        """
        whole = replace(
            cards[-1] if self.replicates == 1 else cards[0],
            n_steps=sum(card.n_steps for card in cards),
            train_seconds=sum(card.train_seconds for card in cards),
        )
        if self.replicates == 1:
            return whole
        history = tuple(map(fmean, zip(*(card.history for card in cards), strict=True)))
        return replace(whole, score=history[-1], history=history)

    def check(self, pruner: str) -> None:
        """Check that a pruner can judge such trials.

        Raises:
            StudyError: Saying what does not go together.
        """
        several = self.replicates > 1 or self.fidelity == DATA
        rules = {
            f"--fidelity data needs a pruner that judges by rungs, one of {', '.join(FOR_RUNGS)}; "
            f"got --pruner {pruner}": self.fidelity != DATA or pruner in FOR_RUNGS,
            f"--replicates goes with --pruner wilcoxon or none, got {pruner}; leave it out, or "
            "choose one of them": self.replicates == 1 or pruner in {WILCOXON, "none"},
            f"--pruner wilcoxon needs --replicates {MIN_REPLICATES} at least, since fewer can't "
            f"tell before the last; got {self.replicates}": pruner != WILCOXON
            or self.replicates >= MIN_REPLICATES,
            "--reports-per-epoch has no use where trials report at the end of each training "
            "(--fidelity data, --replicates); leave it out": not several
            or self.plan.reports_per_epoch == 1,
        }
        broken = [rule for rule, is_kept in rules.items() if not is_kept]
        if broken:
            raise StudyError("; ".join(broken))
