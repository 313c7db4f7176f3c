import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from placement_search.errors import SpaceError
from placement_search.layout import FirstPass, Kind
from placement_search.space.file import (
    expand_nodes,
    json_schema,
    main,
    read_space,
    shipped_spaces,
    spaces_folder,
)

RIGHT: dict[str, Any] = {
    "schema_version": 1,
    "name": "mine",
    "kinds": ["parallel"],
    "connections": {"at_least": 1, "at_most": 3},
    "modules": [{"type": "bottleneck", "rank": [4, 8]}],
}


def written(folder: Path, changes: dict[str, Any]) -> str:
    """The path of a file with ``changes``; an entry of None is left out."""
    entries = {key: value for key, value in (RIGHT | changes).items() if value is not None}
    path = folder / "mine.yaml"
    path.write_text(yaml.safe_dump(entries), encoding="utf-8")
    return str(path)


def mistakes(path: str) -> str:
    with pytest.raises(SpaceError) as raised:
        read_space(path)
    return str(raised.value)


def test_four_spaces_ship() -> None:
    """One per question: classic, longer, backwards, everything."""
    assert shipped_spaces() == ("extended", "long_range", "per_layer", "recurrent")


@pytest.mark.parametrize("name", shipped_spaces())
def test_a_shipped_space_is_read_by_its_name_and_by_its_path(name: str) -> None:
    """Its name is its file's, and it says which question it asks."""
    file = read_space(name)

    assert file == read_space(str(spaces_folder() / f"{name}.yaml"))
    assert file.name == name
    assert file.description.endswith("?")


def test_the_shipped_schema_is_the_generated_one() -> None:
    """``python -m placement_search.space.file`` renews it."""
    shipped = json.loads((spaces_folder() / "schema.json").read_text(encoding="utf-8"))

    assert shipped == json_schema()


def test_the_command_of_the_module_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """What it prints is the shipped file, byte by byte, so a diff shows changes alone."""
    main()

    shipped = (spaces_folder() / "schema.json").read_text(encoding="utf-8")
    assert capsys.readouterr().out == shipped


@pytest.mark.parametrize("name", shipped_spaces())
def test_the_schema_admits_every_shipped_space(name: str) -> None:
    """An editor that reads the schema finds no fault with our own files."""
    text = (spaces_folder() / f"{name}.yaml").read_text(encoding="utf-8")

    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(yaml.safe_load(text), json_schema())


def test_what_a_file_leaves_out_has_a_default(tmp_path: Path) -> None:
    """All nodes, one module for the whole layout, and a frozen first pass."""
    file = read_space(written(tmp_path, {"connections": {"at_most": 2}}))

    assert (file.sources, file.targets) == ("all", "all")
    assert (file.connections.at_least, file.connections.at_most) == (1, 2)
    assert (file.module_per, file.first_pass) == ("layout", FirstPass.FROZEN)
    assert file.kinds == [Kind.PARALLEL]


