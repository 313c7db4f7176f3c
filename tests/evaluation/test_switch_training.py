"""All connections at once, each behind a switch."""

import itertools
from dataclasses import replace
from statistics import fmean

import pytest
import torch
from torch import Tensor, nn

from placement_search.adapted.model import AdaptedBackbone, Examples, logits_together
from placement_search.backbones.loading import Backbone
from placement_search.errors import EvaluationError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.switch_training import TrainedSwitches, train_switches
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from placement_search.modules import switch as switch_module
from placement_search.modules.switch import Switch, switched
from placement_search.tasks.task import Examples as Labelled
from placement_search.tasks.task import Task
from tests.tiny_backbones import tiny_vit
from tests.tiny_task import tiny_bench, tiny_task

PLAN = TrainingPlan(epochs=3, batch_size=16)
LAYOUT = "0>1:bottleneck(rank=2)+2>2:bottleneck(rank=2)+5>3:bottleneck(rank=2)"


INSIDE = "0>1:lora(rank=2)+1>2:adapter_bias+2>3:hadamard+3>4:lora(gate=true,rank=2)"


def learned(bench: Workbench, notation: str, plan: TrainingPlan, seed: int = 0) -> TrainedSwitches:
    return train_switches(bench, Evaluation(parse_layout(notation), seed, plan), lambda *_: None)


def late_backbone() -> Backbone:
    """One whose first token learns of the others between nodes 4 and 5 alone, a plain mean."""
    backbone = tiny_vit()
    blocks = list(backbone.graph.model.get_submodule("layers").children())
    still = [f"attention.{name}" for name in ("o_proj.weight", "o_proj.bias")]
    plain = ["attention.q_proj.weight", "attention.q_proj.bias", "mlp.fc2.weight"]
    with torch.no_grad():
        for block, names in zip(blocks, (still, still, plain), strict=True):
            for name in names:
                block.get_parameter(name).zero_()
        blocks[-1].get_parameter("attention.o_proj.weight").mul_(6)
    return backbone


def task_of_two() -> Task:
    """Whether two quarters are alike, both bright or both dark; no sum over quarters says it."""
    generator = torch.Generator().manual_seed(0)
    splits = []
    for n_examples in (48, 24, 24):
        numbers = torch.arange(n_examples)
        bright = torch.stack([numbers % 2, numbers // 2 % 2], 1)
        images = 0.1 * torch.rand((n_examples, 1, 8, 8), generator=generator)
        images[:, 0, :4, :4] += (2.0 * bright - 1)[:, 0, None, None]
        images[:, 0, 4:, 4:] += (2.0 * bright - 1)[:, 1, None, None]
        splits.append(Labelled({"pixel_values": images}, bright.sum(1) % 2))
    train, validation, test = splits
    names = ("alike", "different")
    return replace(tiny_task(), label_names=names, train=train, validation=validation, test=test)


@pytest.mark.slow
def test_the_only_connection_that_can_help_is_the_most_probable() -> None:
    """Before node 5 the first token, which the head reads, is the same for all examples."""
    bench = Workbench(late_backbone(), task_of_two(), pooling="cls")
    notation = "+".join(f"{source}>6:bottleneck(rank=4)" for source in range(6))
    plan = TrainingPlan(epochs=40, batch_size=16, learning_rate=0.02)
    # A constant does no harm, so what can't help drifts; two seeds tell drift from use.
    found = [learned(bench, notation, plan, seed).keep for seed in range(2)]
    *useless, useful = (fmean(each) for each in zip(*found, strict=True))

    assert useful > 0.9
    assert useful > max(useless) + 0.1


RECURRENT = {
    "states": "2>2:bottleneck(rank=2)+5>3:bottleneck(rank=2)|first_pass=adapted",
    "inside": "2>3:lora(rank=2)+5>3:bottleneck(rank=2)|first_pass=adapted",
}


def switched_model(notation: str) -> AdaptedBackbone:
    """Random weights, each connection behind a switch."""
    model = AdaptedBackbone(tiny_vit(), parse_layout(notation), n_outputs=3)
    generator = torch.Generator().manual_seed(3)
    for parameter in model.parameters():
        nn.init.normal_(parameter, generator=generator)
    model.adapters = nn.ModuleList(
        switched(module, Switch(seed)) for seed, (_, module) in enumerate(model.wired)
    )
    return model


def with_switches_at(model: AdaptedBackbone, inputs: dict[str, Tensor]) -> Tensor:
    """Logits with each of the two switches off and on, shape ``(4, batch, n_outputs)``."""
    switches = [each for each in model.modules() if isinstance(each, Switch)]
    found = []
    for keeps in itertools.product((0.0, 1.0), repeat=len(switches)):
        for switch, keep in zip(switches, keeps, strict=True):
            switch.logits.copy_(torch.tensor([1 - keep, keep]))
        found.append(model.eval()(inputs))
    for switch in switches:
        switch.logits.zero_()
    return torch.stack(found)


def patterns(logits: Tensor, expected: Tensor) -> tuple[int, ...]:
    """Which of the expected logits each example has; -1 for none."""
    is_it = torch.isclose(logits, expected, rtol=1e-3, atol=1e-3).all(-1).T
    return tuple(row.nonzero()[0].item() if row.any() else -1 for row in is_it)


@pytest.mark.parametrize("notation", RECURRENT.values(), ids=RECURRENT)
@torch.no_grad()
def test_one_draw_serves_both_passes_and_each_run_has_its_own(
    notation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each example is, in both passes, that of the layout with what its switches keep."""
    monkeypatch.setattr(switch_module, "TEMPERATURE", 1e-6)
    model = switched_model(notation)
    inputs = dict(model.backbone.made_up_inputs(16, seed=0))
    expected = with_switches_at(model, inputs)
    once = patterns(model.train()(inputs), expected)
    examples = Examples(inputs, None)
    first, second = (
        patterns(logits, expected)
        for logits in logits_together([model, model], [examples, examples])
    )

    assert set(once) | set(first) | set(second) == {0, 1, 2, 3}
    assert len({once, first, second}) == 3


@pytest.mark.slow
@pytest.mark.parametrize("layout", [LAYOUT, INSIDE])
def test_the_same_seed_learns_the_same(layout: str) -> None:
    """Whatever ran before, and whatever else draws random numbers."""
    bench = tiny_bench()
    first = learned(bench, layout, PLAN)
    torch.rand(7)
    again, other = learned(bench, layout, PLAN), learned(bench, layout, PLAN, seed=1)

    assert (again.keep, again.score) == (first.keep, first.score)
    assert other.keep != first.keep


@pytest.mark.slow
def test_every_connection_has_a_switch_and_every_step_is_counted() -> None:
    """48 examples in batches of 16 over 3 epochs; each report is told."""
    told: list[int] = []
    request = Evaluation(parse_layout(LAYOUT), 0, PLAN)
    found = train_switches(tiny_bench(), request, lambda report, _score: told.append(report))

    assert len(found.keep) == 3
    assert all(0 < keep < 1 for keep in found.keep)
    assert found.n_steps == 9
    assert told == [1, 2, 3]


@pytest.mark.slow
def test_a_training_that_leaves_the_numbers_is_an_error() -> None:
    """Not a study that goes by nothing."""
    with pytest.raises(EvaluationError, match="is nan"):
        learned(tiny_bench(), LAYOUT, replace(PLAN, learning_rate=1e30))
