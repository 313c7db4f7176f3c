"""The command that makes a study again, from what the study says of itself."""

import re
import shlex
from dataclasses import dataclass, fields, replace
from typing import TypeVar

from placement_search.backbones.settings import ModelSettings
from placement_search.output_files import is_folder_name
from placement_search.study.definition import StudyDefinition
from placement_search.study.settings import SearchSettings
from placement_search.tasks.settings import DataSettings

Limit = TypeVar("Limit", int | None, float | None)
Said = TypeVar("Said", int, float, str)


@dataclass(frozen=True, slots=True)
class Goal:
    """What the last search on a study was to reach; the one part of its settings that may grow.

    Args:
        n_trials: Trials in total.
        n_finalists: Layouts of the search in the finals.
        n_seeds: Seeds per finalist.
        full_fine_tuning: Whether the whole backbone is trained too, as a ceiling.
        max_steps: Training steps of the search; None for no limit.
        max_seconds: Time of the search; None for no limit.
    """

    n_trials: int
    n_finalists: int
    n_seeds: int
    full_fine_tuning: bool = False
    max_steps: int | None = None
    max_seconds: float | None = None

    @classmethod
    def of(cls, settings: SearchSettings) -> "Goal":
        """What a search is to reach by itself."""
        return cls(
            settings.n_trials,
            settings.n_finalists,
            settings.n_seeds,
            settings.full_fine_tuning,
            settings.max_steps,
            settings.max_seconds,
        )

    def with_finals_of(self, other: "Goal") -> "Goal":
        """This one, with the other's finals and what they are compared with."""
        return replace(
            self,
            n_finalists=other.n_finalists,
            n_seeds=other.n_seeds,
            full_fine_tuning=other.full_fine_tuning,
        )

    def going_on(self, former: "Goal", *, n_trials: int, n_steps: int, seconds: float) -> "Goal":
        """This one, for a study that was to reach another: with what it holds, and no more of that.

        Args:
            former: What the study's last search was to reach; it may have been stopped.
            n_trials: Trials that the study holds.
            n_steps: Training steps that they took.
            seconds: Time that they took.
        """
        return replace(
            self.joined(former),
            n_trials=max(self.n_trials, n_trials),
            max_steps=_limit(self.max_steps, former.max_steps, n_steps),
            max_seconds=_limit(self.max_seconds, former.max_seconds, seconds),
        )

    def joined(self, other: "Goal") -> "Goal":
        """The larger of both, since what a study holds stays in it."""
        return Goal(
            max(self.n_trials, other.n_trials),
            max(self.n_finalists, other.n_finalists),
            max(self.n_seeds, other.n_seeds),
            full_fine_tuning=self.full_fine_tuning or other.full_fine_tuning,
            max_steps=_larger(self.max_steps, other.max_steps),
            max_seconds=_larger(self.max_seconds, other.max_seconds),
        )


def _larger(ours: Limit, theirs: Limit) -> Limit:
    """The limit that lets more pass; None is no limit."""
    return None if ours is None or theirs is None else max(ours, theirs)


def _limit(asked: Limit, former: Limit, spent: Limit) -> Limit:
    """The limit of a study that goes on: what is asked, or what let pass what it holds."""
    if asked is None or spent is None or spent < asked:
        return asked
    return max(asked, spent if former is None else min(former, spent))


def search_command(asked: StudyDefinition, goal: Goal, name: str, storage: str) -> str:
    """The command line of a search, quoted for a shell.

    Args:
        asked: What the study is.
        goal: What its last search was to reach.
        name: The study's name; where no folder can have it, another one is said for the output.
        storage: Its SQLite address.
    """
    options: dict[str, object] = {
        **_said(asked.model, ModelSettings(), "model"),
        **_said(asked.data, DataSettings(), "data"),
        "space": asked.space_file,
        "study-name": name,
        "storage": storage,
        "n-trials": goal.n_trials,
        "max-steps": goal.max_steps,
        "max-seconds": goal.max_seconds,
        "sampler": asked.sampler,
        "pruner": asked.pruner,
        "fidelity": _unless_default(asked.fidelity, "epochs"),
        "replicates": _unless_default(asked.replicates, 1),
        "objective": f"score,{asked.cost}" if asked.cost else None,
        "seed": asked.seed,
        "concurrency": _unless_default(asked.concurrency, SearchSettings().concurrency),
        "max-params": asked.max_params,
        "max-bytes": asked.max_bytes,
        "max-flops": asked.max_flops,
        "max-latency": asked.max_latency,
        "finalists": goal.n_finalists,
        "seeds": goal.n_seeds,
        "n-random": asked.n_random,
        "epochs": asked.training.epochs,
        "batch-size": asked.training.batch_size,
        "learning-rate": asked.training.learning_rate,
        "weight-decay": asked.training.weight_decay,
        "warm-up": asked.training.warm_up,
        "reports-per-epoch": _unless_default(asked.training.reports_per_epoch, 1),
        "consistency": _unless_default(asked.training.consistency, 0.0),
        "drop-lowest": _unless_default(asked.training.drop_lowest, 0),
        "full-fine-tuning": goal.full_fine_tuning,
        "no-map": not asked.has_proxy_map,
        "out": None if is_folder_name(name) else "runs/" + re.sub(r"[^\w-]", "_", name),
    }
    starts = [("start-from", file) for file in asked.start_files]
    is_usual = asked.gammas == SearchSettings().gammas
    gammas = [] if is_usual else [("gamma", gamma) for gamma in asked.gammas]
    said = map(_option, [*options.items(), *gammas, *starts])
    return " ".join(filter(None, ["placement-search search", *said]))


def _said(settings: object, default: object, main: str) -> dict[str, object]:
    """A value's fields that differ from their defaults, and the main one, as options."""
    return {
        field.name.replace("_", "-"): value
        for field in fields(settings)  # type: ignore[arg-type]
        if (value := getattr(settings, field.name)) != getattr(default, field.name)
        or field.name == main
    }


def _unless_default(value: Said, default: Said) -> Said | None:
    return None if value == default else value


def _option(option: tuple[str, object]) -> str:
    key, value = option
    if isinstance(value, bool) or value is None:
        return f"--{key}" if value else ""
    return f"--{key} {shlex.quote(str(value))}"
