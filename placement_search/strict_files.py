"""YAML and JSON as users write them; a key that stands twice in one place is refused.

Of such keys both libraries keep the last, without a word.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

import yaml


class TwiceError(Exception):
    """A key stands twice in one place."""

    def __init__(self, key: str, *lines: int) -> None:
        where = f", in line {lines[0]} and in line {lines[1]}" if lines else ""
        super().__init__(f"{key} stands twice{where}")


def read_yaml(text: str) -> Any:  # noqa: ANN401 - whatever YAML holds
    """What a YAML text holds.

    Raises:
        TwiceError: If a key stands twice in one place.
        yaml.YAMLError: If it is no YAML.
        ValueError: If a value is none of its type, as a day 32.
        RecursionError: If it is nested too deeply.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - a safe one


def read_json(text: str) -> Any:  # noqa: ANN401 - whatever JSON holds
    """What a JSON text holds.

    Raises:
        TwiceError: If a key stands twice in one place.
        ValueError: If it is no JSON.
        RecursionError: If it is nested too deeply.
    """
    return json.loads(text, object_pairs_hook=_once)


class _Loader(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        """The keys and values of one place."""
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                line = key.start_mark.line + 1
                if key.value in lines:
                    raise TwiceError(key.value, lines[key.value], line)
                lines[key.value] = line
        return super().construct_mapping(node, deep)


# YAML 1.1 wants a point in such numbers; JSON, Python and people do not.
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"),
    list("-+0123456789"),
)


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise TwiceError(key)
        found[key] = value
    return found
