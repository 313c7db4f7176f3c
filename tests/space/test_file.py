import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from placement_search.errors import SpaceError
from placement_search.layout import Connection, FirstPass, Kind, Layout
from placement_search.modules import check_places
from placement_search.space.file import (
    json_schema,
    main,
    read_space,
    shipped_spaces,
    spaces_folder,
)
from tests.tiny_spaces import PLACES, bound

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


def test_spaces_ship_for_each_question() -> None:
    """Classic, longer, backwards, everything; and one for each published module."""
    assert {"extended", "long_range", "per_layer", "recurrent"} <= {*shipped_spaces()}
    assert {"lora", "hadamard", "adapter_bias"} <= {*shipped_spaces()}
    assert {"tiny_attention", "adamix", "arc", "unipelt"} <= {*shipped_spaces()}


@pytest.mark.parametrize("name", ["lora", "hadamard", "adapter_bias"])
def test_every_layout_of_a_space_inside_sublayers_can_be_built(name: str) -> None:
    """It names the sub-layers that its modules fit, one in each of twelve blocks."""
    space = bound(read_space(name))

    assert len(space.pairs) == 12
    for module in space.modules:
        everywhere = Layout(tuple(Connection(*pair, module) for pair in space.pairs))
        check_places(everywhere, PLACES)


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


def test_exactly_so_many_means_at_least_and_at_most_so_many(tmp_path: Path) -> None:
    """The schema knows the word as well."""
    changes = {"connections": {"exactly": 4}}
    count = read_space(written(tmp_path, changes)).connections

    assert (count.at_least, count.at_most) == (4, 4)
    jsonschema.validate(RIGHT | changes, json_schema())


def test_a_number_that_yaml_takes_for_text_is_one_all_the_same(tmp_path: Path) -> None:
    """YAML 1.1 reads 1e-3, without a point, as text."""
    path = tmp_path / "mine.yaml"
    text = yaml.safe_dump(RIGHT) + "training: {learning_rate: [1e-3, 0.01]}"
    path.write_text(text, encoding="utf-8")

    assert read_space(str(path)).training.learning_rate == [0.001, 0.01]


def test_the_content_of_an_older_file_is_what_it_was() -> None:
    """Studies that compare it go on: keys that came later are left out where they say nothing."""
    content = read_space("extended").content

    assert content.keys() == {
        "schema_version", "name", "description", "kinds", "connections", "sources", "targets",
        "modules", "module_per", "first_pass",
    }  # fmt: skip
    assert content["connections"] == {"at_least": 1, "at_most": 6}


def test_the_content_holds_every_key_that_matters(tmp_path: Path) -> None:
    """A space that differs in one of them is another space."""
    changes: dict[str, Any] = {"symmetric": True, "training": {"weight_decay": 0.0}}
    content = read_space(written(tmp_path, changes)).content

    assert content["symmetric"] is True
    assert content["training"] == {"learning_rate": None, "weight_decay": 0.0}


def test_a_json_file_is_read_as_well(tmp_path: Path) -> None:
    """JSON is YAML."""
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(RIGHT), encoding="utf-8")

    assert read_space(str(path)).name == "mine"


@pytest.mark.parametrize("name", ["mine.yaml", "mine.json"])
@pytest.mark.parametrize("number", ["1e-6", "1E-6", "1.e-6", "1.0e-6"])
def test_a_power_of_ten_needs_no_point(tmp_path: Path, name: str, number: str) -> None:
    """As Python, JSON and the documents write it; JSON alone wants a digit after a point."""
    if name.endswith("json") and ".e" in number:
        return
    path = tmp_path / name
    content = {**RIGHT, "modules": [{"type": "tiny_attention", "spread": "NUMBER"}]}
    path.write_text(json.dumps(content, indent="\t" if name.endswith("json") else None)
                    .replace('"NUMBER"', number))  # fmt: skip

    assert read_space(str(path)).modules[0].model_dump()["spread"] == 1e-6


