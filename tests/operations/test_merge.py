"""Merging layouts of related tasks."""

from pathlib import Path

import pytest
import torch

from placement_search.adapted.model import AdaptedBackbone
from placement_search.errors import OperationError, OutputError
from placement_search.evaluation.workbench import Workbench
from placement_search.export.layout_file import read_layout_file
from placement_search.export.load import verify_layout
from placement_search.modules import parse_layout
from placement_search.operations.align import PLANS, permutation, stay
from placement_search.operations.merge import average, merge_layouts
from placement_search.operations.rebuilt import rebuilt
from placement_search.operations.trained import OperationSettings
from tests.operations.conftest import Writer, as_trained
from tests.tiny_backbones import tiny_vit
from tests.tiny_task import tiny_bench

LAYOUT = "1>1:bottleneck(rank=3,tied=1)+1>4:bottleneck(rank=3,tied=1)+6>3:bottleneck(rank=2)"


@pytest.fixture(scope="module")
def quarters() -> Workbench:
    return tiny_bench()


@pytest.mark.parametrize("plan", PLANS)
@pytest.mark.parametrize("n_copies", [2, 3])
def test_copies_merge_to_themselves(plan: str, n_copies: int, quarters: Workbench) -> None:
    """Bit by bit where units stay or move whole, tied modules too."""
    model = as_trained(quarters, LAYOUT, seed=1)
    merged = average([model] * n_copies, PLANS[plan])
    tolerance = 0.05 if plan == "transport" else 0.0

    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(merged.state_dict()[name], tensor, atol=tolerance, rtol=0)


def test_the_plain_average_is_the_mean_of_the_weights(quarters: Workbench) -> None:
    """Heads are not averaged: they belong to tasks."""
    one, other = (as_trained(quarters, LAYOUT, seed) for seed in (1, 2))
    with torch.no_grad():
        other.head.weight.add_(1.0)
    merged = average([one, other], stay)

    for name, parameter in merged.adapters.named_parameters():
        both = [model.adapters.get_parameter(name) for model in (one, other)]
        torch.testing.assert_close(parameter, (both[0] + both[1]) / 2)
    assert torch.equal(merged.head.weight, one.head.weight)


def test_shares_weigh_the_mean(quarters: Workbench) -> None:
    """All of the second one's connections under the first one's head."""
    one, other = (as_trained(quarters, LAYOUT, seed) for seed in (1, 2))
    merged = average([one, other], stay, shares=(0.0, 1.0))

    assert all(
        torch.equal(p, other.adapters.get_parameter(n))
        for n, p in merged.adapters.named_parameters()
    )


def test_the_parents_stay_as_they_are(quarters: Workbench) -> None:
    """What is merged is copied."""
    one, other = (as_trained(quarters, LAYOUT, seed) for seed in (1, 2))
    before = {k: v.clone() for k, v in other.state_dict().items()}
    average([one, other], permutation)

    assert all(torch.equal(v, before[k]) for k, v in other.state_dict().items())


@pytest.mark.slow
def test_a_merged_layout_is_written_and_verified(write: Writer, tmp_path: Path) -> None:
    """It has the task, head and provenance of the layout asked for, and names both parents."""
    folders = [write("a", seed=1), write("b", seed=2)]
    out = tmp_path / "out"
    done = merge_layouts(folders, "permutation", folders[1], OperationSettings(out))
    file = read_layout_file(out / "layout.json")
    parents = [read_layout_file(f / "layout.json").weights_sha256 for f in folders]

    assert verify_layout(out).is_same
    assert file.derived_from is not None
    assert [p.weights_sha256 for p in file.derived_from.parents] == parents[::-1]
    assert len(done.parent_scores) == 2
    own = read_layout_file(folders[1] / "layout.json").scores.exported.validation
    assert done.parent_scores[1] == own


