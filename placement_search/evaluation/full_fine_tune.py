"""Full fine-tuning: every weight of a copy of the backbone trained, as a ceiling for adapters."""

import copy
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from placement_search.adapted.batches import Batch
from placement_search.adapted.states import pooled
from placement_search.backbones.graph import ResidualGraph
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.population import Population, score_on_test
from placement_search.evaluation.score_card import Costs, ScoreCard
from placement_search.evaluation.workbench import Split, Workbench
from placement_search.layout import Layout


class FullyTrained(nn.Module):
    """A copy of the backbone, all of it trainable, in float32, with the probed head.

    Args:
        bench: Backbone, pooling and head.
    """

    def __init__(self, bench: Workbench) -> None:
        super().__init__()
        self.model = copy.deepcopy(bench.backbone.graph.model).float()
        self.model.requires_grad_(requires_grad=True)
        self.head = bench.adapted(Layout()).head
        self._graph = ResidualGraph(self.model, bench.backbone.graph.family)
        self._pooling = bench.pooling

    def forward(self, inputs: dict[str, Tensor]) -> Tensor:
        """Logits of shape ``(batch, n_outputs)``."""
        features = pooled(self._graph.run(inputs), self._graph.token_mask(inputs), self._pooling)
        logits: Tensor = self.head(features)
        return logits


def _whole_passes(
    models: Sequence[nn.Module], split: Split, batches: Sequence[Batch]
) -> list[Tensor]:
    """The logits of each model for its own batch, from the inputs themselves."""
    return [model(batch.of(split.inputs)) for model, batch in zip(models, batches, strict=True)]


def full_fine_tune(
    bench: Workbench,
    plan: TrainingPlan,
    seed: int,
    *,
    is_final: bool = False,
) -> ScoreCard:
    """Train every weight of a copy of the backbone, with dropout where it has any.

    Args:
        bench: Backbone and data; the backbone itself is not changed.
        plan: As for adapters, with a learning rate of its own.
        seed: Fixes the order of examples and dropout.
        is_final: Whether to read the test split, once, and the validation split only at the end.

    Raises:
        EvaluationError: If a loss or a score is not finite.
    """
    model = FullyTrained(bench)
    population = Population(bench, _whole_passes)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        member = population.join(model, plan, seed, is_scored_once=is_final)
        population.run_out(member, lambda *_: None)
    test_score = score_on_test(model, _whole_passes, bench) if is_final else None
    return ScoreCard(
        score=member.history[-1],
        history=tuple(member.history),
        test_score=test_score,
        seed=seed,
        n_steps=member.n_steps,
        train_seconds=member.seconds,
        costs=_costs(model, bench),
    )


def _costs(model: FullyTrained, bench: Workbench) -> Costs:
    n_backbone, n_head = (
        sum(p.numel() for p in part.parameters()) for part in (model.model, model.head)
    )
    return Costs(
        n_adapter_parameters=n_backbone,
        n_head_parameters=n_head,
        n_bytes=4 * (n_backbone + n_head),
        n_flops=bench.n_bare_flops,
        flops_factor=1.0,
        latency_factor=None,
    )
