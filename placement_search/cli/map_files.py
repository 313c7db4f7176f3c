"""The files of ``map --out``, and that no other map is replaced by them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from placement_search.backbones.settings import ModelSettings
from placement_search.cli.folders import held_facts
from placement_search.cli.output import Row, as_csv
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
    held = held_facts(folder / FACTS_NAME)
    if lying and any(held.get(key) != fact for key, fact in facts.items()):
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
    said = {"asked": asked.as_json(), **facts}
    _check_same(folder, {key: said[key] for key in ("asked", *FINGERPRINTS)})
    make_folder(folder)
    # What says whose the files are comes first: a stopped command can be repeated.
    return (
        write_whole(folder / FACTS_NAME, f"{json.dumps(said, indent=1, allow_nan=False)}\n"),
        write_whole(folder / MAP_NAME, as_csv(rows)),
        write_whole(folder / SPREAD_NAME, as_csv(spread)),
    )
