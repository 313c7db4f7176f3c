"""What replays of samplers came to, and the file that holds it between runs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from benchmarks.placements.errors import TableError
from placement_search.output_files import make_folder, write_whole

RESULTS = "results.json"
"""File of the results, within the folder of the page."""
NEWER = frozenset(
    {"n_open", "table", "test_close", "test_trials", "test_quartiles", "test_regrets"}
)
"""What results of the first form lack; such ones are made anew."""


class Split(StrEnum):
    """By which scores a layout is judged: means of what searches see, or of what none sees."""

    VALIDATION = "validation"
    TEST = "test"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """How a sampler did on a task.

    Args:
        task: The task.
        space: ``singles`` or ``sets``.
        sampler: Its name.
        table: Which table: its file's name, its backbone and its data.
        n_layouts: Layouts of the table.
        n_open: Layouts of the space that it is of, tabled or not; None for too many to count.
        n_close: Those of the table within 1 % of the best.
        n_seeds: Searches.
        longest: Trials of a search that never tried one of them.
        trials: Median number of trials until one of them was tried; None where most never did.
        quartiles: The quarter and three quarters of the searches, likewise.
        regrets: Best score less that of the incumbent, mean over seeds, after some trials.
        curve: The same after each trial.
        test_close: Layouts whose mean test score is within 1 % of the best mean test score.
        test_trials: Median number of trials until one of them was tried, within the curve's.
        test_quartiles: The quarter and three quarters of the searches, likewise.
        test_regrets: As ``regrets``, by mean test scores; the incumbent is the one by validation.
        random_order: As ``curve``, expected of exhaustive search in random order.
        made_from: Digest of all that the result hangs on; empty where nobody wrote it down.
        concurrency: Trials that were under way at once.
    """

    task: str
    space: str
    sampler: str
    table: str
    n_layouts: int
    n_open: int | None
    n_close: int
    n_seeds: int
    longest: int
    trials: float | None
    quartiles: tuple[float | None, float | None]
    regrets: tuple[float, ...]
    curve: tuple[float, ...]
    test_close: int
    test_trials: float | None
    test_quartiles: tuple[float | None, float | None]
    test_regrets: tuple[float, ...]
    random_order: tuple[float, ...] = ()
    made_from: str = ""
    concurrency: int = 1

    @property
    def what(self) -> tuple[str, str, str, str, int, int, int]:
        """Which searches it is of: table, task, space, sampler, number, length, concurrency."""
        searches = self.n_seeds, len(self.curve), self.concurrency
        return self.table, self.task, self.space, self.sampler, *searches

    @property
    def is_whole(self) -> bool:
        """Whether its searches could propose all that there is."""
        return self.n_layouts == self.n_open

    def trials_by(self, split: Split) -> float | None:
        """Median number of trials until a layout was tried that is good by one split's scores."""
        return self.trials if split is Split.VALIDATION else self.test_trials

    def close_by(self, split: Split) -> int:
        """How many layouts are good by one split's scores."""
        return self.n_close if split is Split.VALIDATION else self.test_close

    def is_of(self, longest: int) -> bool:
        """Whether searches of up to so many trials come to the same.

        Longer ones do where both quartiles are known, since only searches that never were good
        enough go on.
        """
        return longest == self.longest or (longest > self.longest and None not in self.quartiles)


_HELD = TypeAdapter(list[dict[str, Any]])
_RESULTS = TypeAdapter(list[Result])


def grouped(results: Sequence[Result]) -> Mapping[tuple[str, str], list[Result]]:
    """Results by task and space, in the order in which they came."""
    found: dict[tuple[str, str], list[Result]] = {}
    for each in results:
        found.setdefault((each.task, each.space), []).append(each)
    return found


def read_results(path: Path) -> list[Result]:
    """Results that were written before; none where there is no such file.

    Those of an older form, which lack what is told today, are left out.

    Raises:
        TableError: If the file holds something else.
    """
    if not path.is_file():
        return []
    try:
        held = _HELD.validate_json(path.read_bytes())
        return _RESULTS.validate_python([each for each in held if not _is_older(each)])
    except ValidationError as error:
        raise TableError(
            f"results of replays go on in {path}, which holds something else "
            f"(mistakes: {error.error_count()}); move it away, or name another folder by --out"
        ) from error


def _is_older(held: Mapping[str, object]) -> bool:
    return "sampler" in held and "curve" in held and not held.keys() & NEWER


def keep_results(found: Sequence[Result], held: Sequence[Result], folder: Path) -> None:
    """Write results down, with those from before of other tables or other searches."""
    new = {each.what for each in found}
    kept = [*found, *(each for each in held if each.what not in new)]
    make_folder(folder)
    write_whole(folder / RESULTS, json.dumps([asdict(each) for each in kept]) + "\n")
