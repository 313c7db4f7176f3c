"""The README is true: its commands exist, its example runs, what it names can be chosen."""

import re
from pathlib import Path

import pytest

from placement_search.cli.bundles import DATA_HELP, MODEL_HELP
from placement_search.cli.main import app
from placement_search.space.file import shipped_spaces
from placement_search.study.pruners import PRUNERS
from placement_search.study.samplers import SAMPLERS
from placement_search.tasks.loading import TASKS

README = Path("README.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```python\n(.*?)```", README, re.DOTALL)


def test_every_command_is_in_the_readme() -> None:
    """A command that the README does not name is found by nobody."""
    names = {
        command.name or getattr(command.callback, "__name__", "")
        for command in app.registered_commands
    }

    assert {name for name in names if f"placement-search {name}" not in README} == set()


def test_the_readme_names_what_can_be_chosen() -> None:
    """Tasks, spaces, samplers and pruners."""
    names = [*TASKS, *shipped_spaces(), *SAMPLERS, *PRUNERS]

    assert [name for name in names if f"`{name}`" not in README] == []


def test_the_commands_of_the_readme_have_these_options() -> None:
    """No option is shown that the command line does not know."""
    shown = set(re.findall(r"placement-search .*?(?=#|$)", README, re.MULTILINE))
    options = set(re.findall(r"--[a-z-]+", " ".join(shown)))
    source = "".join(path.read_text() for path in Path("placement_search/cli").glob("*.py"))
    known = set(re.findall(r'"(--[a-z-]+)"', source)) | {
        "--" + name.replace("_", "-")
        for name in [*re.findall(r"^    (\w+): ", source, re.MULTILINE), *MODEL_HELP, *DATA_HELP]
    }

    assert options <= known


def test_the_example_has_ten_lines() -> None:
    """Short enough to be read at a glance."""
    assert EXAMPLE is not None
    assert len([line for line in EXAMPLE[1].splitlines() if line.strip()]) <= 10


@pytest.mark.slow
def test_the_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The Python example does what it says, and leaves the files that it names."""
    monkeypatch.chdir(tmp_path)
    assert EXAMPLE is not None
    names: dict[str, object] = {}

    exec(EXAMPLE[1], names)  # noqa: S102 - the README is ours

    assert (tmp_path / "example/report/report.html").is_file()
    assert (tmp_path / "example/layout/layout.safetensors").is_file()
    assert callable(names["model"])
