"""Studies on real data: three sets of texts with a sentence encoder, three of images.

    python -m scripts.real_data --model FOLDER --data FOLDER

``--model`` is a folder with all-MiniLM-L6-v2, ``--data`` holds one folder of Parquet files per set.
Searches go on where they were stopped; reports go to ``--out``, with a table of all that lie there.
"""

import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from placement_search.output_files import make_folder, write_whole
from placement_search.report.markdown import PICTURES
from placement_search.report.tables import WITH_TABLE

MODEL = "all-MiniLM-L6-v2"
TEXTS, IMAGES = ("trec6", "sst2", "subj"), ("mnist", "omniglot_alphabet", "cifar10")

OF_ALL = shlex.split("--space extended --seeds 5")
# The learning rate is the best of 1e-2, 3e-3 and 1e-3 on the validation split of trec6.
OF_TEXTS = shlex.split(
    f"--model {MODEL} --dtype float32 --validation-size 500 --epochs 4 --batch-size 16 "
    "--learning-rate 0.003 --max-params 0.1% --n-trials 40 --sampler guided --workers 2"
)
# Sentences of the last two are twice as long as questions.
TRAIN_SIZES = {"trec6": 1000, "sst2": 500, "subj": 500}
OF_IMAGES = shlex.split(
    "--model embedded --epochs 6 --n-trials 24 --n-random 3 --finalists 2 --full-fine-tuning "
    "--sampler tpe"
)

ROWS = (
    "head only",
    "last layers",
    "every layer, sequential",
    "every layer, parallel",
    "every layer, sequential, same budget",
    "every layer, parallel, same budget",
    "LoRA in every layer",
    "evenly spread",
    "greedy by numerical rank (GGA)",
    "random",
    "found",
    "full fine-tuning",
)

INTRODUCTION = """\
# Studies on real data

Made by `make real-data MODEL=… DATA=…`, with the data of docs/real-data.md; of each study its
report.md and report.json are kept here. Those of the images are of an earlier version: today's
command trains more baselines there, and the answer after the choice.

Test accuracy of five seeds, ± half its 95 % interval. What the found layout is against another one,
with the interval of its gain, goes on the texts by trainings of the found one after it was chosen,
so that no luck of the choice is in it; *in pairs* is the gain by the finals that it was chosen by,
seed by seed, which flatters it. Those of the images, of an earlier version, go by the finals alone,
unpaired. Seconds are those of one training."""

WITHOUT_PICTURES = (
    "This copy is without report.html and its pictures, and without trials.csv; the command under "
    "*How to repeat it* makes them."
)

VERDICTS = {"no different": "not told apart"}
"""What reports of earlier versions called what is called otherwise now."""


def command(name: str) -> list[str]:
    """The search on one set, to be run where the links lie."""
    size = TRAIN_SIZES.get(name)
    own = OF_IMAGES if size is None else [*OF_TEXTS, "--train-size", str(size)]
    return [
        *(sys.executable, "-m", "placement_search", "search", "--data", f"data/{name}"),
        *(*own, *OF_ALL, "--study-name", name, "--storage", f"sqlite:///{name}.db"),
    ]


def link(place: Path, target: Path) -> None:
    """Point ``place`` at ``target``, so that recorded commands hold no path of one machine."""
    target = target.resolve()  # which may be by the very link
    place.unlink(missing_ok=True)
    place.symlink_to(target, target_is_directory=True)


def search(name: str, work: Path) -> None:
    """Run or continue one search; its report lies under ``work`` afterwards."""
    with (work / f"{name}.log").open("a", encoding="utf-8") as log:
        arguments = [*command(name), "--out", name]
        subprocess.run(arguments, cwd=work, stdout=log, stderr=log, check=True)


def keep_report(made: Path, kept: Path) -> None:
    """Copy what is kept of a report; the copy points at no file that is not beside it."""
    make_folder(kept)
    page = (made / "report.md").read_text(encoding="utf-8")
    page = page.replace(PICTURES, WITHOUT_PICTURES).replace(WITH_TABLE, ".")
    write_whole(kept / "report.md", page)
    write_whole(kept / "report.json", (made / "report.json").read_bytes())


