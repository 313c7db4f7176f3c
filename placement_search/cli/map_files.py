"""The files of ``map --out``, and that no other map is replaced by them."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from placement_search.backbones.settings import ModelSettings
from placement_search.cli.output import Row
from placement_search.errors import OutputError
from placement_search.output_files import OTHER_FOLDER, check_folder, make_folder, write_whole
from placement_search.tasks.settings import DataSettings

MAP_NAME, SPREAD_NAME, FACTS_NAME = "map.csv", "map-spread.csv", "map.json"

FINGERPRINTS = ("backbone_fingerprint", "data_fingerprint")
"""Facts by which a map is of what it was of."""


@dataclass(frozen=True, slots=True)
class AskedMap:
    """Which map a user asks for.

    Args:
        model: The backbone.
        data: The task.
        seed: Fixes the examples, and the random heads.
        examples: Training examples that gradients are summed over.
    """

    model: ModelSettings
    data: DataSettings
    seed: int
    examples: int

    def as_json(self) -> dict[str, Any]:
        """As ``map.json`` holds it; where it was computed does not make it another map."""
        asked = asdict(self)
        del asked["model"]["device"]
        return asked


def check_map(folder: Path, asked: AskedMap) -> None:
    """Check that a map can be written there, and that no other one lies there.

    Raises:
        OutputError: If it can't, or one does, or files of these names that are of none.
    """
    check_folder(folder)
    _check_same(folder, {"asked": asked.as_json()})


def _check_same(folder: Path, facts: Mapping[str, Any]) -> None:
    """Check that what lies there, if anything does, is a map of which all this is said."""
    lying = [name for name in (MAP_NAME, SPREAD_NAME, FACTS_NAME) if (folder / name).exists()]
    try:
        held = json.loads((folder / FACTS_NAME).read_bytes()) if lying else {}
    except (OSError, ValueError):
        held = None
    is_same = isinstance(held, dict) and all(held.get(key) == facts[key] for key in facts)
    if lying and not is_same:
        raise OutputError(f"{str(folder)!r} holds {lying[0]}, not of this map; {OTHER_FOLDER}")


def write_map(
    folder: Path,
    asked: AskedMap,
    rows: Sequence[Row],
    spread: Sequence[Row],
    facts: Mapping[str, Any],
) -> tuple[Path, ...]:
    """Write the scores, their spread, and what they are of.

    Args:
        folder: Made where it is missing.
        asked: Which map it is; an earlier one of the same is replaced.
        rows: A connection each, with its score by every proxy.
        spread: A proxy each.
        facts: What else ``map.json`` is to hold.

    Raises:
        OutputError: As `check_map` does, or if the map that lies there is of another backbone or
            other data of the same names.
    """
    check_map(folder, asked)
    _check_same(folder, {key: facts[key] for key in FINGERPRINTS})
    make_folder(folder)
    said = json.dumps({"asked": asked.as_json(), **facts}, indent=1, allow_nan=False)
    # What says whose the files are comes first: a stopped command can be repeated.
    return (
        write_whole(folder / FACTS_NAME, f"{said}\n"),
        write_whole(folder / MAP_NAME, _as_csv(rows)),
        write_whole(folder / SPREAD_NAME, _as_csv(spread)),
    )


def _as_csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
