"""A folder of images, one sub-folder per class, with or without folders of splits above."""

from pathlib import Path

from datasets import ClassLabel, Dataset, Features, Image

from placement_search.errors import TaskError
from placement_search.tasks.split_names import split_of

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm"})


def is_image_folder(folder: Path) -> bool:
    """Whether a sub-folder, at any depth, holds an image."""
    return any(_images(sub_folder) for sub_folder in _sub_folders(folder))


def read_image_folder(folder: Path) -> dict[str, Dataset]:
    """Images and classes, by the names of the split folders, or all of them as ``train``.

    Classes are the sub-folders' names in alphabetic order, over all splits. Images of a split
    without such sub-folders have no label. Images are not read yet, their rows hold paths.

    Raises:
        TaskError: If sub-folders of splits and of classes stand side by side.
    """
    folder = folder.resolve()
    with_images = [sub_folder for sub_folder in _sub_folders(folder) if _images(sub_folder)]
    named = [sub_folder for sub_folder in with_images if split_of(sub_folder.name) is not None]
    if named and len(named) < len(with_images):
        others = ", ".join(each.name for each in with_images if each not in named)
        raise TaskError(f"{folder} holds folders of splits ({named[0].name}) beside {others}")
    splits = {each.name: each for each in named} or {"train": folder}
    classes = sorted(
        {each.name for split in splits.values() for each in _sub_folders(split) if _images(each)}
    )
    return {name: _read_classes(split, classes) for name, split in splits.items()}


def _read_classes(folder: Path, classes: list[str]) -> Dataset:
    paths: list[dict[str, str | None]] = []
    labels: list[int | None] = []
    for label, name in enumerate(classes):
        found = _images(folder / name)
        paths += [{"bytes": None, "path": str(path)} for path in found]
        labels += [label] * len(found)
    if not paths:
        paths = [{"bytes": None, "path": str(path)} for path in _images(folder)]
        labels = [None] * len(paths)
    features = Features({"image": Image(), "label": ClassLabel(names=classes)})
    return Dataset.from_dict({"image": paths, "label": labels}, features=features)


def _sub_folders(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and path.name[0] != ".")


def _images(folder: Path) -> list[Path]:
    """Images in a folder and below; what is hidden, as editors and systems leave it, is none."""
    found = folder.rglob("*") if folder.is_dir() else []
    return sorted(
        path for path in found
        if path.suffix.lower() in SUFFIXES
        and not any(part[0] == "." for part in path.relative_to(folder).parts)
    )  # fmt: skip
