"""All connections at once, each behind a switch."""

from dataclasses import replace
from statistics import fmean

import pytest
import torch

from placement_search.backbones.loading import Backbone
from placement_search.errors import EvaluationError
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.switch_training import TrainedSwitches, train_switches
from placement_search.evaluation.workbench import Workbench
from placement_search.modules import parse_layout
from placement_search.tasks.task import Examples, Task
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
        splits.append(Examples({"pixel_values": images}, bright.sum(1) % 2))
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


@pytest.mark.parametrize("layout", [LAYOUT, INSIDE])
def test_the_same_seed_learns_the_same(layout: str) -> None:
    """Whatever ran before, and whatever else draws random numbers."""
    bench = tiny_bench()
    first = learned(bench, layout, PLAN)
    torch.rand(7)
    again, other = learned(bench, layout, PLAN), learned(bench, layout, PLAN, seed=1)

    assert (again.keep, again.score) == (first.keep, first.score)
    assert other.keep != first.keep


def test_every_connection_has_a_switch_and_every_step_is_counted() -> None:
    """48 examples in batches of 16 over 3 epochs; each report is told."""
    told: list[int] = []
    request = Evaluation(parse_layout(LAYOUT), 0, PLAN)
    found = train_switches(tiny_bench(), request, lambda report, _score: told.append(report))

    assert len(found.keep) == 3
    assert all(0 < keep < 1 for keep in found.keep)
    assert found.n_steps == 9
    assert told == [1, 2, 3]


def test_a_training_that_leaves_the_numbers_is_an_error() -> None:
    """Not a study that goes by nothing."""
    with pytest.raises(EvaluationError, match="is nan"):
        learned(tiny_bench(), LAYOUT, replace(PLAN, learning_rate=1e30))
