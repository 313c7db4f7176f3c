"""Where a model's files are: folders, shards, pickles, and the hub through its cache."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]

from placement_search.backbones import checkpoint
from placement_search.backbones.checkpoint import Checkpoint, find_checkpoint
from placement_search.backbones.loading import EMBEDDED_FOLDER, load_backbone
from placement_search.backbones.settings import ModelSettings
from placement_search.errors import BackboneError
from tests.tiny_backbones import tiny_bert

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny BERT in a folder."""
    tiny_bert().graph.model.save_pretrained(tmp_path / "bert")  # type: ignore[operator]
    return tmp_path / "bert"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A hub cache that holds the embedded backbone as ``org/name``, without a network."""
    repository = tmp_path / "hub" / "models--org--name"
    shutil.copytree(EMBEDDED_FOLDER, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return repository


def pickle_only(folder: Path) -> None:
    """Keep the weights in a pickle file."""
    torch.save(tiny_bert().graph.model.state_dict(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def test_a_folder_is_found_as_it_is(folder: Path) -> None:
    """It has no revision."""
    assert find_checkpoint(ModelSettings(model=str(folder))) == Checkpoint(folder, None)


def test_shards_are_read_as_one(folder: Path) -> None:
    """Large models come in several files and an index."""
    whole = load_backbone(str(folder)).facts
    model = tiny_bert().graph.model
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="10KB")  # type: ignore[operator]
    assert not (folder / "model.safetensors").exists()

    assert load_backbone(str(folder)).facts == whole


@pytest.mark.parametrize("shard", ["weights.bin", "../outside.safetensors", "/x.safetensors", 5])
def test_shards_are_safetensors_of_the_same_folder(folder: Path, shard: object) -> None:
    """An index can't lead to a pickle, nor elsewhere."""
    index = {"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": shard}}
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))

    with pytest.raises(BackboneError, match=r"its own folder that end in \.safetensors; got"):
        find_checkpoint(ModelSettings(model=str(folder)))


@pytest.mark.parametrize("index", ["[]", "{", '{"weight_map": 5}'])
def test_an_index_that_is_none_is_told(folder: Path, index: str) -> None:
    """With its name."""
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors.index.json").write_text(index)

    with pytest.raises(BackboneError, match=r"index\.json does not say in which files"):
        find_checkpoint(ModelSettings(model=str(folder)))


def test_an_adapter_beside_the_backbone_is_refused(folder: Path) -> None:
    """With peft installed it would become a part of the frozen model, without a word."""
    (folder / "adapter_config.json").write_text("{}")

    with pytest.raises(BackboneError, match="an adapter of PEFT beside the backbone"):
        find_checkpoint(ModelSettings(model=str(folder)))


def test_a_missing_shard_is_named(folder: Path) -> None:
    """The index says what there should be."""
    model = tiny_bert().graph.model
    (folder / "model.safetensors").unlink()
    model.save_pretrained(folder, max_shard_size="10KB")  # type: ignore[operator]
    next(folder.glob("model-00002*")).unlink()

    with pytest.raises(BackboneError, match="model-00002"):
        load_backbone(str(folder))


def test_pickles_are_refused_with_two_cures(folder: Path) -> None:
    """The error names the file, how to convert it, and the option."""
    pickle_only(folder)

    with pytest.raises(BackboneError, match=r"pytorch_model.bin") as caught:
        load_backbone(str(folder))
    assert "safe_serialization=True" in str(caught.value)
    assert "--allow-pickle" in str(caught.value)


def test_allowed_pickles_are_read(folder: Path) -> None:
    """They give the same backbone."""
    safe = load_backbone(str(folder)).facts
    pickle_only(folder)

    backbone = load_backbone(ModelSettings(model=str(folder), allow_pickle=True))

    assert backbone.facts == safe


def test_allowed_pickles_run_no_code(folder: Path, tmp_path: Path) -> None:
    """Only tensors are unpickled, and the error is ours."""

    class Attack:
        def __reduce__(self) -> tuple[object, ...]:
            return (Path.touch, (tmp_path / "touched",))

    pickle_only(folder)
    torch.save({"embeddings": Attack()}, folder / "pytorch_model.bin")

    with pytest.raises(BackboneError, match="can't be loaded"):
        load_backbone(ModelSettings(model=str(folder), allow_pickle=True))
    assert not (tmp_path / "touched").exists()


def test_safetensors_are_preferred_to_pickles(folder: Path) -> None:
    """Also where pickles are allowed."""
    (folder / "pytorch_model.bin").write_bytes(b"broken")

    load_backbone(ModelSettings(model=str(folder), allow_pickle=True))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
def test_missing_files_are_named(folder: Path, name: str) -> None:
    """With the folder as it was given."""
    (folder / name).unlink()

    with pytest.raises(BackboneError, match=f"bert' has no {name}"):
        load_backbone(str(folder))


