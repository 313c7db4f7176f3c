"""Search-space files: YAML or JSON, checked key by key before anything is loaded."""

import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StrictInt,
    StrictStr,
    ValidationError,
    field_validator,
    model_validator,
)

from placement_search.errors import SpaceError, nearest
from placement_search.layout import FirstPass, Kind

NodeRange = Annotated[
    StrictInt | StrictStr,
    Field(description="A node, e.g. 3, or a range with both ends, e.g. '3-9'."),
]
Nodes = Literal["all"] | list[NodeRange]
Choice = bool | int | float | str


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ConnectionCount(_Strict):
    """How many connections a layout has."""

    at_least: StrictInt = Field(1, ge=1, description="Fewest connections of a layout.")
    at_most: StrictInt = Field(..., ge=1, description="Most connections of a layout.")

    @model_validator(mode="after")
    def _check_order(self) -> "ConnectionCount":
        if self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} exceeds at_most {self.at_most}")
        return self


class ModuleChoice(BaseModel):
    """A module type; each of its settings may be one value or a list to search over."""

    model_config = ConfigDict(extra="allow", frozen=True)
    type: str = Field(..., description="Module type, e.g. bottleneck.")

    @property
    def options(self) -> dict[str, tuple[Choice, ...]]:
        """The values to search over for each setting that the file gives, in the file's order."""
        extra: Mapping[str, Any] = self.model_extra or {}
        return {
            name: tuple(value) if isinstance(value, list) else (value,)
            for name, value in extra.items()
        }


class SpaceFile(_Strict):
    """What a search-space file says; the backbone decides which nodes and connections exist."""

    schema_version: Literal[1] = Field(..., description="Version of this format.")
    name: str = Field(..., pattern=r"^[a-z0-9][a-z0-9_-]*$", description="Name of the space.")
    description: str = Field("", description="The question that the space asks.")
    kinds: list[Kind] = Field(..., min_length=1, description="Kinds of connection it may use.")
    connections: ConnectionCount
    sources: Nodes = Field("all", description="Nodes that a connection may read.")
    targets: Nodes = Field("all", description="Nodes that a connection may add to.")
    modules: list[ModuleChoice] = Field(..., min_length=1, description="Module types to try.")
    module_per: Literal["layout", "connection"] = Field(
        "layout", description="One module for all connections of a layout, or one for each."
    )
    first_pass: FirstPass = Field(
        FirstPass.FROZEN, description="What the first pass of a recurrent layout carries."
    )

    @field_validator("schema_version", mode="before")
    @classmethod
    def _check_is_number(cls, value: object) -> object:
        if isinstance(value, bool):  # Python's true equals 1, JSON's does not
            raise ValueError("a version is a number")  # noqa: TRY004 - pydantic expects this one
        return value


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
    if not path.is_file():
        known = ", ".join(shipped_spaces())
        raise SpaceError(
            f"--space takes a file or one of {known}; there is no file {name_or_path!r}"
        )
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpaceError(f"{path} is not YAML: {error}") from error
    if not isinstance(data, dict):
        raise SpaceError(f"{path} must hold keys and values, got {type(data).__name__}")
    try:
        return SpaceFile.model_validate(data)
    except ValidationError as error:
        lines = [f"  {line}" for line in _explained(error)]
        raise SpaceError("\n".join([f"{path} is not a search space:", *lines])) from error


def expand_nodes(nodes: Nodes, key: str, n_nodes: int) -> frozenset[int]:
    """The node numbers that ``sources`` or ``targets`` of a file mean.

    Raises:
        SpaceError: If an entry is no node or range, or lies beyond the last node.
    """
    if nodes == "all":
        return frozenset(range(n_nodes))
    return frozenset(node for entry in nodes for node in _expand(entry, key, n_nodes))


def _expand(entry: int | str, key: str, n_nodes: int) -> range:
    match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", str(entry))
    if match is None:
        raise SpaceError(f"{key}: a node is written 3, a range '3-9'; got {entry!r}")
    low = int(match[1])
    high = int(match[2] or match[1])
    if low > high:
        raise SpaceError(f"{key}: a range runs upwards, got {entry!r}")
    if high >= n_nodes:
        raise SpaceError(f"{key}: the backbone has nodes 0 to {n_nodes - 1}, got {entry!r}")
    return range(low, high + 1)


def _explained(error: ValidationError) -> Iterator[str]:
    for mistake in error.errors():
        place = ".".join(str(part) for part in mistake["loc"])
        if mistake["type"] == "extra_forbidden":
            key = str(mistake["loc"][-1])
            hint = _nearest_key(key, mistake["loc"][:-1])
            yield f"{place}: unknown key with value {mistake['input']!r}{hint}"
        elif mistake["type"] == "missing":
            yield f"{place}: this key is missing"
        else:
            value = mistake["input"]
            yield f"{place}: {mistake['msg']}, got {value!r}{_nearest_value(mistake)}"


def _nearest_key(key: str, parents: Sequence[str | int]) -> str:
    model = ConnectionCount if "connections" in parents else SpaceFile
    return nearest(key, model.model_fields)


def _nearest_value(mistake: Mapping[str, Any]) -> str:
    expected = re.findall(r"'([^']+)'", str(mistake.get("ctx", {}).get("expected", "")))
    return nearest(str(mistake["input"]), expected) if expected else ""


def main() -> None:
    """Print the JSON Schema: ``python -m placement_search.space.file``."""
    sys.stdout.write(json.dumps(json_schema(), indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
