"""The ceiling: a copy of the backbone is trained whole, the backbone itself is not touched."""

import pytest
import torch

from placement_search.adapted.batches import take
from placement_search.backbones.loading import fingerprint
from placement_search.engine.in_process import InProcessEngine
from placement_search.evaluation.full_fine_tune import FullyTrained, full_fine_tune
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from tests.tiny_task import tiny_bench

PLAN = TrainingPlan(epochs=4, batch_size=16, learning_rate=3e-3)


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """A tiny vision backbone and task."""
    return tiny_bench()


@pytest.mark.slow
def test_the_backbone_is_left_as_it_was(bench: Workbench) -> None:
    """Weights bit by bit, frozen, in evaluation mode; random numbers of others too."""
    model = bench.backbone.graph.model
    before = fingerprint(model.state_dict()), torch.random.get_rng_state()
    full_fine_tune(bench, PLAN, seed=0)

    assert fingerprint(model.state_dict()) == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert not model.training
    assert not any(p.requires_grad or p.grad is not None for p in model.parameters())


def test_it_starts_from_the_backbone_and_the_probed_head(bench: Workbench) -> None:
    """Untrained, it gives the head's logits on the bare backbone's features."""
    model = FullyTrained(bench).eval()
    indices = torch.arange(5)
    features = bench.validation.states.features[bench.pooling][indices]

    logits = model(take(bench.validation.inputs, indices))

    torch.testing.assert_close(logits, bench.head.logits(features), rtol=1e-5, atol=1e-5)


def test_every_weight_is_trained_and_it_learns(bench: Workbench) -> None:
    """The score is better than the head's, and the count is that of the whole model."""
    card = full_fine_tune(bench, PLAN, seed=0, is_final=True)
    features = bench.validation.states.features[bench.pooling]
    of_head = bench.task.score(bench.head.logits(features), bench.validation.labels)

    assert card.costs.n_adapter_parameters == bench.backbone.facts.n_parameters
    assert card.history == (card.score,)
    assert card.test_score is not None
    assert card.score > of_head


def test_a_seed_gives_the_same_score_again(bench: Workbench) -> None:
    """Dropout and order of examples derive from it."""
    first, again = (full_fine_tune(bench, PLAN, seed=3).history for _ in range(2))

    assert first == again


@pytest.mark.slow
def test_the_test_split_is_read_by_finals_alone(bench: Workbench) -> None:
    """Choosing a learning rate reads validation scores."""
    fresh = Workbench(bench.backbone, bench.task)
    card = InProcessEngine(fresh).run_fully(PLAN, 0, is_final=False)

    assert card.test_score is None
    assert "test" not in vars(fresh)
