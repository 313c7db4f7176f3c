"""Reading an exported layout back: the same logits, or an error that says what is wrong."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import ViTModel

from placement_search.backbones.loading import as_backbone, load_backbone
from placement_search.errors import ExportError, TaskError
from placement_search.export.check import check_logits
from placement_search.export.load import load_layout, verify_layout
from tests.tiny_backbones import tiny_vit

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(exported: Path, tmp_path: Path) -> Path:
    """A copy of the exported folder, to damage."""
    return Path(shutil.copytree(exported, tmp_path / "copy"))


def changed(folder: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The folder after a change to its layout file."""
    path = folder / "layout.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    return folder


def test_a_fresh_process_computes_the_same_logits(exported: Path) -> None:
    """`verify` in another process finds no difference, and the recorded validation score."""
    command = [
        sys.executable,
        "-m",
        "placement_search",
        "verify",
        str(exported),
        "--format",
        "json",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)

    assert done.returncode == 0, done.stderr
    assert found["is_same"]
    assert found["max_difference"] == 0
    assert found["measured_score"] == found["recorded_score"]


def rewritten(folder: Path, weights: dict[str, torch.Tensor]) -> Path:
    """The folder with other weights, and a layout file that owns them."""
    save_file(weights, folder / "layout.safetensors")
    digest = sha256((folder / "layout.safetensors").read_bytes()).hexdigest()
    return changed(folder, lambda data: data.update(weights_sha256=digest))


def test_weights_of_another_export_are_refused(copy: Path) -> None:
    """Fitting shapes are not enough: the layout file knows its weights."""
    path = copy / "layout.safetensors"
    weights = load_file(path)
    weights["head.bias"][0] += 0.5
    save_file(weights, path)

    with pytest.raises(ExportError, match="does not hold the weights"):
        load_layout(copy, load_backbone())


def test_other_logits_are_noticed(copy: Path) -> None:
    """One altered weight is found by the check logits, even where the file claims it."""
    weights = load_file(copy / "layout.safetensors")
    weights["head.bias"][0] += 0.5
    rewritten(copy, weights)

    verified = verify_layout(copy)

    assert not verified.is_same
    assert verified.max_difference == pytest.approx(0.5, rel=1e-3)


def _rename(data: dict[str, Any]) -> None:
    data["connections"][0]["module"]["settings"]["rnak"] = 4


def _move(data: dict[str, Any]) -> None:
    data["connections"][0]["target"] += 1


def _misname(data: dict[str, Any]) -> None:
    data["connections"][0]["kind"] = "recurrent"


def _outdate(data: dict[str, Any]) -> None:
    data["schema_version"] = 3


def _extend(data: dict[str, Any]) -> None:
    data["colour"] = "blue"


def _swap(data: dict[str, Any]) -> None:
    data["backbone"]["fingerprint"] = "0" * 16


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_rename, "unknown setting 'rnak'.*did you mean 'rank'"),
        (_move, "changed by hand or damaged"),
        (_misname, "is long_range, the file says recurrent"),
        (_outdate, "schema_version 3, this version of the tool reads 2"),
        (_extend, "colour: Extra inputs"),
        (_swap, "another backbone: fingerprint"),
    ],
)
def test_a_changed_layout_file_is_refused(
    copy: Path, change: Callable[[dict[str, Any]], None], message: str
) -> None:
    """Each inconsistency is one error that names it."""
    with pytest.raises(ExportError, match=f"(?s){message}"):
        verify_layout(changed(copy, change))


@pytest.mark.parametrize("name", ["epochs", "patience"])
def test_training_settings_are_checked_when_a_layout_is_loaded(name: str, copy: Path) -> None:
    """Not only when it is trained on."""
    changed(copy, lambda data: data["plan"].update({name: 1.5}))

    with pytest.raises(ExportError, match=f"plan of the layout file: {name}"):
        verify_layout(copy)


