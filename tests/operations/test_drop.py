"""AdapterDrop: what goes, what stays, and what is said about it."""

import json
from pathlib import Path

import pytest
import torch

from placement_search.adapted.model import AdaptedBackbone
from placement_search.backbones.loading import load_backbone
from placement_search.errors import OperationError, OutputError
from placement_search.export.layout_file import read_layout_file
from placement_search.export.load import load_layout, verify_layout
from placement_search.layout import Layout
from placement_search.modules import parse_layout
from placement_search.operations.drop import drop_lowest, split_lowest
from placement_search.operations.rebuilt import rebuilt
from placement_search.operations.trained import OperationSettings
from tests.operations.conftest import Writer
from tests.tiny_backbones import tiny_vit

LAYOUT = parse_layout(
    "1>1:bottleneck(rank=2)+5>1:bottleneck(rank=2)+1>4:bottleneck(rank=2)+6>6:bottleneck(rank=2)"
)


def test_all_connections_into_the_lowest_targets_go() -> None:
    """Several into one node count once, and where they read does not matter."""
    left, dropped = split_lowest(LAYOUT, 1)

    assert {c.target for c in left.connections} == {4, 6}
    assert [c.source for c in dropped] == [1, 5]


def test_dropping_every_target_leaves_the_head() -> None:
    """The largest number that is allowed."""
    assert split_lowest(LAYOUT, 3)[0] == Layout()


@pytest.mark.parametrize("n_targets", [0, 4])
def test_a_layout_has_only_so_many_targets(n_targets: int) -> None:
    """The error names them."""
    with pytest.raises(OperationError, match=rf"1 to 3, .* \(1, 4, 6\); got {n_targets}"):
        split_lowest(LAYOUT, n_targets)


def test_a_layout_without_connections_has_nothing_to_drop() -> None:
    """No number of targets would do, so none is asked for."""
    with pytest.raises(OperationError, match=r"nothing to drop in 'none'.*no connections") as told:
        split_lowest(Layout(), 1)

    assert "--lowest" not in str(told.value)


def test_what_stays_computes_what_it_did() -> None:
    """Weights follow their connections, not their places in the list, and the head stays."""
    backbone = tiny_vit()
    model = AdaptedBackbone(backbone, LAYOUT, n_outputs=3, seed=1)
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, generator=generator)
    left, dropped = split_lowest(LAYOUT, 1)
    small = rebuilt(model, left)
    for connection, module in model.wired:
        if connection in dropped:
            for parameter in module.parameters():
                torch.nn.init.zeros_(parameter)
    inputs = backbone.made_up_inputs(4, 0)

    torch.testing.assert_close(small(inputs), model(inputs), rtol=1e-5, atol=1e-5)


@pytest.mark.slow
def test_a_dropped_layout_is_written_and_verified(write: Writer, tmp_path: Path) -> None:
    """Its scores are measured, its costs counted, and its file says what it was made of."""
    folder, out = write(), tmp_path / "out"
    done = drop_lowest(folder, 2, OperationSettings(out))
    parent, file = (read_layout_file(f / "layout.json") for f in (folder, out))
    verified = verify_layout(out)

    assert [c.notation[:3] for c in file.layout().connections] == ["6>9", "20>"]
    assert verified.is_same
    assert verified.measured_score == file.scores.exported.validation == done.written.score
    assert file.scores.search is None
    assert file.scores.exported.test is None
    assert file.costs.n_adapter_parameters == parent.costs.n_adapter_parameters // 2
    assert file.derived_from is not None
    assert file.derived_from.operation == "drop"
    assert file.derived_from.settings == {"lowest": 2, "seed": 0, "epochs": 0}
    assert file.derived_from.parents[0].weights_sha256 == parent.weights_sha256
    assert done.score_before == parent.scores.exported.validation
    assert done.speed_up > 0


@pytest.mark.slow
def test_what_was_derived_can_be_derived_from(write: Writer, tmp_path: Path) -> None:
    """The file of the second operation holds the whole line, and its study."""
    drop_lowest(write(), 1, OperationSettings(tmp_path / "once"))
    drop_lowest(tmp_path / "once", 1, OperationSettings(tmp_path / "twice"))
    derivation = read_layout_file(tmp_path / "twice/layout.json").derived_from

    assert derivation is not None
    (parent,) = derivation.parents
    assert parent.derived_from is not None
    assert parent.derived_from.parents[0].study == "a study"


@pytest.mark.slow
def test_training_on_gives_the_same_bytes_from_a_seed(write: Writer, tmp_path: Path) -> None:
    """And others from another one; with no epochs said it trains as the layout was trained."""
    folder = write()
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        drop_lowest(folder, 1, OperationSettings(tmp_path / name, epochs=None, seed=seed))
    one, same, other = ((tmp_path / n / "layout.safetensors").read_bytes() for n in "abc")
    file = read_layout_file(tmp_path / "a/layout.json")

    assert one == same
    assert one != other
    assert (tmp_path / "a/layout.json").read_bytes() == (tmp_path / "b/layout.json").read_bytes()
    assert file.plan == read_layout_file(folder / "layout.json").plan


@pytest.mark.slow
def test_the_layout_that_is_read_is_never_replaced(write: Writer, tmp_path: Path) -> None:
    """However the folder is written."""
    folder = write()
    before = (folder / "layout.json").read_bytes()

    with pytest.raises(OutputError, match="would replace the layout"):
        drop_lowest(folder, 1, OperationSettings(tmp_path / "x" / ".." / folder.name))
    assert (folder / "layout.json").read_bytes() == before


@pytest.mark.slow
def test_other_data_are_refused(write: Writer, tmp_path: Path) -> None:
    """A score on them would be compared with one on those of the training; nothing is written."""
    folder = write()
    path = folder / "layout.json"
    data = json.loads(path.read_text())
    data["provenance"]["data_fingerprint"] = "0" * 16
    path.write_text(json.dumps(data))

    with pytest.raises(OperationError, match="are not those that"):
        drop_lowest(folder, 1, OperationSettings(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_head_alone_can_be_loaded(write: Writer, tmp_path: Path) -> None:
    """A layout without connections is a layout."""
    drop_lowest(write(), 4, OperationSettings(tmp_path / "out"))

    assert load_layout(tmp_path / "out", load_backbone()).layout == Layout()