@pytest.mark.parametrize("model", ["./none", "/no/such/folder", "two words", "a/b/c", ""])
def test_what_is_neither_folder_nor_id_is_refused(model: str) -> None:
    """The error shows what an id looks like."""
    with pytest.raises(BackboneError, match=r"google/vit-base|no config\.json"):
        load_backbone(model)


def test_a_revision_of_a_folder_is_refused(folder: Path) -> None:
    """Folders have none."""
    with pytest.raises(BackboneError, match=r"--revision is for models of the hub.*'main'"):
        load_backbone(ModelSettings(model=str(folder), revision="main"))


@pytest.mark.parametrize("revision", [None, "main", COMMIT])
def test_a_hub_model_is_read_from_the_cache_offline(cache: Path, revision: str | None) -> None:
    """Its revision is the commit, whatever was asked for; its weights count, not their place."""
    backbone = load_backbone(ModelSettings(model="org/name", revision=revision))

    assert backbone.facts.id == "org/name"
    assert backbone.facts.revision == COMMIT
    assert backbone.folder == cache / "snapshots" / COMMIT
    assert backbone.facts.fingerprint == load_backbone().facts.fingerprint


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(("model", "revision"), [("org/other", None), ("org/name", "v2")])
def test_what_the_cache_lacks_is_refused_offline(model: str, revision: str | None) -> None:
    """The error names model, revision, cache and cure."""
    with pytest.raises(
        BackboneError, match=f"HF_HUB_OFFLINE is set.*{revision or model}"
    ) as caught:
        load_backbone(ModelSettings(model=model, revision=revision))
    assert "load the model once with a network" in str(caught.value)


@pytest.mark.usefixtures("cache")
def test_a_hub_that_can_not_be_reached_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the cache has is read all the same."""

    def fail(*_args: object, **_kwargs: object) -> None:
        raise HTTPError("Name or service not known")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", fail)

    assert load_backbone("org/name").facts.revision == COMMIT
    with pytest.raises(BackboneError, match="Name or service not known"):
        load_backbone("org/other")


@pytest.mark.parametrize("where", ["model_info", "download"])
@pytest.mark.parametrize(
    ("name", "status", "complaint"),
    [
        ("RepositoryNotFoundError", 404, "the hub has no model of this id"),
        ("GatedRepoError", 403, "accept the terms at https://huggingface.co/org/name"),
        ("RevisionNotFoundError", 404, "no revision 'v9'"),
    ],
)
def test_what_the_hub_says_of_a_model_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, where: str, name: str, status: int, complaint: str
) -> None:
    """Missing, gated, or of another revision; a gated model says so of its files alone."""
    httpx = pytest.importorskip(HTTPError.__module__.split(".")[0])
    request = httpx.Request("GET", "https://huggingface.co/api/models/org/name")

    def fail(*_args: object, **_kwargs: object) -> None:
        raise getattr(checkpoint, name)("no", response=httpx.Response(status, request=request))

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", fail if where == "model_info" else lambda *_, **__: 0)
    monkeypatch.setattr(checkpoint, "snapshot_download", fail)

    with pytest.raises(BackboneError, match=complaint):
        load_backbone(ModelSettings(model="org/name", revision="v9"))


@pytest.mark.slow
def test_a_download_asks_for_what_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: Path
) -> None:
    """Code only if trusted, pickles only if allowed and there is nothing else."""
    asked: list[list[str]] = []
    named: set[object] = set()

    def download(_model: str, **settings: object) -> str:
        asked.append(list(settings["allow_patterns"]))  # type: ignore[call-overload]
        named.add((settings["revision"], settings["local_files_only"]))
        return str(tmp_path / "snapshot")

    shutil.copytree(folder, tmp_path / "snapshot")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: None)
    monkeypatch.setattr(checkpoint, "snapshot_download", download)

    find_checkpoint(ModelSettings(model="org/name"))
    find_checkpoint(ModelSettings(model="org/name", trust_remote_code=True, allow_pickle=True))
    (tmp_path / "snapshot" / "model.safetensors").rename(tmp_path / "snapshot/pytorch_model.bin")
    find_checkpoint(ModelSettings(model="org/name", allow_pickle=True))

    assert [("*.py" in a, "pytorch_model*.bin" in a) for a in asked] == [
        (False, False), (True, False), (False, False), (False, True)
    ]  # fmt: skip
    # By no commit's name, or the cache would not be found by what was asked for.
    assert named == {(None, False)}


def test_quantised_models_need_their_packages(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names those that are missing."""
    path = folder / "config.json"
    settings = json.loads(path.read_text())
    quantisation = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    path.write_text(json.dumps(settings | {"quantization_config": quantisation}))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "accelerate" or None)

    with pytest.raises(BackboneError, match=r"pip install bitsandbytes$"):
        load_backbone(str(folder))
