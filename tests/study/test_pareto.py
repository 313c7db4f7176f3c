"""The score against a cost: an Optuna study of two directions, and a pruning rule of our own."""

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from placement_search.errors import StudyError
from placement_search.layout import Layout
from placement_search.modules import count_parameters
from placement_search.places import Places
from placement_search.study import records
from placement_search.study.front import pareto_front
from placement_search.study.objective import COSTS, cost_of, parse_objective
from placement_search.study.pruners.median import MedianPruner
from placement_search.study.pruners.none import NoPruner
from placement_search.study.pruners.pareto import ParetoPruner
from placement_search.study.records import TrialRecord
from placement_search.study.storage import open_storage
from tests.study.stub_engine import StubEngine
from tests.study.stub_search import interrupt_at, outcome, run
from tests.tiny_records import score_card, study_record, trial

N_BASELINES = 8


def size(layout: Layout) -> float:
    return count_parameters(layout, Places(16))


def search(folder: Path, engine: StubEngine, n: int, pruner: str = "median") -> list[FrozenTrial]:
    folder.mkdir(exist_ok=True)
    return run(folder, engine, n, pruner=pruner, concurrency=3, cost=size)


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", pytest.param("hyperband", marks=pytest.mark.slow)])
def test_an_interrupted_study_ends_as_an_uninterrupted_one(tmp_path: Path, pruner: str) -> None:
    """With two objectives as with one, whatever was under way and in whatever order."""
    whole = search(tmp_path / "whole", StubEngine(), 40, pruner)
    for number, epoch, order in ((3, 2, None), (20, 1, 0), (2, 3, 1)):
        engine = StubEngine(at_epoch=interrupt_at(number, epoch), order=order)
        with pytest.raises(KeyboardInterrupt):
            search(tmp_path / "parts", engine, 40, pruner)
    parts = search(tmp_path / "parts", StubEngine(order=2), 40, pruner)

    assert outcome(parts) == outcome(whole)
    assert {t.state for t in whole} == {TrialState.COMPLETE, TrialState.PRUNED}


@pytest.mark.slow
def test_it_is_an_ordinary_study_of_two_objectives(tmp_path: Path) -> None:
    """Values of complete and of pruned trials, scores on the way, and Optuna's own front."""
    trials = search(tmp_path, StubEngine(), 40)
    study = optuna.load_study(
        study_name="study",
        storage=open_storage(f"sqlite:///{tmp_path}/study.db", must_exist=True),
    )

    for each in trials:
        assert each.values == [
            max(each.intermediate_values.values()),
            each.user_attrs[records.COST],
        ]
    assert len(study.best_trials) > 1
    assert all(each.state is TrialState.COMPLETE for each in study.best_trials)


def pareto(costs: Sequence[float], *, with_median: bool = False) -> ParetoPruner:
    def make() -> MedianPruner | NoPruner:
        return MedianPruner(4) if with_median else NoPruner()

    return ParetoPruner(make, costs.__getitem__)


def learned(pruner: ParetoPruner, curves: Sequence[Sequence[float]]) -> ParetoPruner:
    for number, curve in enumerate(curves):
        pruner.learn(number, dict(enumerate(curve, start=1)), is_complete=True)
    return pruner


CURVES = [[0.1, 0.3, 0.4, 0.5], [0.2, 0.3, 0.5, 0.6], [0.3, 0.4, 0.6, 0.7], [0.4, 0.6, 0.7, 0.8],
          [0.5, 0.6, 0.8, 0.9]]  # fmt: skip
"""Each gains 0.4 in all; after the second report 0.3 at most."""


def test_what_even_the_largest_gain_leaves_dominated_is_stopped() -> None:
    """The best that costs no more ended at 0.9, and from the second report 0.3 can be gained."""
    measure = learned(pareto([1, 2, 3, 4, 5, 5]), CURVES).measure(5)

    assert measure.is_missed_by({1: 0.49})
    assert not measure.is_missed_by({1: 0.51})
    assert measure.is_missed_by({1: 0.51, 2: 0.59})
    assert not measure.is_missed_by({1: 0.51, 2: 0.61})


def test_what_costs_less_than_all_is_never_dominated() -> None:
    """It comes upon the front however bad it is, and no bar of larger ones stops it."""
    for with_median in (False, True):
        measure = learned(pareto([1, 2, 3, 4, 5, 0], with_median=with_median), CURVES).measure(5)

        assert not measure.is_missed_by({1: 0.0, 2: 0.0, 3: 0.0})


def test_the_chosen_pruner_judges_among_what_costs_no_more() -> None:
    """A median of the small ones for the small, of all for the large."""
    costs = [*range(10), 4, 9]
    curves = [[level / 10] * 4 for level in range(10)]
    pruner = learned(pareto(costs, with_median=True), curves)
    small, large = pruner.measure(10), pruner.measure(11)

    assert not small.is_missed_by({1: 0.4})
    assert large.is_missed_by({1: 0.4})


def test_few_trials_dominate_nothing() -> None:
    """They don't show what can be gained."""
    measure = learned(pareto([1, 2, 3, 4, 5, 5]), CURVES[:4]).measure(5)

    assert not measure.is_missed_by({1: 0.0})


def test_no_trial_of_the_front_is_stopped_by_dominance() -> None:
    """Where later gains are no larger than those seen, who would reach the front is let pass."""
    generator = random.Random(0)  # noqa: S311
    gains = [0.0, 0.2, 0.3, 0.35]
    levels = [generator.random() for _ in range(40)]
    costs = [generator.randrange(20) for _ in levels]
    curves = [[level + gain for gain in gains] for level in levels]
    pruner = learned(pareto([*costs, 10]), curves)
    best = max(level for level, cost in zip(levels, costs, strict=True) if cost <= 10)

    for report, gain in enumerate(gains[:3], start=1):
        assert not pruner.measure(40).is_missed_by({report: best + gain + 1e-9})
        assert pruner.measure(40).is_missed_by({report: best + gain - 1e-6})


def scored(
    number: int, score: float, n_parameters: int, *, is_eligible: bool = True
) -> TrialRecord:
    made = trial(number, "0>1:bottleneck", score, is_eligible=is_eligible)
    card = score_card("0>1:bottleneck", score)
    costs = replace(card.costs, n_adapter_parameters=n_parameters)
    return replace(made, card=replace(card, costs=costs))


def test_the_front_holds_what_nothing_beats() -> None:
    """Cheapest first; equals once, what the space does not admit never."""
    trials = [
        scored(0, 0.9, 50, is_eligible=False),
        scored(1, 0.5, 10),
        scored(2, 0.5, 10),
        scored(3, 0.4, 20),
        scored(4, 0.7, 30),
        scored(5, 0.8, 30),
        scored(6, 0.8, 40),
    ]

    assert [t.number for t in pareto_front(study_record(trials), "parameters")] == [1, 5]


@pytest.mark.parametrize("cost", COSTS)
def test_every_cost_can_be_asked_for(cost: str) -> None:
    """With or without a space, and it is read from a score card."""
    assert parse_objective(f"score, {cost}") == cost
    assert cost_of(score_card("0>1:bottleneck", 0.5), cost) > 0


def test_the_score_alone_is_the_default() -> None:
    """It has no cost."""
    assert parse_objective("score") is None


@pytest.mark.parametrize("objective", ["", "flops", "score,latency", "score,flops,bytes"])
def test_another_objective_is_refused(objective: str) -> None:
    """With what could have been asked for."""
    with pytest.raises(StudyError, match="--objective takes one of score; score,parameters"):
        parse_objective(objective)