def test_a_key_that_stands_twice_in_json_is_an_error(tmp_path: Path) -> None:
    """As in YAML; the last one would win."""
    path = tmp_path / "mine.json"
    path.write_text('{"name": "one", "name": "two"}')

    assert f"{path}: name stands twice; leave one of them out" in mistakes(str(path))


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
        (
            {"connections": {"exactly": 2, "at_most": 3}},
            ["connections", "exactly says it all; leave at_most out"],
        ),
        ({"connections": {"exactly": 0}}, ["connections", "a whole number from 1 on, not 0"]),
        ({"connections": {"exaktly": 2}}, ["connections.exaktly", "did you mean 'exactly'?"]),
        (
            {"when": [{"has": ["parallel"], "at_most": 1}]},
            ["when.0.has", "source>target in quotes", "got ['parallel']"],
        ),
        ({"always": ["3-4"]}, ["always.0", "source>target in quotes", "got '3-4'"]),
        ({"never": ["3"]}, ["never.0", "'*>0'", "got '3'"]),
        ({"tied": "layers"}, ["tied", "'blocks'", "got 'layers'"]),
        ({"symmetric": "sometimes"}, ["symmetric", "got 'sometimes'"]),
        ({"when": [{"has": "recurrent"}]}, ["when.0", "at_most, in_all, module or without"]),
        (
            {"when": [{"has": "recurent", "at_most": 1}]},
            ["when.0.has", "not a kind", "did you mean 'recurrent'?", "got 'recurent'"],
        ),
        (
            {"when": [{"has": "recurrent", "at_mots": 1}]},
            ["when.0.at_mots: unknown key", "did you mean 'at_most'?"],
        ),
        (
            {"when": [{"has": {"modul": {"rank": 4}}, "at_most": 1}]},
            ["when.0.has.module: this key is missing", "did you mean 'module'?"],
        ),
        (
            {"when": [{"has": "parallel", "without": {"connections": "*>0", "module": {}}}]},
            ["when.0.without.module: needs at least 1 item"],
        ),
        ({"training": {"learning_rate": 0}}, ["training.learning_rate", "must be above 0"]),
        ({"training": {"learning_rate": True}}, ["learning_rate", "truth value", "got True"]),
        ({"training": {"weight_decay": [0, -1]}}, ["weight_decay", "at least 0, not -1"]),
        ({"training": {"weight_decay": []}}, ["weight_decay", "at least 1 item"]),
        (
            {"training": {"learning_rate": {"low": 0.1, "high": 0.01}}},
            ["learning_rate", "low 0.1 must lie below high 0.01"],
        ),
        (
            {"training": {"weight_decay": {"low": 0, "high": 0.1, "log": True}}},
            ["weight_decay", "with log, low must be above 0, not 0"],
        ),
        (
            {"training": {"learning_rate": {"lo": 0.1, "high": 1}}},
            ["lo: unknown key", "did you mean 'low'?"],
        ),
        ({"training": {"epochs": 3}}, ["training.epochs: unknown key"]),
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
        {"connections": {"exactly": True}},
        {"connections": {"exactly": 2, "at_least": 1}},
        {"when": [{"at_most": 2}]},
        {"when": [{"has": {"connections": "parallel"}, "at_most": 2}]},
        {"training": {"learning_rate": True}},
        {"training": {"learning_rate": {"low": 0.1}}},
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
        (b"- parallel\n", "holds a list; it must hold keys and values"),
        (b"parallel\n", "holds a single value; it must hold keys and values"),
        (b"", "is empty; it must hold keys and values"),
    ],
)
def test_a_file_of_another_kind_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    """Broken YAML, no text at all, a list, or nothing."""
    path = tmp_path / "broken.yaml"
    path.write_bytes(content)

    assert f"{path} {said}" in mistakes(str(path))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ("kinds: null", "kinds: takes a list, got None"),
        ("sources: null", "sources: takes 'all', or a list of nodes"),
        ("sources: [1.5]", "sources: takes 'all', or a list of nodes"),
        ("connections: 3", "connections: takes keys and values, got 3"),
        ("modules: [bottleneck]", "modules.0: takes keys and values, got 'bottleneck'"),
        ("shared: {rank: }", "shared.rank: takes a value or a list of values, where None is none"),
        ("shared: {rank: [2, {}]}", "shared.rank: takes a value or a list of values, where {}"),
        (
            "when: [{has: {module: {rank: null}}, without: parallel}]",
            "when.0.has.module.rank: takes a value or a list of values, where None is none",
        ),
        ("training: {learning_rate: fast}", "training.learning_rate: takes a number, got 'fast'"),
        ("1: 2", "1: a key is a word"),
    ],
)
def test_a_mistake_of_type_is_told_in_words_of_the_format(
    tmp_path: Path, changes: str, said: str
) -> None:
    """No class or union of ours shows through."""
    lines = {
        "schema_version": "schema_version: 1",
        "name": "name: mine",
        "kinds": "kinds: [parallel]",
        "connections": "connections: {at_most: 3}",
        "modules": "modules: [{type: bottleneck}]",
    }
    path = tmp_path / "mine.yaml"
    said_lines = lines | {changes.split(":", maxsplit=1)[0]: changes}
    path.write_text("\n".join(said_lines.values()), encoding="utf-8")
    message = mistakes(str(path))

    assert said in message
    assert not any(word in message for word in ("literal[", "union[", "instance of", "Input"))
    assert len(message.splitlines()) == 2, "a mistake is told once"
