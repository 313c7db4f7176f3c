"""One evaluation, from a layout and a seed to a score card."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor, nn

from placement_search.adapted.batches import Batch
from placement_search.adapted.model import (
    AdaptedBackbone,
    Examples,
    logits_together,
    nodes_together,
)
from placement_search.backbones.attention import fast_attention
from placement_search.evaluation.cost import measure_latency_factor
from placement_search.evaluation.member import Member
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.population import Population, score_on_test
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Split, Workbench
from placement_search.layout import Layout
from placement_search.modules.mask import settle_masks
from placement_search.profile import Work

Report = Callable[[int, float], None]
"""Is told each report that has a score, from 1, with it; may raise to stop the training."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A request: train this layout from this seed, so long, and score it.

    Args:
        layout: What to attach; none for the head alone.
        seed: Fixes initial values, and the order of examples where that has no seed of its own.
        plan: How to train.
        is_final: Whether to read the test split, once, and the validation split only at the end.
        is_timed: Whether to measure latency, which depends on the layout and not on the seed.
        order_seed: Fixes the order of examples; None for what ``seed`` gives.
        one_in: Trains on one in so many training examples; the head was probed on all of them.
    """

    layout: Layout
    seed: int
    plan: TrainingPlan
    is_final: bool = False
    is_timed: bool = False
    order_seed: int | None = None
    one_in: int = 1


@dataclass(frozen=True, slots=True, eq=False)
class Evaluated:
    """A score card and the trained model behind it."""

    card: ScoreCard
    model: AdaptedBackbone


def from_frozen_states(
    models: Sequence[nn.Module], split: Split, batches: Sequence[Batch]
) -> list[Tensor]:
    """The logits of adapted backbones, each for its own batch, from the split's frozen states."""
    adapted = cast("Sequence[AdaptedBackbone]", models)
    nodes = nodes_together([m.layout for m in adapted], adapted[0].backbone.graph)
    if len(set(map(id, batches))) == 1:
        # Scored together they see the same examples, whose states are then read once for all.
        shared = split.states.batch(batches[0], frozenset().union(*nodes))
        examples = [Examples(batches[0].of(split.inputs), shared)] * len(adapted)
    else:
        examples = [
            Examples(batch.of(split.inputs), split.states.batch(batch, each))
            for batch, each in zip(batches, nodes, strict=True)
        ]
    backbone = adapted[0].backbone
    with fast_attention(backbone.device, backbone.dtype, split.states.n_tokens(batches[0])):
        return logits_together(adapted, examples)


def new_population(bench: Workbench) -> Population:
    """A population of adapted backbones that train from the bench's frozen states."""
    return Population(bench, from_frozen_states)


def begin(population: Population, bench: Workbench, request: Evaluation) -> Member:
    """Let an evaluation take part in a population.

    Raises:
        LayoutError: If the layout reaches beyond the backbone's last node.
    """
    model = fresh_model(bench, request)
    return population.join(
        model,
        request.plan,
        _order(request),
        one_in=request.one_in,
        is_scored_once=request.is_final,
    )


def fresh_model(bench: Workbench, request: Evaluation) -> AdaptedBackbone:
    """What an evaluation starts from: probed head, masks that its first gradients choose.

    Raises:
        LayoutError: If the layout reaches beyond the backbone's last node.
    """
    model = bench.adapted(request.layout, seed=request.seed)
    settle_masks(model, lambda: _first_loss(model, bench, request), request.seed)
    return model


def _order(request: Evaluation) -> int:
    return request.seed if request.order_seed is None else request.order_seed


def _first_loss(model: AdaptedBackbone, bench: Workbench, request: Evaluation) -> Tensor:
    """The training loss of the first batch that the evaluation will train on."""
    generator = torch.Generator().manual_seed(_order(request))
    batches = bench.training_batches(request.one_in).shuffled(request.plan.batch_size, generator)
    (logits,) = from_frozen_states([model], bench.train, batches[:1])
    return bench.task.loss(logits, bench.train.labels[batches[0].indices])


def finish(bench: Workbench, request: Evaluation, member: Member) -> Evaluated:
    """The score card of a member that has trained all its epochs and left its population.

    Raises:
        EvaluationError: If a loss or a score was not finite.
    """
    if member.error is not None:
        raise member.error
    model = cast("AdaptedBackbone", member.model)
    with bench.profile.of(Work.COSTS):
        costs = bench.costs_of(model)
        if request.is_timed:
            factor = measure_latency_factor(model, bench.first(32))
            costs = replace(costs, latency_factor=factor)
    is_final = request.is_final
    test_score = score_on_test(model, from_frozen_states, bench) if is_final else None
    card = ScoreCard(
        score=member.history[-1],
        history=tuple(member.history),
        test_score=test_score,
        seed=request.seed,
        n_steps=member.n_steps,
        train_seconds=member.seconds,
        costs=costs,
    )
    return Evaluated(card, model)


def evaluate(bench: Workbench, request: Evaluation, report: Report) -> Evaluated:
    """Train a layout alone and fill its score card.

    Args:
        bench: Backbone and data.
        request: Layout, seed and plan.
        report: Is told every validation score; what it raises passes through.

    Raises:
        LayoutError: If the layout reaches beyond the backbone's last node.
        EvaluationError: If a loss or a score is not finite.
    """
    population = new_population(bench)
    member = begin(population, bench, request)
    population.run_out(member, report)
    return finish(bench, request, member)
