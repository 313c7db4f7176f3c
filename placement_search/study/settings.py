"""What a user asks of a search; loads no torch, so that the command line can show its defaults."""

import math
from dataclasses import dataclass, field
from pathlib import Path

from placement_search.backbones.settings import ModelSettings
from placement_search.errors import StudyError
from placement_search.evaluation.plan import TrainingPlan
from placement_search.layout_scores import DISCOUNT
from placement_search.study.starts import StartLayout
from placement_search.tasks.settings import DataSettings

DEFAULT_MEMORY = 2.0
"""GiB that the frozen states of one split may take."""
DEFAULT_STORAGE = "sqlite:///placement-search.db"
DEFAULT_GAMMAS = (DISCOUNT, 0.0)
"""The paper's discount, then none, which is the plain best."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """What a user asks of a search; the defaults are the embedded example.

    Args:
        model: Which backbone, and how it runs.
        data: Which labelled data, and how they are read.
        space: Name of a search space that ships, or the path of its file.
        study_name: Name within the storage; None for one made from data and space.
        storage: SQLite address, e.g. ``sqlite:///study.db``.
        n_trials: Layouts of the study in total, baselines included.
        max_seconds: Time after which the search begins no more trials; None for no limit.
        max_steps: Training steps of all trials after which it does; None for no limit.
        sampler: What proposes layouts.
        pruner: What stops hopeless trials.
        fidelity: What trials get more of from rung to rung: ``epochs``, or ``data``.
        replicates: Trainings of a trial from different seeds, whose mean is its score.
        objective: ``score``, or the score against a cost, such as ``score,parameters``.
        seed: Everything random derives from it.
        concurrency: Trials that may be under way at once; sampler and pruner know less of the last
            ones the more there are, on every machine alike.
        max_params: Budget of the adapters: a count, or a share such as ``0.5%`` of the backbone.
        max_bytes: Most bytes of adapters and head on disk, e.g. ``20KB``.
        max_flops: Most operations of a forward pass, as a factor of the bare backbone's, e.g.
            ``1.1x`` or ``110%``.
        max_latency: Longest time of a forward pass, as a factor of the bare backbone's; measured
            once in a study's life.
        n_finalists: Layouts of the search to retrain beside the baselines; 0 for none.
        n_seeds: Seeds per finalist.
        n_random: Random layouts among the baselines, and of the answer's size beside it; their
            number decides how wide the interval of the gain over them is.
        full_fine_tuning: Whether finals measure a fully fine-tuned backbone too, as a ceiling.
        proxy_map: Whether every connection is scored by proxies before the search.
        memory: GiB that the frozen states of one split may take; larger ones lie on disk, or are
            computed again where that is faster.
        workers: Processes that evaluate beside each other, each with a share of the threads. They
            import the script that started them, so it searches under ``if __name__ ==
            "__main__":`` alone.
        training: How every layout is trained.
        start_from: Layouts from elsewhere by role, evaluated after the baselines; see
            `placement_search.export.starts.read_starts`.
        start_files: The files that they were read from, for the command that repeats the study.
        gammas: Strengths of the discount in samplers' greedy choices by the proxies, each within
            0 and 1, in the order of their use; 0 is none.
    """

    model: ModelSettings = field(default_factory=ModelSettings)
    data: DataSettings = field(default_factory=DataSettings)
    space: str = "extended"
    study_name: str | None = None
    storage: str = DEFAULT_STORAGE
    n_trials: int = 32
    max_seconds: float | None = None
    max_steps: int | None = None
    sampler: str = "guided"
    pruner: str = "median"
    fidelity: str = "epochs"
    replicates: int = 1
    objective: str = "score"
    seed: int = 0
    concurrency: int = 4
    max_params: str | None = None
    max_bytes: str | None = None
    max_flops: str | None = None
    max_latency: str | None = None
    n_finalists: int = 3
    n_seeds: int = 5
    n_random: int = 6
    full_fine_tuning: bool = False
    proxy_map: bool = True
    memory: float = DEFAULT_MEMORY
    workers: int = 1
    training: TrainingPlan = field(default_factory=TrainingPlan)
    start_from: dict[str, StartLayout] = field(default_factory=dict)
    start_files: tuple[str, ...] = ()
    gammas: tuple[float, ...] = DEFAULT_GAMMAS

    def __post_init__(self) -> None:
        """Check counts and shares.

        Raises:
            StudyError: Naming every value that is out of its range.
        """
        least = {
            "n_trials": 1, "concurrency": 1, "n_finalists": 0, "n_seeds": 2, "n_random": 3,
            "memory": 0, "workers": 1, "max_seconds": 0, "max_steps": 1, "replicates": 1,
        }  # fmt: skip
        wrong = [
            f"{name} must be at least {low}, got {getattr(self, name)}"
            for name, low in least.items()
            if (value := getattr(self, name)) is not None and not value >= low
        ]
        wrong += [
            f"{name} must be finite, got {value}"
            for name in ("memory", "max_seconds")
            if (value := getattr(self, name)) == math.inf
        ]
        if self.workers > self.concurrency:
            wrong.append(
                f"workers must be at most concurrency, {self.concurrency}, got {self.workers}: "
                "no more trials are under way at once; raise --concurrency for a new study"
            )
        if not self.gammas or not all(0 <= gamma <= 1 for gamma in self.gammas):
            said = ", ".join(f"{gamma:g}" for gamma in self.gammas) or "none"
            wrong.append(f"gammas must be one or more values within 0 and 1, got {said}")
        if wrong:
            raise StudyError("; ".join(wrong))

    @property
    def resolved_name(self) -> str:
        """The study's name, made from data and space where none is given."""
        if self.study_name:
            return self.study_name
        parts = (Path(self.data.data).stem, self.data.config, Path(self.space).stem)
        return "-".join(part for part in parts if part)
