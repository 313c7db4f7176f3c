"""Trials per hour beside what a good engineer would write today, side by side in one run.

    GOMP_SPINCOUNT=1000 python -m benchmarks.throughput [--model FOLDER] [--data DATA]
        [--peer both] [--rows FILE]

The variable is what the command line sets for a search; without it, threads of both sides spin.
The peer loads a fresh model for every trial and trains it with `transformers.Trainer`: the same
modules by forward hooks, or LoRA by `peft` in the blocks that a layout adds to. Both sides take
their turns layout by layout, in one process, on the same data, with the same plan and seed. What is
prepared once for a whole study, frozen states and head probe, is timed apart; the peer is given the
head. First a few layouts are trained by both on the very same batches: their losses have to agree.

``--model vit-b16`` and ``--model bert-base`` are of real size, with random weights and made-up
data.
"""

import argparse
import gc
import json
import os
import platform
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from benchmarks.journal import append, read
from benchmarks.peer_loop.model import Attach, attach_hooks, attach_lora
from benchmarks.peer_loop.trial import PeerTask, peer_task
from benchmarks.throughput_cases import MADE_UP, Case, made_up_bench, mixed_layouts
from benchmarks.throughput_sides import (
    Outcome,
    finish_queued_work,
    run_both_alike,
    run_ours,
    run_peer,
)
from benchmarks.throughput_summary import OURS, Row, print_row, print_summary
from placement_search.backbones.settings import ModelSettings
from placement_search.engine.engine import Engine
from placement_search.engine.in_process import InProcessEngine
from placement_search.engine.in_turn import in_turn
from placement_search.engine.local_processes import LocalProcesses
from placement_search.evaluation.evaluate import Evaluation
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.workbench import Workbench
from placement_search.layout import Layout
from placement_search.study.search import load_bench
from placement_search.tasks.settings import DataSettings

PEERS: Mapping[str, Attach] = {"hooks": attach_hooks, "lora": attach_lora}
ASKED = {"hooks": ["hooks"], "lora": ["lora"], "both": ["hooks", "lora"]}
PACKAGES = ("placement-search", "torch", "transformers", "accelerate", "peft")
TOLERANCE = 1e-3
"""Between losses after one epoch on the same batches, relative; rounding alone gives 1e-6."""
SMALL_LOSS = 1e-3
"""Losses below it, as of made-up data that a head learns by heart, are compared as if it."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Both sides, ready to run.

    Args:
        bench: What ours runs on.
        task: What the peer runs on.
        plan: How both train.
        seed: Of all trainings.
        preparation: Seconds that the frozen states, the head and the engine took, once for all
            trials.
        engine: Trains ours; None for one layout alone at a time, without an engine.
    """

    bench: Workbench
    task: PeerTask
    plan: TrainingPlan
    seed: int
    preparation: float
    engine: Engine | None = None


def prepared(given: argparse.Namespace, stack: ExitStack) -> Contest:
    """Load what is asked for, and make what all trials share; files go as ``stack`` closes."""
    sizes = given.train_size, given.validation_size
    if given.model in MADE_UP:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        bench = made_up_bench(given.model, folder, given.device, sizes, given.memory)
    else:
        model = ModelSettings(given.model, device=given.device, dtype=given.dtype)
        data = DataSettings(given.data, train_size=sizes[0], validation_size=sizes[1])
        bench = load_bench(model, data, memory=given.memory)
    started = time.perf_counter()
    bench.head, bench.validation, bench.n_bare_flops  # noqa: B018 - kept once they are made
    engine = _engine(given, bench)
    if engine is not None:
        stack.enter_context(closing(engine))
    finish_queued_work(bench)
    seconds = time.perf_counter() - started
    if bench.backbone.folder is None:
        raise ValueError("the peer loads its model from a folder")
    task = peer_task(bench, bench.backbone.folder)
    plan = TrainingPlan(epochs=given.epochs, batch_size=given.batch_size)
    return Contest(bench, task, plan, given.seed, seconds, engine)


def _engine(given: argparse.Namespace, bench: Workbench) -> Engine | None:
    """Processes that have loaded all they need, or a population in this process, or nothing."""
    if given.workers > 1:
        model = ModelSettings(str(bench.backbone.folder), device=given.device, dtype=given.dtype)
        engine = LocalProcesses(bench, model, given.workers, given.population)
        first = Evaluation(Layout(), 0, TrainingPlan(epochs=1))
        for _, outcome in in_turn(engine, [first] * given.workers * given.population):
            if isinstance(outcome, Exception):
                raise outcome
        return engine
    return InProcessEngine(bench, given.population) if given.population > 1 else None


def warm_up(contest: Contest, case: Case, peers: Sequence[str]) -> None:
    """One untimed epoch on every side: first calls import, compile and choose kernels.

    What lives then is frozen for the garbage collector, since `Trainer` collects once in every
    training and would spend a third of a second on modules that stay anyway.
    """
    short = replace(contest, plan=replace(contest.plan, epochs=1))
    for side in (OURS, *peers):
        run_side(short, side, [case])
    gc.collect()
    gc.freeze()


def check(contest: Contest, cases: Sequence[Case]) -> float:
    """Train layouts by both sides on the same batches for an epoch, and print what they give.

    Returns:
        The largest difference of losses, relative to ours.
    """
    plan = replace(contest.plan, epochs=1)
    worst = 0.0
    for case in cases:
        ours, peer = run_both_alike(
            contest.bench, contest.task, case.layout, plan, seed=contest.seed
        )
        worst = max(worst, abs(ours.loss - peer.loss) / max(ours.loss, SMALL_LOSS))
        print(
            f"same batches, {case.kind:10}  loss {ours.loss:.7f} and {peer.loss:.7f}, "
            f"score {ours.score:.4f} and {peer.score:.4f}, {ours.seconds:.2f} s and "
            f"{peer.seconds:.2f} s"
        )
    return worst


