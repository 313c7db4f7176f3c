r"""Whether two runs of the throughput benchmark rank layouts alike, as in two dtypes.

    python -m benchmarks.ranks reports/performance/minilm-float32.jsonl \
        reports/performance/minilm-bfloat16.jsonl

Prints Spearman's correlation of our scores of the layouts that both files hold, with its interval,
and the largest difference of scores.
"""

import argparse
import json
from pathlib import Path

from placement_search.evaluation.estimates import rank_correlation


def scores_of(path: Path) -> dict[str, float]:
    """Our score of each layout."""
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["layout"]: row["sides"]["ours"]["score"] for row in rows}


def main() -> None:
    """Compare two files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs=2, help="rows of two runs")
    first, second = (scores_of(path) for path in parser.parse_args().files)
    both = sorted(first.keys() & second.keys())
    ours, theirs = [first[layout] for layout in both], [second[layout] for layout in both]
    found = rank_correlation(ours, theirs)
    largest = max((abs(a - b) for a, b in zip(ours, theirs, strict=True)), default=0.0)
    shown = "none" if found is None else f"{found.mean:.2f} ({found.low:.2f} to {found.high:.2f})"
    print(f"{len(both)} layouts; Spearman {shown}; largest difference of scores {largest:.3f}")


if __name__ == "__main__":
    main()
