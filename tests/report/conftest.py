"""Studies made by hand, so that reports are tested without any training."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from placement_search.backbones.facts import BackboneFacts
from placement_search.backbones.settings import ModelSettings
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import Costs, ScoreCard
from placement_search.layout import Connection, Layout, make_module
from placement_search.modules import MODULE_TYPES, count_parameters
from placement_search.places import Places
from placement_search.report.findings import Findings, gather_findings
from placement_search.report.write import write_report
from placement_search.study.command import Goal
from placement_search.study.definition import StudyDefinition
from placement_search.study.records import (
    FinalRecord,
    PoolingRecord,
    ProxyMap,
    StudyRecord,
    TrialEnd,
    TrialRecord,
)
from placement_search.tasks.settings import DataSettings

N_BLOCKS, WIDTH = 12, 64
N_NODES = 2 * N_BLOCKS + 1
MODULE = make_module(MODULE_TYPES, "bottleneck", {"rank": 4}, "the tests")
BEST = [(3, 9), (4, 4), (6, 7), (20, 0)]
TRACE = "Traceback (most recent call last):\n  File ...\nRuntimeError: <b>loss</b> | is nan\n"

DEFINITION = StudyDefinition(
    model=ModelSettings(),
    data=DataSettings("digits-location"),
    space_file="extended",
    space={
        "name": "extended",
        "description": "Where do adapters help most?",
        "kinds": ["sequential", "parallel", "long_range", "recurrent"],
        "connections": {"at_least": 1, "at_most": 6},
    },
    sampler="tpe",
    pruner="median",
    seed=0,
    max_params="1%",
    n_random=2,
    training=TrainingPlan(epochs=2),
    backbone=BackboneFacts(
        "embedded",
        "ViTModel",
        "vit",
        N_BLOCKS,
        WIDTH,
        602_176,
        "fdbb689264",
        revision=None,
        dtype="float32",
        n_nodes=2 * N_BLOCKS + 1,
        sublayers=2,
    ),
    data_fingerprint="e9ea2202df",
    family={},
    device="cpu",
    target="single-label",
    metric="accuracy",
    is_higher_better=True,
)


def card(layout: Layout, score: float, test_score: float | None = None, seed: int = 1) -> ScoreCard:
    n_parameters = count_parameters(layout, Places(WIDTH))
    factor = 2.01 if layout.is_recurrent else 1.01
    latency = None if test_score is None else 1.25
    costs = Costs(n_parameters, 1040, 4 * n_parameters, 20_000_000, factor, latency)
    return ScoreCard(score, (score / 2, score), test_score, seed, 26, 1.5, costs)


def wired(pairs: Sequence[tuple[int, int]]) -> Layout:
    return Layout(tuple(Connection(source, target, MODULE) for source, target in pairs))


def trial(
    number: int, layout: Layout, score: float, role: str = "search", *, is_eligible: bool = True
) -> TrialRecord:
    return TrialRecord(
        number=number,
        role=role,
        layout=layout.notation,
        layout_id=layout.id,
        n_adapter_parameters=count_parameters(layout, Places(WIDTH)),
        is_eligible=is_eligible,
        end=TrialEnd.COMPLETE,
        reason="",
        history=(score / 2, score),
        card=card(layout, score),
        seconds=1.5,
        started=datetime(2026, 1, 2) + timedelta(seconds=number),  # noqa: DTZ001 - stored as UTC
    )


def unscored(trial: TrialRecord, end: TrialEnd, reason: str = "") -> TrialRecord:
    history = trial.history[:1] if end is TrialEnd.PRUNED else ()
    return replace(trial, end=end, reason=reason, history=history, card=None)


def baselines() -> list[TrialRecord]:
    parallel = wired([(node - 1, node) for node in range(1, N_NODES)])
    return [
        trial(0, Layout(), 0.43, "head only", is_eligible=False),
        trial(1, parallel, 0.62, "every layer, parallel", is_eligible=False),
        trial(2, wired([(22, 23), (23, 24)]), 0.5, "last layers"),
        trial(3, wired([(1, 20), (8, 8)]), 0.48, "random 1"),
        trial(4, wired([(5, 0), (7, 9)]), 0.52, "random 2"),
    ]


def searched(n_trials: int) -> list[TrialRecord]:
    """Trials with 1 to 4 random connections; every seventh is pruned."""
    generator = random.Random(0)  # noqa: S311 - reproducible, not secret
    pairs = [(source, target) for source in range(N_NODES) for target in range(N_NODES)]
    trials = []
    for number in range(5, n_trials):
        layout = wired(generator.sample(pairs, generator.randint(1, 4)))
        made = trial(number, layout, round(generator.uniform(0.4, 0.6), 4))
        trials.append(unscored(made, TrialEnd.PRUNED) if number % 7 == 0 else made)
    return trials


def finals_of(layout: Layout, scores: Sequence[float]) -> list[FinalRecord]:
    return [
        FinalRecord(layout.id, index, card(layout, score, score - 0.01, seed=index))
        for index, score in enumerate(scores, start=1)
    ]


def proxy_map() -> ProxyMap:
    scores = {
        name: [[float((s * factor + t) % 11) for t in range(N_NODES)] for s in range(N_NODES)]
        for name, factor in (("effective_rank", 3), ("nuclear_norm", 7))
    }
    return ProxyMap(scores, n_examples=256, loss=1.02, seconds=1.46)


@pytest.fixture(scope="session")
def unfinished() -> StudyRecord:
    """Thirty trials of all ends, the best of them number 5; no finals."""
    trials = [*baselines(), *searched(30)]
    trials[5] = trial(5, wired(BEST), 0.66)
    trials[10] = unscored(trials[10], TrialEnd.FAILED, TRACE)
    trials[11] = unscored(trials[11], TrialEnd.INFEASIBLE, "out of memory: 3 GB\nmore")
    trials[28] = unscored(trials[28], TrialEnd.RUNNING)
    trials[29] = unscored(trials[29], TrialEnd.WAITING)
    return StudyRecord(
        name="demo",
        storage="sqlite:///study.db",
        definition=DEFINITION,
        goal=Goal(n_trials=30, n_finalists=1, n_seeds=3),
        provenance={"python": "3.11.7", "torch": "2.13.0"},
        trials=tuple(trials),
        finals=(),
        references=(),
        proxy_map=proxy_map(),
        pooling=PoolingRecord("mean", {"cls": 0.5, "mean": 0.6}),
        notes=("2 classes",),
    )


@pytest.fixture(scope="session")
def record(unfinished: StudyRecord) -> StudyRecord:
    """The same after its finals: the layout of trial 5 is the answer."""
    finals = [
        *finals_of(Layout(), (0.42, 0.43, 0.44)),
        *finals_of(wired([(node - 1, node) for node in range(1, N_NODES)]), (0.6, 0.66, 0.63)),
        *finals_of(wired([(22, 23), (23, 24)]), (0.5, 0.51, 0.49)),
        *finals_of(wired([(1, 20), (8, 8)]), (0.48, 0.47, 0.48)),
        *finals_of(wired([(5, 0), (7, 9)]), (0.51, 0.52, 0.5)),
        *finals_of(wired(BEST), (0.64, 0.65, 0.66)),
    ]
    return replace(unfinished, finals=tuple(finals))


@pytest.fixture(scope="session")
def large_record(record: StudyRecord) -> StudyRecord:
    """A study of 10,000 trials."""
    return replace(record, trials=(*record.trials[:5], *searched(10_000)), finals=())


@pytest.fixture(scope="session")
def large_findings(large_record: StudyRecord) -> Findings:
    """What follows from it."""
    return gather_findings(large_record)


@pytest.fixture(scope="session")
def written(record: StudyRecord, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the report of the finished study."""
    folder = tmp_path_factory.mktemp("reports") / "a" / "b"
    write_report(record, folder)
    return folder
