"""Where rows come from: a file, a folder, or the hub."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from datasets import Dataset, DatasetDict, Value, concatenate_datasets, load_dataset, load_from_disk
from datasets.exceptions import DatasetsError
from huggingface_hub import HfApi, is_offline_mode
from huggingface_hub.errors import (  # type: ignore[attr-defined]
    GatedRepoError,
    HFValidationError,
    HTTPError,
    RepositoryNotFoundError,
)

from placement_search.errors import TaskError
from placement_search.tasks.files import READERS, read_file
from placement_search.tasks.image_folder import is_image_folder, read_image_folder
from placement_search.tasks.settings import DataSettings
from placement_search.tasks.split_names import SPLITS, chosen_names, split_of

NOT_ROWS = frozenset({"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"})
"""Files that describe a data set and hold none of it."""

UNTYPED = (".csv", ".tsv")
"""Kinds of files whose columns have the types that their own rows look like."""

SHARD = re.compile(r"[-_.]\d+([-_]of[-_]\d+)?$")
"""How the names of a split's parts end, e.g. ``-00000-of-00002``."""

HUB_TIMEOUT_SECONDS = 5.0
"""For the hub's first answer."""
HUB_ID = re.compile(r"\w[\w.-]{0,95}/\w[\w.-]{0,95}", re.ASCII)


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """Rows as they were found.

    Args:
        name: How studies and layout files call them.
        splits: Those given, by ``train``, ``validation`` and ``test``; there is a ``train``.
        folder: What relative paths in a column of images start from.
        notes: Lines for the user.
    """

    name: str
    splits: Mapping[str, Dataset]
    folder: Path
    notes: tuple[str, ...]


def find_source(settings: DataSettings) -> Source:
    """The rows of a path if it exists, else of the hub's data set of that id.

    Raises:
        TaskError: If there is neither, it can't be read, or none of it is for training.
    """
    if not settings.is_local:
        return _from_hub(settings)
    path = Path(settings.data).expanduser()
    if settings.config is not None:
        raise TaskError(f"--config is for data sets of the hub, and {path} is a local path")
    if path.is_dir():
        found, folder = _read_folder(path)
        return _source(path.resolve().name, found, folder)
    if path.suffix.lower() not in READERS:
        known = ", ".join(READERS)
        raise TaskError(f"--data reads files that end in {known}; got {path}")
    is_named = split_of(path.stem) is None
    name = path.stem if is_named else path.resolve().parent.name
    return _source(name, {"rows": read_file(path)}, path.parent)


def _source(name: str, found: Mapping[str, Dataset], folder: Path) -> Source:
    chosen, left_out = chosen_names(found)
    if "train" not in chosen:
        raise TaskError(
            f"data set {name!r} needs rows for training, in a split or file named train; "
            f"found {', '.join(sorted(found))}"
        )
    notes = (f"splits left out: {', '.join(left_out)}",) if left_out else ()
    splits = {split: found[chosen[split]] for split in SPLITS if split in chosen}
    return Source(name, splits, folder, notes)


