"""Training time by threads, their patience and the memory they keep, on an idle and a busy machine.

    python -m benchmarks.threads

Each setting runs in a process of its own, since OpenMP reads its settings once; the machine should
be idle otherwise. Prints a Markdown table.
"""

import argparse
import os
import subprocess
import sys

SETTINGS: dict[str, dict[str, str]] = {
    "1 thread": {"OMP_NUM_THREADS": "1"},
    "2 threads, OpenMP's default": {"OMP_NUM_THREADS": "2"},
    "2 threads, GOMP_SPINCOUNT=1000": {"OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "1000"},
    "2 threads, GOMP_SPINCOUNT=1000, freed memory kept": {
        "OMP_NUM_THREADS": "2",
        "GOMP_SPINCOUNT": "1000",
        "KEEPS_MEMORY": "1",
    },
    "2 threads, OMP_WAIT_POLICY=PASSIVE": {"OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "PASSIVE"},
}

EVALUATION = """
import os
from placement_search.own_process import keep_freed_memory

if "KEEPS_MEMORY" in os.environ:
    keep_freed_memory()
from placement_search import DataSettings, ModelSettings, TrainingPlan, load_bench, parse_layout
from placement_search.evaluation.evaluate import Evaluation, evaluate

bench = load_bench(ModelSettings(), DataSettings("digits-location"))
request = Evaluation(parse_layout("0>1:bottleneck+20>4:bottleneck"), 0, TrainingPlan(epochs=1))
evaluate(bench, request, lambda epoch, score: None)
print(evaluate(bench, request, lambda epoch, score: None).card.train_seconds)
"""


def seconds(settings: dict[str, str]) -> float:
    """Time of one epoch from node 0, the second of two in a fresh process."""
    command = [sys.executable, "-c", EVALUATION]
    environment = {**os.environ, **settings}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout)


def main() -> None:
    """Print the table."""
    argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    ).parse_args()
    print("| setting | idle, s | beside a busy process, s |")
    print("| --- | --- | --- |")
    for name, settings in SETTINGS.items():
        idle = seconds(settings)
        busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
        try:
            contended = seconds(settings)
        finally:
            busy.kill()
            busy.wait()
        print(f"| {name} | {idle:.2f} | {contended:.2f} |", flush=True)


if __name__ == "__main__":
    main()
