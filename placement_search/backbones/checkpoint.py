"""Where a backbone's files are: with the package, in a folder, or on the Hugging Face hub."""

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
NOT_READ = ("*/*", "model.*.safetensors")
"""Other formats in folders of their own, and copies in other precisions."""

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
    folder = EMBEDDED_FOLDER if settings.model == EMBEDDED else Path(settings.model).expanduser()
    if not folder.is_dir():
        return _from_hub(settings)
    if settings.revision is not None:
        raise BackboneError(
            f"--revision is for models of the hub; {settings.model!r} is a folder, "
            f"got revision {settings.revision!r}"
        )
    return _checked(Checkpoint(folder, None), settings)


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
    if _first(folder, SAFE_WEIGHTS) is not None:
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
    commit, trouble = None, "HF_HUB_OFFLINE is set"
    if not is_offline_mode():
        try:
            commit = _commit(settings)
        except (RepositoryNotFoundError, RevisionNotFoundError):
            raise
        except HTTPError as error:
            trouble = f"{type(error).__name__}: {str(error).strip().partition('. ')[0]}"
    try:
        return _files(settings, commit)
    except (LocalEntryNotFoundError, HTTPError) as error:
        revision = "" if settings.revision is None else f" at revision {settings.revision}"
        raise BackboneError(
            f"there is no folder {settings.model!r}, the hub can't be asked ({trouble}), and the "
            f"cache {constants.HF_HUB_CACHE} does not hold all of {settings.model}{revision}; give "
            "a folder, or load the model once with a network"
        ) from error


def _commit(settings: ModelSettings) -> str | None:
    """The commit that the hub has for the revision asked for."""
    found = HfApi().model_info(
        settings.model, revision=settings.revision, timeout=HUB_TIMEOUT_SECONDS
    )
    return found.sha


def _files(settings: ModelSettings, commit: str | None) -> Path:
    """The folder of a commit's files, downloaded; or of those in the cache, without a commit."""
    patterns = READ + (READ_WITH_CODE if settings.trust_remote_code else ())
    folder = _download(settings, commit, patterns)
    if settings.allow_pickle and _first(folder, SAFE_WEIGHTS) is None:
        folder = _download(settings, commit, patterns + READ_WITH_PICKLE)
    return folder


def _download(settings: ModelSettings, commit: str | None, patterns: tuple[str, ...]) -> Path:
    return Path(
        snapshot_download(
            settings.model,
            revision=commit or settings.revision,
            allow_patterns=list(patterns),
            ignore_patterns=list(NOT_READ),
            etag_timeout=HUB_TIMEOUT_SECONDS,
            local_files_only=commit is None,
        )
    )
