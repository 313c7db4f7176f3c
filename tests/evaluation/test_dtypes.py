"""A backbone in bfloat16: its states are, adapters, head and scores are not."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from placement_search.adapted.batches import batch_of
from placement_search.adapted.frozen import frozen_states
from placement_search.adapted.model import AdaptedBackbone, needed_nodes
from placement_search.backbones.loading import Backbone, as_backbone
from placement_search.evaluation.evaluate import Evaluation, evaluate
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from placement_search.study.proxy_map import compute_proxy_map
from tests.tiny_backbones import tiny_bert, tiny_vit
from tests.tiny_task import tiny_task

ALL_KINDS = "2>2:bottleneck(rank=2)+1>2:bottleneck(rank=2)+0>5:bottleneck+6>1:bottleneck(rank=4)"


def halved(make: Callable[[], Backbone]) -> Backbone:
    """The same backbone in bfloat16."""
    whole = make()
    model = whole.graph.model.to(torch.bfloat16)
    return as_backbone(model, "halved", input_format=whole.input_format)


@pytest.mark.parametrize("make", [tiny_vit, tiny_bert])
def test_a_fresh_layout_changes_no_bit(make: Callable[[], Backbone]) -> None:
    """Adding zero in float32 and rounding it back is adding zero."""
    backbone = halved(make)
    inputs = backbone.made_up_inputs(3, seed=0)
    model = AdaptedBackbone(backbone, parse_layout(ALL_KINDS), n_outputs=2)

    assert torch.equal(model.hidden_states(inputs), backbone.graph.run(inputs))
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model(inputs).dtype == torch.float32


@pytest.mark.parametrize("make", [tiny_vit, tiny_bert])
def test_cached_states_are_kept_in_bfloat16_and_give_the_full_pass(
    make: Callable[[], Backbone],
) -> None:
    """Half the memory, the same logits, and gradients for every adapter.

    The tolerance is bfloat16's: in the middle of a pre-norm block a full pass adds to the update
    what a pass that starts there adds to the state, and the sum is rounded once more.
    """
    backbone = halved(make)
    inputs = backbone.made_up_inputs(4, seed=0)
    model = AdaptedBackbone(backbone, parse_layout(ALL_KINDS), n_outputs=2)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=torch.Generator().manual_seed(1))
    nodes = needed_nodes(model.layout, backbone.graph)
    states = frozen_states(backbone, inputs, 10**9).batch(batch_of(inputs, torch.arange(4)), nodes)
    assert states is not None
    logits = model(inputs, states)
    logits.sum().backward()

    assert {state.dtype for state in states.values()} == {torch.bfloat16}
    torch.testing.assert_close(logits, model(inputs), rtol=2**-7, atol=2**-6)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.slow
def test_a_layout_is_trained_and_mapped() -> None:
    """Scores are finite and better than guessing among four classes."""
    bench = Workbench(halved(tiny_vit), tiny_task())
    plan = TrainingPlan(epochs=3, batch_size=16)
    card = evaluate(bench, Evaluation(parse_layout(ALL_KINDS), 0, plan), _ignored).card
    scores = compute_proxy_map(bench, seed=0, n_examples=16).scores

    assert card.score > 0.25
    assert all(torch.tensor(values).isfinite().all() for values in scores.values())


def _ignored(_epoch: int, _score: float) -> None:
    pass
