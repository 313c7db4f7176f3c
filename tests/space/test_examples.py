"""The examples of the documentation, and those beside the spaces that ship, are spaces."""

import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from placement_search.space.encoding import Encoding
from placement_search.space.file import SpaceFile, json_schema, read_space, spaces_folder
from placement_search.space.format import LATER_KEYS
from tests.tiny_spaces import bound

BLOCKS = re.findall(r"```yaml\n(.*?)```", Path("docs/spaces.md").read_text("utf-8"), re.DOTALL)
WHOLE, *PARTS = [yaml.safe_load(block) for block in BLOCKS]
EXAMPLES = sorted(p for p in (spaces_folder() / "examples").glob("*.yaml") if p.stem != "modules")


@pytest.mark.parametrize("part", [{}, *PARTS], ids=lambda part: "+".join(part) or "whole")
def test_an_example_of_the_documentation_is_a_space(part: dict[str, Any]) -> None:
    """For the reader, for the schema, and on the embedded backbone."""
    jsonschema.validate(WHOLE | part, json_schema())
    space = bound(SpaceFile.model_validate(WHOLE | part))

    assert Encoding(space).genes


def test_every_key_is_documented() -> None:
    """In bold, where it is explained."""
    text = Path("docs/spaces.md").read_text("utf-8")

    assert [key for key in LATER_KEYS if f"**{key}**" not in text] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_file_is_a_space(path: Path) -> None:
    """Its name is its file's, and a layout of it can be drawn on the embedded backbone."""
    file = read_space(str(path))
    space = bound(file)
    encoding = Encoding(space)
    genes = {gene.name: 0 if gene.n_values else 0.5 for gene in encoding.genes}

    assert file.name == path.stem
    assert file.description.endswith("?")
    assert space.contains(encoding.decode(genes))


def test_there_are_examples() -> None:
    """The tests above would pass without any."""
    assert len(EXAMPLES) >= 3
    assert len(PARTS) >= 10
