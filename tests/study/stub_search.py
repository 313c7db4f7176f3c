"""Searches with a stub engine, as a process that starts one runs them."""

from collections.abc import Callable
from pathlib import Path

import optuna

from placement_search.evaluation.plan import TrainingPlan
from placement_search.layout import Layout
from placement_search.modules import MODULE_TYPES
from placement_search.places import Places
from placement_search.space.budget import Budget
from placement_search.space.file import read_space
from placement_search.space.search_space import SearchSpace, bind_space
from placement_search.study import records
from placement_search.study.baselines import make_baselines
from placement_search.study.coordinator import Coordinator, TrialSetup
from placement_search.study.progress import Progress, Silence
from placement_search.study.search_budget import SearchBudget
from placement_search.study.storage import open_storage
from tests.study.stub_engine import StubEngine


def space(name: str = "extended", n_nodes: int = 9) -> SearchSpace:
    """A shipped space on a small backbone."""
    return bind_space(
        read_space(name), MODULE_TYPES, n_nodes=n_nodes, places=Places(16), budget=Budget()
    )


def run(
    folder: Path,
    engine: StubEngine,
    n_trials: int,
    *,
    sampler: str = "tpe",
    pruner: str = "median",
    concurrency: int = 1,
    fidelity: str = "epochs",
    replicates: int = 1,
    cost: Callable[[Layout], float] | None = None,
    searched: SearchSpace | None = None,
    progress: Progress | None = None,
    max_steps: int | None = None,
    max_seconds: float | None = None,
) -> list[optuna.trial.FrozenTrial]:
    """What a process that starts the search does: open, continue, and give the trials."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    searched = searched or space()
    study = optuna.create_study(
        study_name="study",
        storage=open_storage(f"sqlite:///{folder}/study.db", must_exist=False),
        directions=["maximize"] if cost is None else ["maximize", "minimize"],
        sampler=optuna.samplers.RandomSampler(seed=0),
        load_if_exists=True,
    )
    baselines = make_baselines(searched, 9, 4, seed=1)
    plan = TrainingPlan(epochs=3)
    trials = TrialSetup(
        searched, baselines, plan, seed=0, sampler=sampler, pruner=pruner,
        concurrency=concurrency, fidelity=fidelity, replicates=replicates, cost=cost,
    )  # fmt: skip
    budget = SearchBudget(n_trials, max_steps, max_seconds)
    Coordinator(study, trials, engine, progress or Silence()).run(budget)
    return study.get_trials()


def outcome(trials: list[optuna.trial.FrozenTrial]) -> list[tuple[object, ...]]:
    """All of a study's trials that must not depend on interruptions."""
    return [
        (
            t.number,
            t.state,
            t.params,
            dict(t.intermediate_values),
            {key: t.user_attrs.get(key) for key in (records.LAYOUT, records.ROLE, records.CARD)},
        )
        for t in trials
    ]


def interrupt_at(number: int, epoch: int) -> Callable[[int, int], None]:
    """Raise Ctrl-C after that epoch of that evaluation, or of the first later one to reach it."""

    def at_epoch(this_number: int, this_epoch: int) -> None:
        if this_number >= number and this_epoch == epoch:
            raise KeyboardInterrupt

    return at_epoch
