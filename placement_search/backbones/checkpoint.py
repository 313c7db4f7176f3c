"""Where a backbone's files are: with the package, in a folder, or on the Hugging Face hub."""

import json
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import HfApi, constants, is_offline_mode, snapshot_download
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HFValidationError,
    HTTPError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from placement_search.backbones.settings import EMBEDDED, ModelSettings
from placement_search.errors import BackboneError

EMBEDDED_FOLDER = Path(__file__).parent / "embedded"

HUB_TIMEOUT_SECONDS = 5.0
"""For the first answer of the hub; without it a network that swallows packets never ends."""
READ = ("*.json", "*.txt", "*.model", "*.jinja", "model*.safetensors")
READ_WITH_PICKLE = ("pytorch_model*.bin",)
READ_WITH_CODE = ("*.py",)
NOT_READ = ("*/*", "model.*.safetensors", "adapter_*")
"""Other formats in folders of their own, copies in other precisions, and adapters."""

ADAPTER = "adapter_config.json"
SAFE_WEIGHTS = ("model.safetensors", "model.safetensors.index.json")
PICKLED_WEIGHTS = ("pytorch_model.bin", "pytorch_model.bin.index.json")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with a model's files.

    Args:
        folder: Holds configuration, weights, and tokenizer or image processor.
        revision: Commit of a hub model; None for the others.
        is_pickled: Whether its weights lie in pickle files only.
    """

    folder: Path
    revision: str | None
    is_pickled: bool = False


def find_checkpoint(settings: ModelSettings) -> Checkpoint:
    """The files of the model that is asked for, from the hub if need be.

    Raises:
        BackboneError: If there is no such folder and no such hub model, the hub can't be reached,
            files are missing, or only pickle files hold the weights and none may be read.
    """
    folder = EMBEDDED_FOLDER if settings.model == EMBEDDED else _folder(settings.model)
    if folder is None:
        return _from_hub(settings)
    if settings.revision is not None:
        raise BackboneError(
            f"--revision is for models of the hub; {settings.model!r} is a folder, "
            f"got revision {settings.revision!r}"
        )
    return _checked(Checkpoint(folder, None), settings)


def _folder(name: str) -> Path | None:
    """The folder of this name; None where there is none."""
    try:
        folder = Path(name).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError):  # a name that no file system takes, nobody's home
        return None


def _checked(checkpoint: Checkpoint, settings: ModelSettings) -> Checkpoint:
    """The checkpoint, where it holds what a model needs.

    Raises:
        BackboneError: Naming what is missing and the cure.
    """
    folder = checkpoint.folder
    if not (folder / "config.json").is_file():
        raise BackboneError(
            f"--model takes {EMBEDDED!r}, a folder with config.json and model.safetensors, or the "
            f"id of a hub model; {settings.model!r} has no config.json"
        )
    if (folder / ADAPTER).is_file():
        raise BackboneError(
            f"{settings.model!r} holds an adapter of PEFT beside the backbone ({ADAPTER}), which "
            f"would become part of it; give a folder without that file, as a copy of {folder} is"
        )
    safe = _first(folder, SAFE_WEIGHTS)
    if safe is not None:
        if safe.endswith(".json"):
            _check_shards(folder / safe)
        return checkpoint
    pickled = _first(folder, PICKLED_WEIGHTS)
    if pickled is None:
        raise BackboneError(
            f"{settings.model!r} has no model.safetensors, nor shards with "
            "model.safetensors.index.json; a model of transformers writes them with "
            "save_pretrained; older ones hold pickle files, which --allow-pickle reads"
        )
    if not settings.allow_pickle:
        raise BackboneError(
            f"{settings.model!r} holds its weights as {pickled} only, a pickle file, which can run "
            "any code; write safetensors from it with save_pretrained(folder, "
            "safe_serialization=True), or trust it with --allow-pickle"
        )
    return Checkpoint(folder, checkpoint.revision, is_pickled=True)


def _check_shards(index: Path) -> None:
    """Check that an index of safetensors names nothing else, and nothing elsewhere.

    Raises:
        BackboneError: If it does, or is no index.
    """
    try:
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BackboneError(f"{index} does not say in which files the weights are") from error
    wrong = sorted(str(s) for s in shards if not _is_safe_name(s))
    if wrong:
        raise BackboneError(
            f"{index} must name files of its own folder that end in .safetensors; got {wrong[0]!r}"
        )


def _is_safe_name(name: object) -> bool:
    is_plain = isinstance(name, str) and Path(name).name == name and "\\" not in name
    return is_plain and str(name).endswith(".safetensors")


def _first(folder: Path, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if (folder / name).is_file()), None)


def _from_hub(settings: ModelSettings) -> Checkpoint:
    try:
        folder = _snapshot(settings)
    except HFValidationError as error:
        raise BackboneError(
            f"--model takes {EMBEDDED!r}, a folder, or the id of a hub model such as "
            f"google/vit-base-patch16-224; there is no folder {settings.model!r}, and it is no id"
        ) from error
    except GatedRepoError as error:
        raise BackboneError(
            f"the hub asks for consent before it gives {settings.model!r}: accept the terms at "
            f"https://huggingface.co/{settings.model} and log in with: hf auth login"
        ) from error
    except RepositoryNotFoundError as error:
        raise BackboneError(
            f"there is no folder {settings.model!r}, and the hub has no model of this id that you "
            "may see; check its spelling, or log in with: hf auth login"
        ) from error
    except RevisionNotFoundError as error:
        raise BackboneError(
            f"{settings.model!r} has no revision {settings.revision!r} on the hub"
        ) from error
    return _checked(Checkpoint(folder, folder.name), settings)


def _snapshot(settings: ModelSettings) -> Path:
    """The hub model's files in the local cache, downloaded where the hub can be reached.

    Raises:
        BackboneError: If the hub can't be reached and the cache does not hold them.
    """
    can_ask, trouble = False, "HF_HUB_OFFLINE is set"
    if not is_offline_mode():
        try:
            HfApi().model_info(
                settings.model, revision=settings.revision, timeout=HUB_TIMEOUT_SECONDS
            )
            can_ask = True
        except (RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except HTTPError as error:
            trouble = _trouble(error)
    try:
        return _files(settings, can_ask=can_ask)
    except (RepositoryNotFoundError, RevisionNotFoundError):  # a gated one is answered so, too
        raise
    except (LocalEntryNotFoundError, HTTPError) as error:
        if can_ask:
            trouble = _trouble(error)
        revision = "" if settings.revision is None else f" at revision {settings.revision}"
        raise BackboneError(
            f"there is no folder {settings.model!r}, the hub can't be asked ({trouble}), and the "
            f"cache {constants.HF_HUB_CACHE} does not hold all of {settings.model}{revision}; give "
            "a folder, or load the model once with a network"
        ) from error


def _trouble(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().partition('. ')[0]}"


def _files(settings: ModelSettings, *, can_ask: bool) -> Path:
    """The folder of a commit's files, downloaded where the hub can be asked, else in the cache."""
    patterns = READ + (READ_WITH_CODE if settings.trust_remote_code else ())
    folder = _download(settings, patterns, can_ask=can_ask)
    if settings.allow_pickle and _first(folder, SAFE_WEIGHTS) is None:
        folder = _download(settings, patterns + READ_WITH_PICKLE, can_ask=can_ask)
    return folder


def _download(settings: ModelSettings, patterns: tuple[str, ...], *, can_ask: bool) -> Path:
    # By the name that is asked for, not by its commit: so the cache is found by it later.
    return Path(
        snapshot_download(
            settings.model,
            revision=settings.revision,
            allow_patterns=list(patterns),
            ignore_patterns=list(NOT_READ),
            etag_timeout=HUB_TIMEOUT_SECONDS,
            local_files_only=not can_ask,
        )
    )
