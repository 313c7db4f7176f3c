from pathlib import Path

import pytest

from placement_search.errors import SpaceError
from placement_search.space.file import read_space
from placement_search.space.includes import read_merged

BASE = "schema_version: 1\nname: base\nkinds: [parallel]\nconnections: {at_most: 3}\n"


def write(folder: Path, **files: str) -> Path:
    """Write the files; gives the path of the last one."""
    for name, text in files.items():
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")
    return folder / f"{name}.yaml"


def test_own_keys_win_over_included_ones_and_later_files_over_earlier(tmp_path: Path) -> None:
    """Each key is taken whole from the last file that says it."""
    path = write(
        tmp_path,
        first="modules: [{type: bottleneck, rank: 4}]\nname: first\ntargets: [1]\n" + BASE[29:],
        second="connections: {at_most: 5}\ntargets: [2]\nname: second\n",
        mine="include: [first.yaml, second.yaml]\nschema_version: 1\nname: mine\n",
    )
    file = read_space(str(path))

    assert (file.name, file.targets, file.connections.at_most) == ("mine", [2], 5)
    assert file.modules[0].options == {"rank": (4,)}
    assert file.include == []


def test_includes_are_found_beside_the_file_that_includes_them(tmp_path: Path) -> None:
    """Also through folders, and where an included file includes others."""
    (tmp_path / "parts").mkdir()
    write(tmp_path / "parts", deep="sources: [3]\n", part="include: [deep.yaml]\ntargets: [4]\n")
    path = write(tmp_path, mine="include: [parts/part.yaml]\nname: mine\n")

    assert read_merged(path).data == {"sources": [3], "targets": [4], "name": "mine"}


def test_a_space_that_includes_itself_is_refused(tmp_path: Path) -> None:
    """The whole circle is shown."""
    path = write(tmp_path, other="include: [mine.yaml]\n", mine="include: [other.yaml]\n")
    with pytest.raises(SpaceError, match=r"mine.yaml includes .*other.yaml includes .*mine.yaml"):
        read_space(str(path))


@pytest.mark.parametrize("kind", ["json", "yaml"])
def test_a_file_that_is_nested_too_deeply_is_refused(tmp_path: Path, kind: str) -> None:
    """In words, not by Python's own limit."""
    path = tmp_path / f"mine.{kind}"
    path.write_text("[" * 100_000, encoding="utf-8")
    with pytest.raises(SpaceError, match="nested too deeply"):
        read_merged(path)


def test_one_file_may_be_included_twice(tmp_path: Path) -> None:
    """By two files side by side; that is no circle."""
    path = write(
        tmp_path, base="sources: [3]\n", a="include: [base.yaml]\n", b="include: [base.yaml]\n",
        mine="include: [a.yaml, b.yaml]\n",
    )  # fmt: skip

    assert read_merged(path).data == {"sources": [3]}


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("[missing.yaml]", "there is no 'missing.yaml'"),
        ("base.yaml", "takes a list of files, e.g. [base.yaml], got 'base.yaml'"),
        ("[3]", "takes a list of files"),
    ],
)
def test_what_can_not_be_included_is_named(tmp_path: Path, include: str, said: str) -> None:
    """With the file that asks for it."""
    path = write(tmp_path, base=BASE, mine=f"include: {include}\n")
    with pytest.raises(SpaceError) as raised:
        read_space(str(path))

    assert str(path) in str(raised.value)
    assert said in str(raised.value)


def test_a_mistake_is_told_with_the_file_that_holds_it(tmp_path: Path) -> None:
    """An included file's key is mended there."""
    path = write(
        tmp_path,
        base=BASE + "suorces: all\n",
        mine="include: [base.yaml]\nname: mine\nmodules: [{rank: 4}]\n",
    )
    with pytest.raises(SpaceError) as raised:
        read_space(str(path))
    lines = str(raised.value).splitlines()
    base = tmp_path / "base.yaml"

    assert lines[1] == "  modules.0.type: this key is missing"
    assert lines[2].startswith("  suorces: unknown key with value 'all'")
    assert lines[2].endswith(f"(in {base})")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BASE + "kinds: [recurrent]\n", "kinds stands twice, in line 3 and in line 5"),
        (BASE + "modules: [{rank: 4, rank: 8}]\n", "rank stands twice, in line 5 and in line 5"),
        ('{"name": "mine",\n"name": "yours"}', "name stands twice, in line 1 and in line 2"),
    ],
)
def test_a_key_that_stands_twice_is_an_error(tmp_path: Path, text: str, said: str) -> None:
    """YAML would take the last one and say nothing; the file and both lines are named."""
    path = write(tmp_path, mine=text)
    with pytest.raises(SpaceError) as raised:
        read_space(str(path))

    assert str(raised.value) == f"{path}: {said}; leave one of them out, or join them"


def test_what_no_file_can_be_called_is_no_file(tmp_path: Path) -> None:
    """As a space that was pasted in place of its name, or in a list of files."""
    name = "a" * 300
    with pytest.raises(SpaceError, match="there is no file 'aaa"):
        read_space(name)
    with pytest.raises(SpaceError, match="there is no 'aaa"):
        read_space(str(write(tmp_path, mine=f"include: ['{name}']\n{BASE}")))


def test_a_file_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A folder, here."""
    with pytest.raises(SpaceError, match="can't be read: Is a directory"):
        read_merged(tmp_path)
