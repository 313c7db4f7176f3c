"""What every command of the benchmarks and scripts says when it is asked for help."""

import importlib
import sys
from pathlib import Path

import pytest

COMMANDS = sorted(
    ".".join(path.with_suffix("").parts)
    for folder in ("benchmarks", "scripts")
    for path in Path(folder).rglob("*.py")
    if 'if __name__ == "__main__":' in path.read_text("utf-8")
)


@pytest.mark.parametrize("name", COMMANDS)
def test_asked_for_help_it_says_what_it_does_and_does_nothing(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    module = importlib.import_module(name)
    monkeypatch.setattr(sys, "argv", [name, "--help"])
    with pytest.raises(SystemExit) as stopped:
        module.main()
    assert stopped.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    first = (module.__doc__ or "").split("\n")[0].split(";")[0].strip(". r")
    assert first in said