def run_side(contest: Contest, side: str, cases: Sequence[Case]) -> list[Outcome]:
    """Train layouts on one side."""
    bench, plan, seed = contest.bench, contest.plan, contest.seed
    if side == OURS:
        layouts = [case.layout for case in cases]
        return run_ours(bench, layouts, plan, seed=seed, engine=contest.engine)
    return [
        run_peer(bench, contest.task, case.layout, plan, PEERS[side], seed=seed) for case in cases
    ]


def take_turns(contest: Contest, sides: Sequence[str], cases: Sequence[Case]) -> list[Row]:
    """Train layouts on one side after the other; what each gave, by layout and side."""
    device = contest.bench.backbone.device
    by_layout: list[Row] = [{} for _ in cases]
    for side in sides:
        forget_peak(device)
        outcomes = run_side(contest, side, cases)
        peak = peak_bytes(device)
        for row, outcome in zip(by_layout, outcomes, strict=True):
            row[side] = {**asdict(outcome), "peak_bytes": peak}
    return by_layout


def forget_peak(device: torch.device) -> None:
    """Begin a new peak of memory, without what earlier trials left."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")


def peak_bytes(device: torch.device) -> int:
    """Most resident memory since `forget_peak`, on a GPU of its tensors.

    Since the process began where the system can't forget.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    fields = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


def conditions(given: argparse.Namespace, contest: Contest) -> dict[str, Any]:
    """All that a row's numbers depend on beside its layout."""
    device = contest.bench.backbone.device
    return {
        "model": given.model,
        "fingerprint": contest.bench.backbone.facts.fingerprint,
        "data": contest.bench.task.fingerprint,
        "n_train": len(contest.bench.task.train),
        "n_validation": len(contest.bench.task.validation),
        "pooling": str(contest.bench.pooling),
        "plan": asdict(contest.plan),
        "seed": contest.seed,
        "peers": ASKED[given.peer],
        "group": given.group,
        "workers": given.workers,
        "population": given.population,
        "dtype": given.dtype,
        "memory": given.memory,
        "device": device.type,
        "processor": processor(device),
        "threads": torch.get_num_threads(),
        "openmp": {name: os.environ.get(name) for name in ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")},
        "versions": {name: version(name) for name in PACKAGES},
        "platform": platform.platform(),
    }


def processor(device: torch.device) -> str:
    """Name of the GPU, or of the CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())


def read_rows(path: Path | None, known: Mapping[str, Any]) -> dict[str, Row]:
    """The rows of a file that were measured under these conditions, by layout."""
    rows = [] if path is None else read(path)
    return {row["layout"]: row for row in rows if row["conditions"] == known}


def measured(
    contest: Contest,
    cases: Sequence[Case],
    known: Mapping[str, Any],
    path: Path | None,
    group: int,
) -> Iterator[Row]:
    """The rows of all layouts in order; new ones are measured and appended to the file.

    Args:
        contest: Both sides.
        cases: The layouts.
        known: The conditions, which every row repeats.
        path: Holds rows of an earlier run that are not measured again; None for no file.
        group: How many layouts ours is given at once.
    """
    done = read_rows(path, known)
    for start in range(0, len(cases), group):
        some = cases[start : start + group]
        missing = [case for case in some if case.layout.notation not in done]
        # The side that goes first changes, so that neither always finds the machine as it was left.
        sides = [OURS, *known["peers"]][:: -1 if (start // group) % 2 else 1]
        taken = take_turns(contest, sides, missing) if missing else []
        for case, by_side in zip(missing, taken, strict=True):
            row = {
                "layout": case.layout.notation,
                "kind": case.kind,
                "sides": by_side,
                "preparation": contest.preparation,
                "conditions": known,
            }
            done[case.layout.notation] = row
            if path is not None:
                append(path, row)
        yield from (done[case.layout.notation] for case in some)


def parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="embedded", help="a folder, vit-b16 or bert-base")
    parser.add_argument("--data", default="digits-location")
    parser.add_argument("--train-size", type=int, default=1024)
    parser.add_argument("--validation-size", type=int, default=512)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--layouts", type=int, default=24)
    parser.add_argument("--group", type=int, default=1, help="layouts that ours is given at once")
    parser.add_argument("--workers", type=int, default=1, help="processes that train ours")
    parser.add_argument("--population", type=int, default=1, help="layouts that train together")
    parser.add_argument("--dtype", default="float32", help="of ours' backbone")
    parser.add_argument("--peer", choices=ASKED, default="hooks")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--memory", type=float, default=2.0, help="GiB of frozen states of a split")
    parser.add_argument("--check", type=int, default=4, help="layouts to compare losses on, or 0")
    parser.add_argument("--rows", type=Path, help="file that keeps a line for every layout")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    """Compare losses, measure all layouts, and print the summary."""
    given = parsed(arguments)
    with ExitStack() as stack:
        contest = prepared(given, stack)
        backbone = contest.bench.backbone
        cases = mixed_layouts(backbone.n_nodes, backbone.width, given.layouts, given.seed)
        known = conditions(given, contest)
        print(json.dumps(known, indent=2))
        warm_up(contest, cases[0], known["peers"])
        if given.check:
            worst = check(contest, cases[: given.check])
            print(f"largest difference of losses on the same batches, relative: {worst:.1e}\n")
            if not worst < TOLERANCE:
                sys.exit("both sides should have trained alike: the numbers below mean nothing")
        rows = []
        for row in measured(contest, cases, known, given.rows, given.group):
            print_row(row)
            rows.append(row)
        print_summary(rows, known["peers"])


if __name__ == "__main__":
    main()