def test_a_json_file_is_read_as_well(tmp_path: Path) -> None:
    """JSON is YAML."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(RIGHT), encoding="utf-8")

    assert read_space(str(path)).name == "mine"


def test_one_value_and_a_list_of_one_mean_the_same(tmp_path: Path) -> None:
    """Each setting of a module is one value or a list to search over."""
    one = read_space(written(tmp_path, {"modules": [{"type": "bottleneck", "rank": 4}]}))
    listed = read_space(written(tmp_path, {"modules": [{"type": "bottleneck", "rank": [4]}]}))

    assert one.modules[0].options == listed.modules[0].options == {"rank": (4,)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"suorces": "all"}, ["suorces: unknown key", "did you mean 'sources'?"]),
        (
            {"connections": {"at_mots": 3, "at_most": 3}},
            ["connections.at_mots: unknown key", "did you mean 'at_most'?"],
        ),
        ({"kinds": ["paralel"]}, ["kinds.0", "got 'paralel'", "did you mean 'parallel'?"]),
        ({"kinds": ["long-range"]}, ["kinds.0", "'long-range'", "did you mean 'long_range'?"]),
        ({"kinds": []}, ["kinds", "at least 1", "got []"]),
        ({"kinds": None}, ["kinds: this key is missing"]),
        ({"modules": []}, ["modules", "at least 1", "got []"]),
        ({"modules": [{"rank": 4}]}, ["modules.0.type: this key is missing"]),
        (
            {"connections": {"at_least": 5, "at_most": 2}},
            ["connections", "at_least 5 exceeds at_most 2"],
        ),
        ({"connections": {"at_least": 0, "at_most": 2}}, ["connections.at_least", "got 0"]),
        ({"connections": {"at_least": 1}}, ["connections.at_most: this key is missing"]),
        ({"module_per": "layouts"}, ["module_per", "'layouts'", "did you mean 'layout'?"]),
        ({"first_pass": "frosen"}, ["first_pass", "'frosen'", "did you mean 'frozen'?"]),
        ({"schema_version": 2}, ["schema_version", "should be 1, got 2"]),
        ({"schema_version": None}, ["schema_version: this key is missing"]),
        ({"name": "Two words"}, ["name", "got 'Two words'"]),
        ({"sources": "everything"}, ["sources", "'all'", "got 'everything'"]),
        ({"sources": [1.5]}, ["sources", "1.5"]),
    ],
)
def test_a_mistake_names_file_key_value_and_the_nearest_word(
    tmp_path: Path, changes: dict[str, Any], said: list[str]
) -> None:
    """A user can mend the file without reading the code."""
    path = written(tmp_path, changes)
    message = mistakes(path)

    assert message.startswith(f"{path} is not a search space:")
    assert all(part in message for part in said), message


@pytest.mark.parametrize(
    "changes",
    [
        {"connections": {"at_most": True}},
        {"connections": {"at_most": "3"}},
        {"schema_version": True},
        {"sources": [True]},
    ],
)
def test_the_reader_refuses_what_the_schema_refuses(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    """An editor and the search agree; above all, a truth value is no number."""
    schema = jsonschema.Draft202012Validator(json_schema())

    assert not schema.is_valid(RIGHT | changes)
    assert "mine.yaml is not a search space" in mistakes(written(tmp_path, changes))


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    """One error with a line for each, so that one edit mends them all."""
    changes = {"kinds": ["paralel"], "suorces": "all", "module_per": "layer", "name": None}
    message = mistakes(written(tmp_path, changes))

    assert [line.split(":")[0].strip() for line in message.splitlines()[1:]] == [
        "name", "kinds.0", "module_per", "suorces",
    ]  # fmt: skip


def test_an_unknown_space_is_told_which_ship(tmp_path: Path) -> None:
    """Neither a name nor a file."""
    path = str(tmp_path / "extendet")

    assert "no file" in mistakes(path)
    assert path in mistakes(path)
    assert all(name in mistakes(path) for name in shipped_spaces())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"kinds: [", "is not YAML"),
        (b"\xff\xfe\xff", "is not YAML"),
        (b"- parallel\n", "must hold keys and values, got list"),
        (b"", "must hold keys and values, got NoneType"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """Broken YAML, no text at all, a list, or nothing."""
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)

    assert f"{path} {said}" in mistakes(str(path))


@given(st.sets(st.integers(0, 24), min_size=1))
@settings(deadline=None)
def test_nodes_may_be_listed_one_by_one_or_as_ranges(nodes: set[int]) -> None:
    """Both forms mean the same nodes, and repeats do not matter."""
    listed: list[int | str] = [*sorted(nodes), *(str(node) for node in nodes)]
    ranged: list[int | str] = [f"{node}-{node}" for node in nodes]

    assert expand_nodes(listed, "sources", 25) == nodes
    assert expand_nodes(ranged, "sources", 25) == nodes


def test_a_range_has_both_ends_and_all_means_every_node() -> None:
    """As the file's own documentation says."""
    assert expand_nodes(["3-6", 20], "sources", 25) == {3, 4, 5, 6, 20}
    assert expand_nodes("all", "sources", 25) == set(range(25))


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ("9-3", "a range runs upwards, got '9-3'"),
        (25, "the backbone has nodes 0 to 24, got 25"),
        ("20-30", "the backbone has nodes 0 to 24, got '20-30'"),
        (-1, "a range '3-9'; got -1"),
        ("3 to 9", "a range '3-9'; got '3 to 9'"),
    ],
)
def test_an_impossible_node_is_named_with_its_key(entry: int | str, said: str) -> None:
    """Beyond the last node, backwards, or no node at all."""
    with pytest.raises(SpaceError) as raised:
        expand_nodes([0, entry], "targets", 25)

    assert str(raised.value).startswith("targets:")
    assert said in str(raised.value)
