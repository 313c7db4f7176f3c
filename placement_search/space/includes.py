"""A space file with the files that it includes, as one mapping; no key is checked yet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from placement_search.errors import SpaceError, held
from placement_search.strict_files import TwiceError, read_json, read_yaml

INCLUDE = "include"


@dataclass(frozen=True, slots=True)
class Merged:
    """What a file and all that it includes say.

    Args:
        data: By key, whole; of several files that say a key, the last one counts.
        origin: Which file each key comes from.
    """

    data: Mapping[str, Any]
    origin: Mapping[str, Path]


def read_merged(path: Path, including: tuple[Path, ...] = ()) -> Merged:
    """Read a file after all that it includes, so that later files and its own keys win.

    Args:
        path: The file.
        including: The files that led here, first to last.

    Raises:
        SpaceError: If a file is missing or not YAML, says a key twice, includes itself, or names no
            files.
    """
    if path.resolve() in [each.resolve() for each in including]:
        circle = " includes ".join(str(each) for each in (*including, path))
        raise SpaceError(f"a space can't include itself: {circle}; leave one include out")
    own = _read(path)
    data: dict[str, Any] = {}
    origin: dict[str, Path] = {}
    for name in _included(own.pop(INCLUDE, []), path):
        other = path.parent / name
        if not is_file(other):
            raise SpaceError(f"{path}: include takes files relative to it; there is no {name!r}")
        merged = read_merged(other, (*including, path))
        data |= merged.data
        origin |= merged.origin
    return Merged(data | own, origin | dict.fromkeys(own, path))


def is_file(path: Path) -> bool:
    """Whether it is one; a name that no file system takes is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def _read(path: Path) -> dict[str, Any]:
    is_json = path.suffix == ".json"
    try:
        text = path.read_text(encoding="utf-8-sig")
        data = read_json(text) if is_json else read_yaml(text)
    except TwiceError as error:
        raise SpaceError(f"{path}: {error}; leave one of them out, or join them") from error
    except OSError as error:
        raise SpaceError(f"{path} can't be read: {error.strerror}") from error
    except RecursionError as error:
        raise SpaceError(f"{path} is nested too deeply; a space has a few levels") from error
    except (yaml.YAMLError, ValueError) as error:
        raise SpaceError(f"{path} is not {'JSON' if is_json else 'YAML'}: {error}") from error
    if not isinstance(data, dict):
        raise SpaceError(f"{path} {held(data)}; it must hold keys and values")
    return data


def _included(names: object, path: Path) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise SpaceError(f"{path}: include takes a list of files, e.g. [base.yaml], got {names!r}")
    return names