def _from_hub(settings: DataSettings) -> Source:
    asked = settings.data
    if not HUB_ID.fullmatch(asked) or Path(asked).suffix in READERS:
        raise _neither(asked)
    _check_reachable(asked)
    try:
        found = load_dataset(asked, settings.config)
    except (DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise TaskError(
            f"there is no path {asked!r}, and the hub's data set of that id can't be loaded "
            f"(--config {settings.config}): {error}"
        ) from error
    name = asked if settings.config is None else f"{asked}/{settings.config}"
    return _source(name, found, Path())


def _neither(asked: str) -> TaskError:
    return TaskError(
        f"--data takes an embedded task, an existing file or folder, or the id of a data set "
        f"on the hub, owner/name; got {asked!r}"
    )


def _check_reachable(asked: str) -> None:
    """Ask the hub for the data set once; the datasets library would go on trying for half a minute.

    Raises:
        TaskError: If the hub can't be reached, or has no such data set.
    """
    if is_offline_mode():
        return
    try:
        HfApi().dataset_info(asked, timeout=HUB_TIMEOUT_SECONDS)
    except HFValidationError as error:
        raise _neither(asked) from error
    except GatedRepoError as error:
        raise TaskError(
            f"the hub asks for consent before it gives {asked!r}: accept the terms at "
            f"https://huggingface.co/datasets/{asked} and log in with: hf auth login"
        ) from error
    except RepositoryNotFoundError as error:
        raise TaskError(
            f"there is no path {asked!r}, and the hub has no data set of this id that you may see; "
            "check its spelling, or log in with: hf auth login"
        ) from error
    except HTTPError as error:
        raise TaskError(
            f"there is no path {asked!r}, and the hub can't be asked ({type(error).__name__}); "
            "give a path, or read what was downloaded before with HF_HUB_OFFLINE=1"
        ) from error


def _read_folder(folder: Path) -> tuple[Mapping[str, Dataset], Path]:
    """Rows by the names of their files, and the folder that holds these."""
    if any((folder / name).is_file() for name in ("dataset_dict.json", "state.json")):
        return _saved(folder), folder
    for place in (folder, folder / "data"):
        files = _row_files(place)
        if files:
            return _read_files(files), place
    if is_image_folder(folder):
        return read_image_folder(folder), folder
    known = ", ".join(READERS)
    raise TaskError(
        f"{folder} holds no files that end in {known}, no saved data set, and no images in "
        "sub-folders named after classes"
    )


def _saved(folder: Path) -> Mapping[str, Dataset]:
    try:
        found = load_from_disk(str(folder), keep_in_memory=True)
    except IndexError as error:  # what the datasets library makes of it
        raise TaskError(f"every split needs rows, one saved in {folder} has none") from error
    except (DatasetsError, OSError, ValueError, KeyError, TypeError) as error:
        raise TaskError(f"{folder} can't be read as a saved data set: {error}") from error
    return found if isinstance(found, DatasetDict) else {"train": found}


def _row_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(
        path for path in folder.iterdir()
        if path.suffix.lower() in READERS and path.name not in NOT_ROWS and path.name[0] != "."
        and path.is_file()
    )  # fmt: skip


def _read_files(files: Sequence[Path]) -> dict[str, Dataset]:
    """Each split's rows by the names of its files, less the numbers of parts.

    Raises:
        TaskError: If one name ends in two ways, or names of several files speak of no split.
    """
    groups: dict[str, list[Path]] = {}
    for path in files:
        groups.setdefault(SHARD.sub("", path.stem), []).append(path)
    for name, paths in groups.items():
        if len({path.suffix for path in paths}) > 1:
            shown = ", ".join(path.name for path in paths)
            raise TaskError(f"{paths[0].parent} holds {name!r} in several forms: {shown}")
    chosen, _ = chosen_names(groups)
    if not chosen:
        shown = ", ".join(path.name for path in files)
        raise TaskError(
            f"files in {files[0].parent} must be named after splits (train, validation, test), "
            f"found {shown}; or give one of them to --data"
        )
    known = [name for name in groups if split_of(name) is not None] or list(chosen.values())
    found = _typed_alike({path: read_file(path) for name in known for path in groups[name]})
    return {name: _joined({path: found[path] for path in groups[name]}) for name in known}


def _joined(parts: Mapping[Path, Dataset]) -> Dataset:
    if len(parts) == 1:
        return next(iter(parts.values()))
    try:
        return concatenate_datasets(list(parts.values()))
    except ValueError as error:
        first = next(iter(parts))
        raise TaskError(f"{first} and its other parts differ in columns: {error}") from error


def _typed_alike(found: Mapping[Path, Dataset]) -> dict[Path, Dataset]:
    """The same with whole numbers as digits where another file holds texts, such as ``01``."""
    text = Value("string")
    texts = {
        name for rows in found.values() for name, kind in rows.features.items() if kind == text
    }
    return {
        path: _with_digits(rows, texts) if path.suffix.lower() in UNTYPED else rows
        for path, rows in found.items()
    }


def _with_digits(rows: Dataset, names: Container[str]) -> Dataset:
    """The same with these columns' whole numbers as digits, but for labels that are withheld."""
    table = rows.data.table.replace_schema_metadata(None)
    for index, field in enumerate(table.schema):
        column = table.column(index)
        is_wanted = field.name in names and pa.types.is_integer(field.type)
        if is_wanted and not pc.all(pc.equal(column, -1)).as_py():
            table = table.set_column(index, field.name, column.cast(pa.string()))
    return Dataset(table)