def rows(report: Mapping[str, Any]) -> dict[str, tuple[int, str, str, str, float]]:
    """By `ROWS`: parameters, test score, what the answer is against it, seconds of a training.

    What it is against it by trainings after the choice where there are such, and then in pairs too.
    """
    answer = report["answer"]
    found = answer["chosen"]
    own = [f for f in report["finals"] if f["layout_id"] == found["layout_id"]]
    table = {
        "found": (
            found["costs"]["n_adapter_parameters"],
            as_estimate(answer.get("test", found["test"])),
            "",
            "",
            median_seconds(own),
        )
    }
    for against in answer["comparisons"]:
        row = "random" if "random" in against["name"] else against["name"]
        table[row] = (
            against["n_adapter_parameters"],
            as_estimate(against["test"]),
            f"{VERDICTS.get(against['verdict'], against['verdict'])} ({as_gain(against['gain'])})",
            as_gain(against["in_pairs"]) if against.get("in_pairs") else "",
            median_seconds(trainings(report, row)),
        )
    return table


def trainings(report: Mapping[str, Any], role: str) -> list[Mapping[str, Any]]:
    """The references of that role, or the baselines' finals where there are none."""

    def is_of(found: str) -> bool:
        """Random layouts are numbered; of others some begin with another's name."""
        return found == role or (role == "random" and found.startswith(role))

    references = [r for r in report["references"] if is_of(r["role"]) and r["replicate"]]
    ids = {t["layout_id"] for t in report["trials"] if is_of(t["role"])}
    return references or [f for f in report["finals"] if f["layout_id"] in ids]


def median_seconds(trained: Sequence[Mapping[str, Any]]) -> float:
    """Median time of one training, which another process on the machine disturbs least."""
    return float(statistics.median(each["card"]["train_seconds"] for each in trained))


def as_estimate(estimate: Mapping[str, float]) -> str:
    """Mean and half the 95 % interval."""
    return f"{estimate['mean']:.3f} ± {(estimate['high'] - estimate['low']) / 2:.3f}"


def as_gain(gain: Mapping[str, float]) -> str:
    """The gain with its 95 % interval."""
    return f"{gain['mean']:+.3f}, {gain['low']:+.3f} to {gain['high']:+.3f}"


def table(names: Sequence[str], reports: Path) -> str:
    """All sets in one Markdown table, then what was found in each."""
    lines = [
        INTRODUCTION,
        "",
        "| set | layout | parameters | test accuracy | the found one is | in pairs | seconds |",
        "| --- | --- | ---: | --- | --- | --- | ---: |",
    ]
    found = ["", "| set | found layout | pooling |", "| --- | --- | --- |"]
    for name in names:
        report = json.loads((reports / name / "report.json").read_text(encoding="utf-8"))
        known = rows(report)
        for row in ROWS:
            if row in known:
                n_parameters, *said, took = known[row]
                shown = f"**{row}**" if row == "found" else row
                cells = " | ".join([shown, f"{n_parameters:,}", *said, f"{took:.1f}"])
                lines.append(f"| {name} | {cells} |")
        layout = report["answer"]["chosen"]["layout"]
        role = report["answer"]["chosen"]["name"]
        origin = "" if role == layout else f" (the baseline “{role}”)"
        found.append(f"| {name} | `{layout}`{origin} | {report['pooling']['pooling']} |")
    return "\n".join([*lines, *found]) + "\n"


def main() -> None:
    """Search, report, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="folder with all-MiniLM-L6-v2")
    parser.add_argument("--data", type=Path, required=True, help="folder with the six sets")
    parser.add_argument("--work", type=Path, default=Path("runs/real-data"), help="for studies")
    parser.add_argument("--out", type=Path, default=Path("reports/real-data"), help="for reports")
    parser.add_argument("--only", nargs="*", default=[*TEXTS, *IMAGES], help="sets to search")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    link(given.work / MODEL, given.model)
    link(given.work / "data", given.data)
    for name in given.only:
        search(name, given.work)
    for name in given.only:
        keep_report(given.work / name / "report", given.out / name)
    done = [n for n in (*TEXTS, *IMAGES) if (given.out / n / "report.json").is_file()]
    write_whole(given.out / "table.md", table(done, given.out))
    sys.stdout.write(f"wrote {given.out / 'table.md'}{os.linesep}")


if __name__ == "__main__":
    main()
