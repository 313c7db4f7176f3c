"""AdapterDrop's robust form: training passes without the connections into the lowest targets."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from placement_search.adapted.model import AdaptedBackbone, needed_nodes
from placement_search.adapted.states import bare_states
from placement_search.errors import EvaluationError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.modules import parse_layout
from placement_search.operations.drop import split_lowest
from placement_search.operations.rebuilt import rebuilt
from tests.evaluation.together import trained, weights
from tests.tiny_backbones import tiny_vit
from tests.tiny_task import tiny_bench

PLAN = TrainingPlan(epochs=2, batch_size=16)
DROPS = replace(PLAN, drop_lowest=2)
LAYOUTS = {
    "forward": "1>1:bottleneck(rank=2)+0>1:arc(rank=2)+1>3:bottleneck(rank=2)"
    "+4>4:bottleneck(rank=2)",
    "frozen first pass": "4>1:bottleneck(rank=2)+5>3:arc(rank=2)+2>4:bottleneck(rank=2)",
    "adapted first pass": "1>1:bottleneck(rank=2)+4>2:bottleneck(rank=2)+2>3:bottleneck(rank=2)"
    "|first_pass=adapted",
    "inside": "0>1:lora(rank=2)+2>3:hadamard+3>4:lora(rank=2)+5>5:bottleneck(rank=2)",
}
"""Of three targets at least."""


def random_model(notation: str, seed: int = 0) -> AdaptedBackbone:
    model = AdaptedBackbone(tiny_vit(), parse_layout(notation), n_outputs=3, seed=seed)
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)
    return model


def inputs_of(model: AdaptedBackbone) -> dict[str, Tensor]:
    return dict(model.backbone.made_up_inputs(4, seed=0))


@pytest.fixture(scope="module")
def bench() -> Workbench:
    """A tiny vision backbone on its task."""
    return tiny_bench()


@pytest.mark.parametrize("is_cached", [False, True])
@pytest.mark.parametrize("notation", LAYOUTS.values(), ids=LAYOUTS)
@torch.no_grad()
def test_a_training_pass_is_that_of_the_layout_without_its_lowest_targets(
    notation: str,
    is_cached: bool,
) -> None:
    """Of none, one or two, each of which comes; the first pass leaves out what the second does."""
    model = random_model(notation)
    inputs = inputs_of(model)
    smaller = [model, *(rebuilt(model, split_lowest(model.layout, n)[0]) for n in (1, 2))]
    expected = [each.eval()(inputs) for each in smaller]
    states = None
    if is_cached:
        nodes = needed_nodes(model.layout, model.backbone.graph)
        states = bare_states(model.backbone, inputs, nodes)
    model.train().drop_lowest = 2
    passes = [model(inputs, states) for _ in range(20)]
    found = [
        [torch.allclose(logits, each, rtol=1e-4, atol=1e-4) for each in expected]
        for logits in passes
    ]

    assert all(sum(matches) == 1 for matches in found)
    assert all(map(any, zip(*found, strict=True)))


def test_how_many_are_dropped_is_uniform() -> None:
    """From none to the number asked for, or all targets where there are fewer."""
    model = random_model(LAYOUTS["forward"]).train()
    counts = {}
    for most in (2, 9):
        model.drop_lowest = most
        drawn = [len({c.target for c, _ in model.drawn(4)}) for _ in range(1200)]
        counts[most] = Counter(drawn)

    assert set(counts[2]) == {1, 2, 3}
    assert set(counts[9]) == {0, 1, 2, 3}
    assert all(350 < n < 450 for n in counts[2].values())
    assert all(250 < n < 350 for n in counts[9].values())


def test_a_seed_fixes_what_is_dropped() -> None:
    """Another one drops others, and nothing else that is random takes part."""

    def drops(seed: int) -> list[int]:
        model = random_model(LAYOUTS["forward"], seed).train()
        model.drop_lowest = 3
        return [len(model.drawn(4)) for _ in range(20)]

    first, other = drops(0), drops(1)
    torch.manual_seed(5)

    assert drops(0) == first != other


@pytest.mark.parametrize("notation", LAYOUTS.values(), ids=LAYOUTS)
@torch.no_grad()
def test_evaluation_drops_nothing(notation: str) -> None:
    """And draws nothing: the passes of a training are the same however often it is evaluated."""
    model, twin = random_model(notation).eval(), random_model(notation).eval()
    inputs = inputs_of(model)
    expected = model(inputs)
    model.drop_lowest = twin.drop_lowest = 3

    assert all(torch.equal(model(inputs), expected) for _ in range(8))
    after, fresh = ([each.train()(inputs) for _ in range(8)] for each in (model, twin))
    assert torch.equal(torch.stack(after), torch.stack(fresh))


@torch.no_grad()
def test_without_it_training_passes_are_whole() -> None:
    """The same bits as in evaluation mode, of modules that draw nothing."""
    model = random_model(LAYOUTS["forward"])
    inputs = inputs_of(model)
    expected = model.eval()(inputs)

    assert all(torch.equal(model.train()(inputs), expected) for _ in range(8))


def test_a_dropped_connection_learns_nothing_in_that_pass() -> None:
    """Its gradient is zero, that of the others and of the head is not."""
    model = random_model(LAYOUTS["forward"]).train()
    model.drop_lowest = 2
    seen = set()
    for _ in range(20):
        state = model._drops.get_state()
        carried = {id(module) for _, module in model.drawn(4)}
        model._drops.set_state(state)
        model.zero_grad(set_to_none=False)
        model(inputs_of(model)).square().sum().backward()
        seen.add(len(carried))
        for _, module in model.wired:
            gradients = [p.grad for p in module.parameters() if p.grad is not None]
            assert any(g.any() for g in gradients) == (id(module) in carried)
        assert model.head.weight.grad is not None
        assert model.head.weight.grad.any()

    assert len(seen) == 3


@pytest.mark.slow
def test_a_score_is_the_same_alone_and_in_company(bench: Workbench) -> None:
    """Members that drop beside one that does not, and one that draws twice."""
    consistent = replace(DROPS, consistency=0.5)
    requests = [
        Evaluation(parse_layout(LAYOUTS["forward"]), 0, DROPS),
        Evaluation(parse_layout(LAYOUTS["adapted first pass"]), 1, DROPS),
        Evaluation(parse_layout(LAYOUTS["frozen first pass"]), 2, PLAN),
        Evaluation(parse_layout("2>2:adamix(rank=3)+3>1:adamix(rank=2)"), 3, consistent),
        Evaluation(Layout(), 4, DROPS),
    ]
    together = trained(bench, requests)

    for ours, request in zip(together, requests, strict=True):
        (alone,) = trained(bench, [request])
        # Some libraries' products round a row differently in a larger matrix.
        assert ours.history == pytest.approx(alone.history, rel=1e-5)
        torch.testing.assert_close(ours.losses, alone.losses, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(weights(ours), weights(alone), rtol=1e-3, atol=1e-4)


def test_a_plan_that_drops_trains_otherwise(bench: Workbench) -> None:
    """And the same twice."""
    layout = parse_layout(LAYOUTS["forward"])
    plain, dropped, again = (
        weights(trained(bench, [Evaluation(layout, 0, plan)])[0]) for plan in (PLAN, DROPS, DROPS)
    )

    assert torch.equal(dropped, again)
    assert not torch.allclose(plain, dropped)


def test_a_number_of_targets_is_not_negative() -> None:
    """The message names the rule and the value."""
    with pytest.raises(EvaluationError, match="drop_lowest must be at least 0, got -1"):
        TrainingPlan(drop_lowest=-1)
