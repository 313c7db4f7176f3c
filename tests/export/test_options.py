"""Layouts whose modules have options are exported and read back like all others."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from placement_search.evaluation.evaluate import Evaluation, evaluate
from placement_search.evaluation.plan import TrainingPlan
from placement_search.export.check import put_weights, weights_of
from placement_search.modules import parse_layout
from tests.tiny_task import tiny_bench

NOTATION = (
    "1>2:bottleneck(activation=rational,gate=true,kept=0.3,mask=snip,rank=4)"
    "+5>2:bottleneck(kept=0.2,mask=magnitude,rank=4)"
)


def test_a_trained_mask_comes_back_with_its_values(tmp_path: Path) -> None:
    """A fresh model with the saved weights gives the same logits, bit by bit."""
    bench, plan = tiny_bench(), TrainingPlan(epochs=2, batch_size=16)
    request = Evaluation(parse_layout(NOTATION), 3, plan)
    trained = evaluate(bench, request, lambda _report, _score: None).model.eval()
    save_file(weights_of(trained), tmp_path / "layout.safetensors")
    again = bench.adapted(request.layout)
    put_weights(again, load_file(tmp_path / "layout.safetensors"))

    assert torch.equal(again.eval()(bench.first(8)), trained(bench.first(8)))
