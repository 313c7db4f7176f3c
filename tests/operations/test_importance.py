"""Measures of how much a trained layout needs a connection."""

import pytest
import torch

from placement_search.adapted.model import AdaptedBackbone
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Connection
from placement_search.operations.importance import MEASURES, measured_batches
from tests.operations.conftest import as_trained
from tests.tiny_task import tiny_bench

LAYOUT = "1>1:bottleneck(rank=2)+1>4:bottleneck(rank=2)+6>3:bottleneck(rank=2)"


@pytest.fixture(scope="module")
def quarters() -> Workbench:
    return tiny_bench()


@pytest.mark.parametrize("name", MEASURES)
def test_a_connection_that_adds_nothing_is_worth_nothing(name: str, quarters: Workbench) -> None:
    """Its scale is zero, so neither removing nor scaling it changes a loss."""
    model = as_trained(quarters, LAYOUT.replace("(rank=2)+6", "(rank=2,scale=0.0)+6"), seed=1)
    found = {c.target: value for c, value in _measured(name, quarters, model).items()}

    assert found[4] == 0
    assert found[1] != 0


@pytest.mark.parametrize("name", MEASURES)
def test_what_others_share_makes_nothing_worth_more(name: str, quarters: Workbench) -> None:
    """An ARC connection whose factors and bias are zero adds nothing, whatever the projection."""
    model = as_trained(quarters, "1>1:arc(rank=2)+1>4:arc(rank=2)", seed=1)
    with torch.no_grad():
        for connection, module in model.wired:
            if connection.target == 4:
                module.get_parameter("factors").zero_()
                module.get_parameter("bias").zero_()
    found = {c.target: value for c, value in _measured(name, quarters, model).items()}

    assert found[4] == 0
    assert found[1] != 0


@pytest.mark.parametrize("name", MEASURES)
def test_measuring_leaves_the_model_as_it_was(name: str, quarters: Workbench) -> None:
    """Weights, modes and gradients; and the same numbers come out again."""
    model = as_trained(quarters, LAYOUT, seed=1)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    once, again = (_measured(name, quarters, model) for _ in range(2))

    assert once == again
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert not model.training
    assert all(p.grad is None for p in model.parameters())


def test_the_first_order_is_that_of_the_loss(quarters: Workbench) -> None:
    """``Σ θ·∂L/∂θ`` is the slope of the loss as all of a connection's parameters are scaled."""
    model = as_trained(quarters, LAYOUT, seed=1)
    (batch,) = measured_batches(quarters, 0, seed=0)
    found = MEASURES["taylor"](quarters, model, [batch])

    def loss_at(factor: float, index: int) -> float:
        scaled = as_trained(quarters, LAYOUT, seed=1)
        with torch.no_grad():
            for parameter in list(scaled.adapters)[index].parameters():
                parameter.mul_(factor)
            logits = scaled(batch.of(quarters.train.inputs))
            labels = quarters.train.labels[batch.indices]
            return float(quarters.task.loss(logits, labels))

    for index, connection in enumerate(model.layout.connections):
        slope = (loss_at(1.01, index) - loss_at(0.99, index)) / 0.02

        # Losses near 1 in float32 are exact to 1e-7, so the slope to 1e-5, and its curve is small.
        assert found[connection] == pytest.approx(abs(slope), rel=0.05, abs=1e-3)


def test_examples_are_drawn_by_a_seed_in_whole_batches(quarters: Workbench) -> None:
    """All of them where none are asked for."""
    one, same, other = (measured_batches(quarters, 0, seed)[0].indices for seed in (0, 0, 1))
    assert measured_batches(quarters, 0, 2**64)  # more than torch takes

    assert torch.equal(one, same)
    assert not torch.equal(one, other)
    assert sum(map(len, measured_batches(quarters, 0, 0))) == len(quarters.task.train)


def _measured(name: str, bench: Workbench, model: AdaptedBackbone) -> dict[Connection, float]:
    return dict(MEASURES[name](bench, model, measured_batches(bench, 0, seed=0)))
