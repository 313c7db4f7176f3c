"""Results as lines of JSON, added as they come, so that an interrupted computation goes on."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def append(journal: Path, row: Mapping[str, Any]) -> None:
    """Add a line; one that an interruption had cut off before it goes."""
    journal.parent.mkdir(parents=True, exist_ok=True)
    with journal.open("ab+") as file:
        file.seek(0)
        file.truncate(file.read().rfind(b"\n") + 1)
        file.write(json.dumps(row).encode() + b"\n")


def read(journal: Path) -> list[dict[str, Any]]:
    """The whole lines of a journal; none where there is no such file."""
    if not journal.is_file():
        return []
    *whole, _ = journal.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in whole if line]
