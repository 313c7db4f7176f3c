"""Search-space files: YAML or JSON, checked key by key before anything is loaded."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from placement_search.errors import SpaceError, nearest
from placement_search.space.format import (
    Condition,
    ConnectionCount,
    Described,
    Interval,
    SpaceFile,
    TrainingOptions,
)
from placement_search.space.includes import Merged, is_file, read_merged

__all__ = ["SpaceFile", "json_schema", "read_space", "shipped_spaces", "spaces_folder"]


def json_schema() -> dict[str, Any]:
    """The JSON Schema of search-space files, which ships as ``search_spaces/schema.json``."""
    schema = SpaceFile.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def spaces_folder() -> Path:
    """The folder of the spaces that come with the package, in a wheel or in a checkout."""
    package = Path(str(resources.files("placement_search")))
    inside, beside = package / "search_spaces", package.parent / "search_spaces"
    return inside if inside.is_dir() else beside


def shipped_spaces() -> tuple[str, ...]:
    """Names of the spaces that come with the package."""
    return tuple(sorted(path.stem for path in spaces_folder().glob("*.yaml")))


def read_space(name_or_path: str) -> SpaceFile:
    """Read a space that ships, by its name, or any other by the path of its file.

    Raises:
        SpaceError: Naming the file and all its mistakes at once, each with key, value and cure.
    """
    path = Path(name_or_path)
    if name_or_path in shipped_spaces():
        path = spaces_folder() / f"{name_or_path}.yaml"
    if not is_file(path):
        raise SpaceError(
            "--space takes a file or the name of a space that ships; there is no file "
            f"{name_or_path!r}{nearest(name_or_path, shipped_spaces())}"
        )
    merged = read_merged(path)
    try:
        return SpaceFile.model_validate(merged.data)
    except ValidationError as error:
        lines = [f"  {line}" for line in _explained(error, merged, path)]
        raise SpaceError("\n".join([f"{path} is not a search space:", *lines])) from error


def _explained(error: ValidationError, merged: Merged, path: Path) -> Iterator[str]:
    for mistake in error.errors():
        origin = merged.origin.get(str(mistake["loc"][0]), path)
        where = "" if origin == path else f" (in {origin})"
        yield f"{_explanation(mistake)}{where}"


_RULES: Mapping[str, str] = {
    "bool_parsing": "takes true or false", "bool_type": "takes true or false",
    "dict_type": "takes keys and values", "enum": "should be {expected}",
    "float_parsing": "takes a number", "float_type": "takes a number",
    "greater_than_equal": "must be at least {ge}", "int_from_float": "takes a whole number",
    "int_type": "takes a whole number", "invalid_key": "a key is a word, in quotes if need be",
    "list_type": "takes a list", "literal_error": "should be {expected}",
    "model_type": "takes keys and values", "string_type": "takes text, in quotes if need be",
    "too_short": "needs at least {min_length} item",
}  # fmt: skip
"""Rules that pydantic checks, in the words of this format; others say their own."""
_FORMS: Mapping[str, frozenset[str]] = {
    "training": frozenset({"number", "list", "interval"}),
    "when": frozenset({"by-place", "by-module"}),
}
"""By key, which form of `Searched` or `Connections` a mistake is about; no keys of the file."""


def _explanation(mistake: Mapping[str, Any]) -> str:
    loc = mistake["loc"]
    place = ".".join(str(part) for part in loc if part not in _FORMS.get(str(loc[0]), ()))
    if mistake["type"] == "extra_forbidden":
        hint = _nearest_key(str(loc[-1]), loc[:-1])
        return f"{place}: unknown key with value {mistake['input']!r}{hint}"
    if mistake["type"] == "missing":
        return f"{place}: this key is missing"
    rule = _RULES.get(mistake["type"])
    said = rule.format(**mistake.get("ctx", {})) if rule else mistake["msg"]
    said = said.removeprefix("Value error, ")
    return f"{place}: {said}, got {mistake['input']!r}{_nearest_value(mistake)}"


_PARTS: Mapping[str, type[BaseModel]] = {
    "by-module": Described, "connections": ConnectionCount, "when": Condition,
    "interval": Interval, "training": TrainingOptions,
}  # fmt: skip


def _nearest_key(key: str, parents: Sequence[str | int]) -> str:
    found = [model for name, model in _PARTS.items() if name in parents]
    known = (found[0] if found else SpaceFile).model_fields
    return nearest(key, [*known, "exactly"] if "connections" in parents else known)


def _nearest_value(mistake: Mapping[str, Any]) -> str:
    expected = re.findall(r"'([^']+)'", str(mistake.get("ctx", {}).get("expected", "")))
    return nearest(str(mistake["input"]), expected) if expected else ""


def main() -> None:
    """Print the JSON Schema: ``python -m placement_search.space.file``."""
    sys.stdout.write(json.dumps(json_schema(), indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
