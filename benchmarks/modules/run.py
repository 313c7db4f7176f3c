r"""Every module in its paper's own placement: trains what is missing and writes the page.

    python -m benchmarks.modules.run --workers 2
    python -m benchmarks.modules.run --model MINILM --dtype bfloat16 --data DATA/trec6 DATA/sst2 \\
      --train-size 400 --validation-size 300 --epochs 3 --batch-size 16

For each task and method, at its own size and at LoRA's: the learning rate with the best validation
score of one seed, then five seeds at that rate, the test split read once by each. Then what AdaMix
and Tiny-Attention lose and save by averaging, and what time each method takes. Every training is a
line of a journal as soon as it has ended, so the same command goes on where it stopped.
"""

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.journal import append, read
from benchmarks.modules.comparison import Comparison
from benchmarks.modules.merging import Merging
from benchmarks.modules.page import Merged, Timed, Trained, page
from benchmarks.modules.timing import timed
from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.plan import TrainingPlan
from placement_search.tasks.settings import DataSettings

JOURNALS = Path("runs/modules")
MERGING, TIMING = "merging", "timing"
"""Folders, beside the journals of the comparison, of those of averaging and of the times."""


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", default="embedded", help="backbone")
    parser.add_argument("--dtype", default="float32", help="of the backbone")
    parser.add_argument("--data", nargs="+", default=["digits-location", "digits-rotation"])
    parser.add_argument("--train-size", type=int, help="most training examples")
    parser.add_argument("--validation-size", type=int, help="most validation examples")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--workers", type=int, default=2, help="processes beside each other")
    parser.add_argument("--journals", type=Path, default=JOURNALS, help="folder of trained rows")
    parser.add_argument("--out", type=Path, default=Path("reports/modules"))
    parser.add_argument("--only-page", action="store_true", help="train nothing")
    given = parser.parse_args()
    plan = TrainingPlan(epochs=given.epochs, batch_size=given.batch_size)
    for data in () if given.only_page else given.data:
        settings = DataSettings(
            data=data, train_size=given.train_size, validation_size=given.validation_size
        )
        journal = f"{Path(data).name}.jsonl"
        model = ModelSettings(model=given.model, dtype=given.dtype)
        compared = Comparison(model, settings, plan, given.journals / journal, given.workers)
        for folder in (given.journals, given.journals / MERGING, given.journals / TIMING):
            check_begun(folder / journal, compared.hangs_on)
        compared.run()
        Merging(compared, given.journals / MERGING / journal).run()
        times = given.journals / TIMING / journal
        if not times.is_file():
            for row in list(timed(compared)):
                append(times, asdict(row))
    write(given.journals, given.out)


def check_begun(journal: Path, hangs_on: Mapping[str, Any]) -> None:
    """Write down beside a journal what its rows hang on, or compare it.

    Raises:
        SystemExit: If it was begun with something else: its rows would be told as these.
    """
    path = journal.with_suffix(".json")
    if not journal.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(hangs_on, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if not path.exists():
        raise SystemExit(
            f"{journal} does not tell what its rows hang on; move it away, or give another folder "
            "(--journals)"
        )
    held = json.loads(path.read_text(encoding="utf-8"))
    changed = sorted(name for name, value in hangs_on.items() if held.get(name) != value)
    if changed:
        raise SystemExit(
            f"{journal} was begun with another {', '.join(changed)}; move it away, or give another "
            "folder (--journals)"
        )


def lines_of(folder: Path) -> list[dict[str, Any]]:
    """Of all journals of a folder, by task."""
    return [line for journal in sorted(folder.glob("*.jsonl")) for line in read(journal)]


def write(journals: Path, out: Path) -> None:
    """The page, and beside it the rows that it was made of."""
    compared, merged, times = map(lines_of, (journals, journals / MERGING, journals / TIMING))
    text = page(
        [Trained(**line) for line in compared],
        [Merged(**line) for line in merged],
        [Timed(**line) for line in times],
    )
    out.mkdir(parents=True, exist_ok=True)
    (out / "modules.md").write_text(text, encoding="utf-8")
    for name, rows in (("modules", compared), ("merging", merged), ("timing", times)):
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (out / f"{name}.jsonl").write_text(text, encoding="utf-8")
    print(f"wrote {out / 'modules.md'}")


if __name__ == "__main__":
    main()
