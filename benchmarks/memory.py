"""Memory over 200 trials of one search on one backbone: it must not grow with the trials.

    python -m benchmarks.memory [--model FOLDER] [--data DATA]

Prints the resident memory of the process after every 20 trials, and the growth between the first
and the last quarter of the trials, per trial. Linux only: it reads /proc.
"""

import argparse
import gc
import statistics
import tempfile
from pathlib import Path

import torch

from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.plan import TrainingPlan
from placement_search.study.search import search
from placement_search.study.settings import SearchSettings
from placement_search.tasks.settings import DataSettings

N_TRIALS = 200
PAGE_BYTES = 4096
MEBIBYTE = 1024**2


def resident_bytes() -> int:
    """Memory that the process holds now."""
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE_BYTES


class MemoryProgress:
    """Notes down the resident memory, and how many tensors live, after every trial."""

    def __init__(self) -> None:
        self.is_search = False
        self.resident: list[int] = []
        self.tensors: list[int] = []

    def start(self, stage: str, total: int, done: int = 0) -> None:
        """Only the search itself counts."""
        del total, done
        self.is_search = stage == "search"

    def advance(self, line: str) -> None:
        """A trial is done."""
        del line
        if not self.is_search:
            return
        gc.collect()
        self.resident.append(resident_bytes())
        self.tensors.append(sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects()))
        if len(self.resident) % 20 == 0:
            shown = f"{self.resident[-1] / MEBIBYTE:8.1f} MiB, {self.tensors[-1]:5d} tensors"
            print(f"after {len(self.resident):3d} trials: {shown}")

    def say(self, line: str) -> None:
        """Not of interest."""

    def finish(self) -> None:
        """Not of interest."""


def main() -> None:
    """Search, and compare the first trials with the last."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded")
    parser.add_argument("--data", default="digits")
    given = parser.parse_args()
    noted = MemoryProgress()
    with tempfile.TemporaryDirectory() as folder:
        search(
            SearchSettings(
                model=ModelSettings(given.model, device="cpu"),
                data=DataSettings(given.data, train_size=128, validation_size=64),
                storage=f"sqlite:///{folder}/study.db",
                n_trials=N_TRIALS,
                pruner="none",
                n_finalists=0,
                training=TrainingPlan(epochs=1),
            ),
            noted,
        )
    quarter = N_TRIALS // 4
    first, last = (statistics.fmean(part) for part in (
        noted.resident[quarter : 2 * quarter], noted.resident[-quarter:]
    ))  # fmt: skip
    growth = (last - first) / (N_TRIALS / 2)
    print(f"growth from the second to the last quarter: {growth / 1024:.1f} KiB a trial")
    print(f"tensors alive after trials 20 and {N_TRIALS}: {noted.tensors[19]}, {noted.tensors[-1]}")


if __name__ == "__main__":
    main()
