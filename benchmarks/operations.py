r"""What `drop`, `prune` and `merge` do to trained layouts, over several seeds.

    python -m benchmarks.operations --out reports/modules

Trains an adapter behind every sub-layer of the embedded backbone (8 epochs) on digit location with
five seeds, robustly too, and on digit count, then runs the commands on the exported folders.
Scores are those of the validation split, which `importance` does not read. What a command
printed is kept in a journal, so the same command goes on where it stopped. Some 20 minutes on one
core.
"""

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.journal import append, read
from benchmarks.shown import gain, mean

SEEDS = range(5)
TASK, RELATED = "digits-location", "digits-count"
SEARCH = shlex.split(
    "search --space per_layer --n-trials 3 --n-random 3 --epochs 8 --finalists 0 --no-map "
    "--concurrency 1"
)
SEQUENTIAL = "2"
"""The trial with an adapter behind every sub-layer."""
EPOCHS = 2
"""Of training on, where a row says so."""

KEPT = ("score_after", "parameters_after", "speed_up")
"""What is kept of what a command prints."""

Printed = dict[str, Any]

INTRODUCTION = f"""Rebuilt by `python -m benchmarks.operations --out reports/modules`. An adapter of
rank 8 behind every sub-layer of the embedded backbone, 29,376 parameters, 8 epochs of `{TASK}`
(`{RELATED}` as the related task), {len(SEEDS)} seeds. Validation scores with 95 % intervals; the
change is against the layout of the same seed, paired; what is merged has its head and its task.
*Trained on*, and all that is pruned, means {EPOCHS} more epochs. Robust training left out up to 12
targets. Trainings of one seed began with the same weights, so that their units are in one order
already. Speed-up is the time of a forward pass before over that after."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command on exported folders.

    Args:
        name: Of the row.
        command: The operation.
        folders: By seed.
        arguments: What follows the folders.
    """

    name: str
    command: str
    folders: Callable[[int], Sequence[str]]
    arguments: str = ""


def _plain(seed: int) -> Sequence[str]:
    return (f"plain-{seed}",)


def _robust(seed: int) -> Sequence[str]:
    return (f"robust-{seed}",)


def _two_seeds(seed: int) -> Sequence[str]:
    return f"plain-{seed}", f"plain-{(seed + 1) % len(SEEDS)}"


def _two_tasks(seed: int) -> Sequence[str]:
    return f"plain-{seed}", f"related-{seed}"


def _two_tasks_and_seeds(seed: int) -> Sequence[str]:
    return f"plain-{seed}", f"related-{(seed + 1) % len(SEEDS)}"


ASKED: tuple[Asked, ...] = (
    *(
        Asked(f"drop the lowest {n}, {how}", "drop", of, f"--lowest {n} --retrain {epochs}")
        for n in (5, 12)
        for how, of, epochs in (
            ("as trained", _plain, 0),
            ("trained robustly", _robust, 0),
            ("trained on", _plain, EPOCHS),
        )
    ),
    *(
        Asked(f"prune to {share}, {importance}, {how}", "prune", _plain,
              f"--max-params {budget} --importance {importance} --{how} --retrain {EPOCHS}")
        for share, budget in (("a half", 14688), ("a quarter", 7344), ("an eighth", 3672))
        for importance, how in (
            ("loss-rise", "no-share"), ("loss-rise", "share"), ("taylor", "no-share")
        )
    ),
    *(
        Asked(f"merge {what}, {align}, {how}", "merge", of, f"--align {align} --retrain {epochs}")
        for what, of in (
            ("two seeds", _two_seeds),
            ("two tasks of one seed", _two_tasks),
            ("two tasks of two seeds", _two_tasks_and_seeds),
        )
        for align in ("none", "permutation", "transport")
        for how, epochs in (("untrained", 0), ("trained on", EPOCHS))
    ),
)  # fmt: skip


def trained(work: Path) -> None:
    """Train and export what is missing."""
    for seed in SEEDS:
        for name, task, more in (
            ("plain", TASK, ()),
            ("robust", TASK, ("--drop-lowest", "12")),
            ("related", RELATED, ()),
        ):
            folder = work / f"{name}-{seed}"
            if folder.is_dir():
                continue
            storage = ("--storage", f"sqlite:///{work}/{name}-{seed}.db")
            given = ("--data", task, "--seed", str(seed), "--study-name", name, *more)
            _cli(*SEARCH, *given, *storage, "--out", str(work / "studies" / folder.name))
            _cli("export", *storage, "--trial", SEQUENTIAL, "--out", str(folder))


def _cli(*arguments: str) -> str:
    command = [sys.executable, "-m", "placement_search", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def run(work: Path) -> list[Printed]:
    """What every command printed, by seed; what is missing is run."""
    journal = work / "operations.jsonl"
    done = {(row["name"], row["seed"]): row for row in read(journal)}
    for asked in ASKED:
        for seed in SEEDS:
            if (asked.name, seed) in done:
                continue
            folders = [str(work / name) for name in asked.folders(seed)]
            made = work / "made" / f"{len(done)}"
            own = [*folders, *asked.arguments.split(), "--out", str(made), "--format", "json"]
            printed = json.loads(_cli(asked.command, *own))
            row = {"name": asked.name, "seed": seed, **_told(printed, folders[0])}
            append(journal, row)
            done[asked.name, seed] = row
            print(f"{asked.name}, seed {seed}: {row['score_after']:.4f}", flush=True)
    return list(done.values())


def _told(printed: Printed, folder: str) -> Printed:
    """Without paths; `merge` names each layout's score by its folder."""
    before = printed.get(f"score_of {folder}", printed.get("score_before"))
    kept = {name: value for name, value in printed.items() if name in KEPT}
    return {**kept, "score_before": before}


def page(rows: Sequence[Printed]) -> Iterator[str]:
    """The rows in Markdown."""
    yield "# Operations on trained layouts"
    yield ""
    yield INTRODUCTION
    yield ""
    yield "| operation | parameters | score before | after | change | speed-up |"
    yield "| --- | ---: | --- | --- | --- | ---: |"
    for asked in ASKED:
        own = [row for row in rows if row["name"] == asked.name]
        if own:
            yield _line(asked.name, own)


def _line(name: str, own: Sequence[Printed]) -> str:
    before = [row["score_before"] for row in own]
    after = [row["score_after"] for row in own]
    speed_ups = [row["speed_up"] for row in own if "speed_up" in row]
    speed = f"{sum(speed_ups) / len(speed_ups):.2f}" if speed_ups else "-"
    count = own[0].get("parameters_after")
    shown = "the same" if count is None else f"{count:,}"
    return (
        f"| {name} | {shown} | {mean(before)} | {mean(after)} | {gain(after, before)} | {speed} |"
    )


def main() -> None:
    """Run what is missing and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, default=Path("runs/operations"))
    parser.add_argument("--out", type=Path, default=Path("reports/modules"))
    given = parser.parse_args()
    trained(given.work)
    text = "\n".join(page(run(given.work))) + "\n"
    given.out.mkdir(parents=True, exist_ok=True)
    (given.out / "operations.md").write_text(text, encoding="utf-8")
    print(f"wrote {given.out / 'operations.md'}")


if __name__ == "__main__":
    main()
