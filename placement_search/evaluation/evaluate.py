"""One evaluation, from a layout and a seed to a score card."""

import time
from dataclasses import dataclass, replace

from placement_search.adapted.model import AdaptedBackbone
from placement_search.evaluation.cost import count_costs, measure_latency_factor
from placement_search.evaluation.fine_tune import (
    Report,
    fine_tune,
    from_frozen_states,
    score_on,
)
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A request: train this layout from this seed, so long, and score it.

    Args:
        layout: What to attach; none for the head alone.
        seed: Fixes initial values and the order of examples.
        plan: How to train.
        is_final: Whether to read the test split, once.
        is_timed: Whether to measure latency, which depends on the layout and not on the seed.
    """

    layout: Layout
    seed: int
    plan: TrainingPlan
    is_final: bool = False
    is_timed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """A score card and the trained model behind it."""

    card: ScoreCard
    model: AdaptedBackbone


def evaluate(bench: Workbench, request: Evaluation, report: Report) -> Evaluated:
    """Train a layout and fill its score card.

    Args:
        bench: Backbone and data.
        request: Layout, seed and plan.
        report: Is told the validation score after every epoch; what it raises passes through.

    Raises:
        LayoutError: If the layout reaches beyond the backbone's last node.
        EvaluationError: If a loss or a score is not finite.
    """
    started = time.perf_counter()
    model = bench.adapted(request.layout, seed=request.seed)
    logits = from_frozen_states(model)
    trained = fine_tune(model, logits, bench, request.plan, seed=request.seed, report=report)
    seconds = time.perf_counter() - started
    costs = count_costs(model, bench.first(1), n_bare_flops=bench.n_bare_flops)
    if request.is_timed:
        factor = measure_latency_factor(model, bench.first(32))
        costs = replace(costs, latency_factor=factor)
    card = ScoreCard(
        score=trained.history[-1],
        history=trained.history,
        test_score=score_on(logits, bench, bench.test) if request.is_final else None,
        seed=request.seed,
        n_steps=trained.n_steps,
        train_seconds=seconds,
        costs=costs,
    )
    return Evaluated(card, model)
