"""The floors of the house: imports go down only, and each big library stays in its rooms."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import placement_search

PACKAGE = "placement_search"
ROOT = Path(placement_search.__file__).parent

FLOORS: Mapping[str, int] = {
    "errors": 0,
    "profile": 0,
    "own_process": 0,
    "rounding": 0,
    "strict_files": 0,
    "output_files": 1,
    "input_format": 1,
    "layout": 1,
    "layout_scores": 2,
    "space": 2,
    "modules": 3,
    "backbones": 3,
    "tasks": 3,
    "adapted": 4,
    "proxies": 5,
    "evaluation": 5,
    "engine": 6,
    "study": 7,
    "report": 8,
    "export": 8,
    "operations": 9,
    "cli": 10,
    "": 11,
}
"""The floor of each room; the package itself, with its front doors, stands on top."""
ROOM_OF_FILE = {"module_type": "layout", "places": "layout", "__main__": ""}
"""Layouts and what their modules say about themselves are one room of two files."""

QUARANTINE: Mapping[str, set[str]] = {
    "optuna": {"study"},
    "pandas": {"report"},
    "transformers": {"backbones", "tasks"},
    "datasets": {"tasks"},
    "typer": {"cli"},
}
"""The rooms that may import a library."""
LATE_ALLOWED = {"cli", ""}
"""Commands load torch when they run, and the package loads its public names when they are used."""
WITHOUT_TORCH = ("cli.main", "study.records", "study.settings", "study.combined_proxy")
"""Beside floors 0 to 2: what ``--help`` and the reading of studies need."""


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement's target, as a full module name."""

    importer: str
    target: str
    is_late: bool
    line: int

    def __str__(self) -> str:
        """Where it stands and what it imports."""
        return f"{self.importer}:{self.line} imports {self.target}"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py")}
"""The text of every module by its full name."""


def room_of(module: str) -> str:
    """The folder or file right below the package that a module belongs to."""
    first = module.removeprefix(PACKAGE).lstrip(".").split(".")[0]
    return ROOM_OF_FILE.get(first, first)


def imports_of(module: str, source: str) -> Iterator[Import]:
    """Every import of a module, those inside functions and ``if`` blocks included."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for name in imported_names(node):
            is_late = node not in tree.body
            yield Import(module, name, is_late, getattr(node, "lineno", 0))


def imported_names(node: ast.AST) -> list[str]:
    """Full names of the modules that a statement imports.

    Raises:
        ValueError: For a relative import, which hides the room that it goes to.
    """
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    if node.level or node.module is None:
        raise ValueError(f"relative import in line {node.lineno}")
    inner = [f"{node.module}.{alias.name}" for alias in node.names]
    return sorted({name if name in SOURCES else node.module for name in inner})


IMPORTS = [each for module, source in SOURCES.items() for each in imports_of(module, source)]
FIRST_PARTY = [each for each in IMPORTS if each.target.split(".")[0] == PACKAGE]


def goes_up(each: Import) -> bool:
    here, there = room_of(each.importer), room_of(each.target)
    return here != there and FLOORS[there] >= FLOORS[here]


def graph(imports: list[Import]) -> dict[str, set[str]]:
    """The modules that each module imports."""
    edges: dict[str, set[str]] = {module: set() for module in SOURCES}
    for each in imports:
        edges[each.importer].add(each.target)
    return edges


def parsed(module: str, source: str) -> list[Import]:
    return list(imports_of(f"{PACKAGE}.{module}", source))


def test_every_file_has_its_room() -> None:
    """A new folder gets a floor before it gets code."""
    assert {room_of(module) for module in SOURCES} <= FLOORS.keys()


def test_there_is_a_house_to_look_at() -> None:
    """The tests below would pass on an empty folder."""
    assert len(SOURCES) > 50
    assert len(FIRST_PARTY) > 150


def test_imports_go_down_only() -> None:
    """To the same room or to a lower floor; rooms on one floor do not know each other."""
    assert [str(each) for each in FIRST_PARTY if goes_up(each)] == []


def test_no_imports_run_in_circles() -> None:
    """Within a room, too."""
    try:
        TopologicalSorter(graph(FIRST_PARTY)).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(error.args[1]))


def test_first_party_imports_stand_at_the_top() -> None:
    """A late import hides a circle; only commands and the front door have another reason."""
    late = [each for each in FIRST_PARTY if each.is_late]

    assert [str(each) for each in late if room_of(each.importer) not in LATE_ALLOWED] == []


def test_only_the_front_door_imports_by_name() -> None:
    """An import that these tests can't see is one that they can't judge."""
    by_name = [
        module for module, source in SOURCES.items()
        if "import_module" in source or "__import__" in source
    ]  # fmt: skip

    assert by_name == [PACKAGE]


@pytest.mark.parametrize("library", QUARANTINE)
def test_a_library_stays_in_its_rooms(library: str) -> None:
    """Only there can its next version break something; and each room has a use for it."""
    users = [each for each in IMPORTS if each.target.split(".")[0] == library]

    assert [str(e) for e in users if room_of(e.importer) not in QUARANTINE[library]] == []


@pytest.mark.slow
def test_what_help_and_reading_need_loads_no_torch() -> None:
    """Floors 0 to 2, the command line and the records of studies: in a process of their own."""
    light = sorted(module for module in SOURCES if FLOORS[room_of(module)] <= 2)
    modules = [*light, *(f"{PACKAGE}.{module}" for module in WITHOUT_TORCH)]
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(name)\n"
        "    if 'torch' in sys.modules:\n"
        "        sys.exit(name + ' loads torch')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *modules], capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
    assert done.returncode == 0


@pytest.mark.parametrize("module", sorted(SOURCES))
def test_every_module_says_what_it_is(module: str) -> None:
    """The first docstring lines are the house's table of contents."""
    docstring = ast.get_docstring(ast.parse(SOURCES[module]))

    assert docstring
    assert docstring.splitlines()[0].endswith((".", ":"))


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("space.file", "from placement_search.study import records"),
        ("report.words", "import placement_search.export.load"),
        ("errors", "from placement_search.layout import Layout"),
        ("backbones.graph", "def f():\n    from placement_search.tasks import Task"),
        ("study.search", "from placement_search import load_task"),
    ],
)
def test_an_import_upwards_or_sideways_would_be_seen(module: str, source: str) -> None:
    """These tests can fail."""
    assert [goes_up(each) for each in parsed(module, source)] == [True]


def test_a_late_import_would_be_seen() -> None:
    """In a function, in a class, and under a condition."""
    late = "from placement_search.errors import SpaceError"
    sources = [f"def f():\n    {late}", f"class A:\n    {late}", f"if True:\n    {late}", late]

    assert [parsed("space.file", source)[0].is_late for source in sources] == [
        True, True, True, False,
    ]  # fmt: skip


def test_a_relative_import_would_be_seen() -> None:
    """It hides the room that it goes to."""
    with pytest.raises(ValueError, match="relative import in line 1"):
        parsed("space.file", "from ..study import records")
