"""The peer trains what it says, and hooks train what the package trains."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader

from benchmarks.peer_loop.data import InMemory, as_it_is
from benchmarks.peer_loop.model import attach_lora, load_frozen
from benchmarks.peer_loop.trial import peer_task, run_trial
from benchmarks.throughput_sides import run_both_alike
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import FirstPass, Layout
from placement_search.modules import parse_layout
from tests.benchmarks.tiny_peers import saved, text_bench, vision_bench

pytestmark = pytest.mark.slow

PLAN = TrainingPlan(epochs=2, batch_size=16)
MIXED = "0>0:bottleneck+0>3:bottleneck+1>2:bottleneck+1>6:bottleneck+5>1:bottleneck+6>3:bottleneck"
CASES = [
    *((vision_bench, text) for text in (
        "0>0:bottleneck+3>3:bottleneck+6>6:bottleneck",
        "0>1:bottleneck+1>2:bottleneck(rank=4)+5>6:bottleneck",
        "0>3:bottleneck+1>3:bottleneck+2>6:bottleneck",
        "6>0:bottleneck+5>2:bottleneck+4>1:bottleneck",
    )),
    (vision_bench, MIXED),
    (text_bench, MIXED),
]  # fmt: skip


def differences(bench: Workbench, layout: Layout, folder: Path) -> tuple[float, float]:
    """Of loss, relative, and of score, after training on the same batches."""
    task = peer_task(bench, saved(bench.backbone, folder))
    ours, theirs = run_both_alike(bench, task, layout, PLAN, seed=3)
    return abs(theirs.loss / ours.loss - 1), abs(theirs.score - ours.score)


@pytest.mark.parametrize(("make_bench", "text"), CASES)
def test_hooks_train_what_the_package_trains(
    make_bench: Callable[[], Workbench], text: str, tmp_path: Path
) -> None:
    """Else the benchmark compares the speeds of different things."""
    loss, score = differences(make_bench(), parse_layout(text), tmp_path)

    # Rounding of single precision, carried through six steps.
    assert loss < 1e-5
    assert score == 0


def test_hooks_refuse_an_adapted_first_pass(tmp_path: Path) -> None:
    """They run the first pass bare, and would train something else."""
    layout = Layout(parse_layout("6>0:bottleneck").connections, FirstPass.ADAPTED)

    with pytest.raises(ValueError, match="first pass"):
        differences(vision_bench(), layout, tmp_path)


def test_lora_trains_nothing_else_but_the_head(tmp_path: Path) -> None:
    """And lies in the blocks that the layout adds to: nodes 1 and 2 are those of block 0."""
    bench = vision_bench()
    folder = saved(bench.backbone, tmp_path)
    layout = parse_layout("4>1:bottleneck(rank=4)+0>2:bottleneck(rank=4)+0>6:bottleneck(rank=4)")
    done = run_trial(peer_task(bench, folder), layout, PLAN, attach_lora, seed=0)
    before = load_frozen(folder, torch.device("cpu")).state_dict()
    after = {
        name.removeprefix("body.model.").replace(".base_layer", ""): value
        for name, value in done.model.state_dict().items()
    }
    trained = {name for name, p in done.model.named_parameters() if p.requires_grad}

    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert {name for name in trained if "lora_" not in name} == {"head.weight", "head.bias"}
    assert {name.split(".layers.")[1][0] for name in trained if "lora_" in name} == {"0", "2"}
    assert all(after[n.removeprefix("body.model.")].any() for n in trained if "lora_B" in n)
    assert not torch.equal(after["head.weight"], bench.head.weight)


def test_lora_starts_where_the_head_was_probed(tmp_path: Path) -> None:
    """So both sides start from the same losses."""
    bench = vision_bench()
    model = load_frozen(saved(bench.backbone, tmp_path), torch.device("cpu"))
    inputs = dict(bench.task.train.inputs)
    bare = model(**inputs).last_hidden_state
    adapted = attach_lora(model, parse_layout("0>1:bottleneck"), seed=0)(**inputs)

    assert torch.equal(adapted, bare)


def test_a_batch_is_as_long_as_its_longest_text() -> None:
    """Padding beyond it would be time that no good engineer wastes."""
    examples = text_bench().task.train
    lengths = examples.inputs["attention_mask"].sum(1)
    loader = DataLoader(
        InMemory(examples.inputs, examples.labels), batch_size=5, collate_fn=as_it_is
    )
    batches = list(loader)

    assert [b["input_ids"].shape[1] for b in batches] == [int(p.max()) for p in lengths.split(5)]
    assert torch.equal(torch.cat([b["labels"] for b in batches]), examples.labels)


def test_texts_are_scored_in_the_order_of_their_lengths() -> None:
    """The same texts with the same labels, and less padding."""
    examples = text_bench().task.train
    ordered = InMemory(examples.inputs, examples.labels).by_length()
    batch = ordered.__getitems__(list(range(len(ordered))))
    lengths = batch["attention_mask"].sum(1)

    assert bool((lengths.diff() >= 0).all())
    assert torch.equal((batch["input_ids"][:, 0] - 5) // 2, batch["labels"])