def test_a_layout_is_loaded_on_a_model_with_a_pooler(exported: Path) -> None:
    """As ``AutoModel`` makes one; it decides no state, and counts among the parameters."""
    known = load_backbone()
    whole = ViTModel(known.graph.model.config)
    whole.load_state_dict(known.graph.model.state_dict(), strict=False)
    backbone = as_backbone(whole, "embedded", input_format=known.input_format)

    assert backbone.facts.n_parameters > known.facts.n_parameters
    logits = check_logits(load_layout(exported, backbone), 0)
    assert torch.equal(logits, check_logits(load_layout(exported, known), 0))


def test_small_logits_need_small_differences(copy: Path) -> None:
    """The tolerance is relative: weights of zero are no weights that arrived."""
    weights = load_file(copy / "layout.safetensors")
    for name in ("head.weight", "head.bias"):
        weights[name] *= 1e-6
    rewritten(copy, weights)
    logits = check_logits(load_layout(copy, load_backbone()), 0).tolist()
    changed(copy, lambda data: data["check"].update(logits=logits))
    assert verify_layout(copy).is_same

    rewritten(copy, {name: torch.zeros_like(each) for name, each in weights.items()})
    assert not verify_layout(copy).is_same


@pytest.mark.parametrize("logits", [[], [[0.0] * 3] * 4, [[0.0], [0.0, 1.0]], [[0.0] * 10]])
def test_check_logits_of_another_shape_are_refused(logits: list[Any], copy: Path) -> None:
    """Nothing is compared that would have to be stretched."""
    changed(copy, lambda data: data["check"].update(logits=logits))

    with pytest.raises(ExportError, match=r"check\.logits of the layout file must be 4 rows"):
        verify_layout(copy)


def test_weights_that_are_none_are_refused(copy: Path) -> None:
    """Though the file owns them."""
    (copy / "layout.safetensors").write_bytes(b"none")
    digest = sha256(b"none").hexdigest()
    changed(copy, lambda data: data.update(weights_sha256=digest))

    with pytest.raises(ExportError, match="holds no safetensors"):
        verify_layout(copy)


def test_missing_and_unknown_weights_are_all_named(copy: Path) -> None:
    """The error lists every weight that does not fit."""
    weights = load_file(copy / "layout.safetensors")
    weights["tail.bias"] = weights.pop("head.bias")
    weights["head.weight"] = torch.zeros(2, 2)
    rewritten(copy, weights)

    with pytest.raises(
        ExportError, match=r"head\.bias is missing.*tail\.bias is unknown.*\(2, 2\)"
    ):
        load_layout(copy, load_backbone())


@pytest.mark.parametrize("name", ["layout.json", "layout.safetensors"])
def test_files_that_are_missing_or_garbage_are_refused(copy: Path, name: str) -> None:
    """Either way the error names the file."""
    (copy / name).write_bytes(b"\x00garbage")
    with pytest.raises(ExportError, match=name):
        verify_layout(copy)

    (copy / name).unlink()
    with pytest.raises(ExportError, match=name):
        verify_layout(copy)


def test_another_backbone_is_refused(exported: Path) -> None:
    """A layout is loaded onto the very backbone that it was trained on."""
    with pytest.raises(ExportError, match=r"number of blocks is 3.*12"):
        load_layout(exported, tiny_vit())


@pytest.mark.parametrize(
    ("place", "error", "said"),
    [
        ("digits-count", ExportError, "are not the data that the layout was scored on"),
        ("nosuch.csv", TaskError, "nosuch.csv"),
    ],
)
def test_data_that_are_named_have_to_be_those_of_the_layout(
    exported: Path, place: str, error: type[Exception], said: str
) -> None:
    """Else nobody would know that nothing was measured on them."""
    with pytest.raises(error, match=said):
        verify_layout(exported, data=place)


def test_data_that_can_not_be_read_any_more_are_no_reason_to_fail(
    copy: Path, tmp_path: Path
) -> None:
    """The logits are compared all the same; there is no score."""
    broken = tmp_path / "broken.csv"
    broken.write_text("text,label\n,1\n")
    folder = changed(copy, lambda data: data["task"]["data"].update(data=str(broken)))
    found = verify_layout(folder)

    assert found.is_same
    assert found.measured_score is None