@pytest.mark.slow
def test_connections_without_units_to_align_are_named(write: Writer, tmp_path: Path) -> None:
    """With the reason, so that nobody takes a plain average for an aligned one; not if it was."""
    notation = "2>2:bottleneck(kept=0.5,mask=magnitude,rank=2)+4>4:adamix(rank=2)+6>9:arc(rank=3)"
    folders = [write(name, notation=notation) for name in ("a", "b")]
    done, plain = (
        merge_layouts(folders, align, folders[0], OperationSettings(tmp_path / align))
        for align in ("permutation", "none")
    )

    assert {c.target: reason for c, reason in done.unaligned.items()} == {
        2: "its mask keeps other entries of each unit",
        9: "other connections may share its projection",
    }
    assert not plain.unaligned


@pytest.mark.slow
def test_layouts_that_do_not_fit_together_are_refused(write: Writer, tmp_path: Path) -> None:
    """All reasons at once are for the user, none of them after loading a model."""
    one, other = write("a"), write("b", notation="2>2:bottleneck(rank=2)")
    asked = OperationSettings(tmp_path / "out")

    with pytest.raises(OperationError, match=r"same connections.*b has layout 2>2"):
        merge_layouts([one, other], "permutation", one, asked)
    with pytest.raises(OperationError, match="at least two different folders"):
        merge_layouts([one, one], "permutation", one, asked)
    with pytest.raises(OperationError, match=r"no alignment 'permute'.*did you mean 'permutation'"):
        merge_layouts([one, other], "permute", one, asked)
    with pytest.raises(OperationError, match="--task-of takes one of the folders"):
        merge_layouts([one, other], "none", tmp_path / "c", asked)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_one_folder_in_two_spellings_is_one(write: Writer, tmp_path: Path) -> None:
    """It is no second layout; a link to it is none either."""
    folder = write("a")
    (tmp_path / "link").symlink_to(folder)
    asked = OperationSettings(tmp_path / "out")

    for other in (folder / ".." / "a", tmp_path / "link"):
        with pytest.raises(OperationError, match=r"at least two different folders, got .*/a, "):
            merge_layouts([folder, other], "none", folder, asked)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_folder_of_the_task_may_be_spelt_otherwise(write: Writer, tmp_path: Path) -> None:
    """It is one of those that are merged all the same."""
    folders = [write("a", seed=1), write("b", seed=2)]
    asked = OperationSettings(tmp_path / "out")
    done = merge_layouts(folders, "none", tmp_path / "a" / ".." / "b", asked)

    own = read_layout_file(folders[1] / "layout.json").scores.exported.validation
    assert done.parent_scores[1] == own


@pytest.mark.slow
def test_no_parent_is_replaced(write: Writer) -> None:
    """Not even one that does not give the task."""
    folders = [write("a", seed=1), write("b", seed=2)]

    with pytest.raises(OutputError, match="would replace the layout"):
        merge_layouts(folders, "none", folders[0], OperationSettings(folders[1]))


@pytest.mark.parametrize(
    "notation",
    [
        "2>3:lora(rank=4)",
        "2>3:lora(gate=true,linears=output,rank=4)",
        "1>4:bottleneck(gate=true,rank=4)",
    ],
)
def test_units_of_gated_modules_and_of_lora_are_aligned(notation: str) -> None:
    """A copy with its units in another order averages back to what it is."""
    model = AdaptedBackbone(tiny_vit(), parse_layout(notation), n_outputs=3, seed=1)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.adapters.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    other = rebuilt(model, model.layout)
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        for name, parameter in other.adapters.named_parameters():
            if ".down." in name:
                parameter.copy_(parameter[order])
            elif ".up." in name and parameter.ndim > 1:
                parameter.copy_(parameter[:, order])
    merged = average([model, other], PLANS["permutation"]).state_dict()

    assert any(not torch.equal(merged[n], p) for n, p in other.state_dict().items())
    assert all(torch.equal(merged[name], p) for name, p in model.state_dict().items())
