"""Consistency: a second pass of layouts that draw at random, and how far it is from the first."""

import copy
import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import EvaluationError
from placement_search.evaluation.evaluate import Evaluation, new_population
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from placement_search.tasks.metrics import METRICS
from placement_search.tasks.target import Target
from placement_search.tasks.task import Examples, Task
from tests.evaluation.together import trained, weights
from tests.tiny_backbones import tiny_vit
from tests.tiny_task import tiny_task

PLAN = TrainingPlan(epochs=2, batch_size=16, consistency=0.7)
WHOLE = replace(PLAN, epochs=1, batch_size=48, learning_rate=1e-9)
"""One step on all examples, whose loss is that of the weights at the start."""
DRAWS, DRAWS_NOT = "2>2:adamix(rank=3)+3>1:adamix(rank=2,share_up=false)", "2>2:bottleneck+1>3:arc"


def task_of(target: Target) -> Task:
    """The quarters as one class, as a set of two labels, or as a number."""
    task = tiny_task()
    if target is Target.SINGLE_LABEL:
        return task

    def relabelled(examples: Examples) -> Examples:
        classes = examples.labels
        if target is Target.REGRESSION:
            return Examples(examples.inputs, classes.float())
        return Examples(examples.inputs, torch.stack([classes // 2, classes % 2], dim=1).float())

    names, metric = {
        Target.REGRESSION: (("quarter",), "rmse"),
        Target.MULTI_LABEL: (("bottom", "right"), "micro_f1"),
    }[target]
    return replace(
        task,
        target=target,
        label_names=names,
        metric=METRICS[metric],
        train=relabelled(task.train),
        validation=relabelled(task.validation),
        test=relabelled(task.test),
    )


@pytest.fixture(scope="module", params=list(Target))
def bench(request: pytest.FixtureRequest) -> Workbench:
    """Each sort of label in turn."""
    return Workbench(tiny_vit(), task_of(request.param))


def asked(notation: str, plan: TrainingPlan = PLAN, seed: int = 0) -> Evaluation:
    return Evaluation(parse_layout(notation), seed, plan)


def with_random_weights(bench: Workbench, notation: str) -> AdaptedBackbone:
    model = bench.adapted(parse_layout(notation))
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return model.train()


@pytest.mark.slow
def test_the_loss_is_that_of_one_pass_and_the_divergence_of_two(bench: Workbench) -> None:
    """As in AdaMix: no second task loss, and the weight that was asked for."""
    model = with_random_weights(bench, "2>2:adamix(rank=3)")
    twin = copy.deepcopy(model.adapters)
    population = new_population(bench)
    member = population.join(model, WHOLE, seed=0)
    (batch,) = copy.copy(member.batches).ordered(48)
    with torch.no_grad():
        other = with_random_weights(bench, "2>2:adamix(rank=3)")
        other.adapters = twin
        first, second = (other(batch.of(bench.train.inputs)) for _ in range(2))
    population.run_epoch()

    labels = bench.train.labels
    expected = bench.task.loss(first, labels) + 0.7 * bench.task.divergence(first, second)
    assert not torch.equal(first, second)
    assert member.losses[0] == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.slow
def test_a_score_is_the_same_alone_and_in_company(bench: Workbench) -> None:
    """Members with and without a second pass, with and without anything to draw."""
    requests = [
        asked(DRAWS),
        asked(DRAWS_NOT, seed=1),
        asked(DRAWS, replace(PLAN, consistency=0.0), seed=2),
        asked(DRAWS + "|first_pass=adapted", seed=3),
    ]
    together = trained(bench, requests)

    for ours, request in zip(together, requests, strict=True):
        (alone,) = trained(bench, [request])
        # Some libraries' products round a row differently in a larger matrix.
        assert ours.history == pytest.approx(alone.history, rel=1e-5)
        torch.testing.assert_close(ours.losses, alone.losses, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(weights(ours), weights(alone), rtol=1e-3, atol=1e-4)


@pytest.mark.slow
def test_it_changes_a_training_that_draws_and_no_other(bench: Workbench) -> None:
    """Where two passes are the same there is nothing to compare."""
    without = replace(PLAN, consistency=0.0)
    pairs = {
        notation: trained(bench, [asked(notation, plan) for plan in (PLAN, without)])
        for notation in (DRAWS, DRAWS_NOT, "2>2:adamix(experts=1)")
    }
    same = {n: torch.equal(weights(one), weights(other)) for n, (one, other) in pairs.items()}

    assert same == {DRAWS: False, DRAWS_NOT: True, "2>2:adamix(experts=1)": True}


@pytest.mark.parametrize(
    ("notation", "consistency", "n_calls"),
    [(DRAWS, 1.0, 2), (DRAWS, 0.0, 1), ("2>2:adamix(experts=1)", 1.0, 1)],
)
def test_a_second_pass_is_paid_for_where_it_is_asked_for_and_differs(
    bench: Workbench, notation: str, consistency: float, n_calls: int
) -> None:
    """Modules are called once in a step, or twice."""
    model = with_random_weights(bench, notation)
    calls: list[bool] = []
    model.adapters[0].register_forward_hook(lambda module, *_: calls.append(module.training))
    population = new_population(bench)
    population.join(model, replace(WHOLE, consistency=consistency), seed=0)
    population.run_epoch()

    assert sum(calls) == n_calls


@pytest.mark.parametrize("weight", [-0.1, math.inf, math.nan])
def test_a_weight_is_not_negative_and_finite(weight: float) -> None:
    """The message names the rule and the value."""
    with pytest.raises(EvaluationError, match="consistency must be at least 0 and finite, got"):
        TrainingPlan(consistency=weight)
