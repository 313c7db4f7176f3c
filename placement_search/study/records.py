"""A study as frozen values, read from its storage; needs no torch and changes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from statistics import median
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState
from pydantic import TypeAdapter

from placement_search.errors import StudyError
from placement_search.evaluation.score_card import ScoreCard
from placement_search.space.budget import parse_budget
from placement_search.space.cost_table import LayoutCosts
from placement_search.space.training import NO_CHOICE, TrainingChoice
from placement_search.study.command import Goal, search_command
from placement_search.study.definition import StudyDefinition
from placement_search.study.gaps import read_gaps
from placement_search.study.map_record import ProxyMap as ProxyMap  # noqa: PLC0414 - its home
from placement_search.study.starts import is_start
from placement_search.study.storage import load_study
from placement_search.study.switch_record import SwitchRecord, read_switches
from placement_search.study.training_choices import training_of

SEARCHED = "search"
"""The role of trials that a sampler proposed; all others have their own names."""

DEFINITION, PROVENANCE, PROXY_MAP, FINALIST = "definition", "provenance", "proxy_map", "finalist/"
GOAL, REFERENCE, POOLING, NOTES = "goal", "reference/", "pooling", "notes"
QUEUE_NOTES, SAMPLER_VERSIONS = "queue_notes", "sampler_versions"
CONFIRMATION, LAYOUT_PROXIES, ALIKE = "confirmation/", "layout_proxies/", "alike/"
FULL_FINE_TUNING = "full fine-tuning"
"""The role of retrainings of the whole backbone, a ceiling for adapters."""
LAYOUT, LAYOUT_ID, ROLE, N_PARAMETERS, IS_ELIGIBLE = (
    "layout", "layout_id", "role", "n_adapter_parameters", "is_eligible",
)  # fmt: skip
END, REASON, CARD = "end", "reason", "card"
SECONDS, STEPS, ELAPSED, COST = "seconds", "n_steps", "elapsed", "cost"


class TrialEnd(StrEnum):
    """How a trial ended, or that it has not yet."""

    COMPLETE = "complete"
    PRUNED = "pruned"
    FAILED = "failed"
    INFEASIBLE = "infeasible"
    RUNNING = "running"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class TrialRecord:
    """One trial.

    Args:
        number: From 0, in the order of the study.
        role: ``search``, or the name of the baseline or of where the layout comes from.
        layout: Its notation.
        layout_id: Its id, with the training settings behind it where the space proposes those.
        n_adapter_parameters: Trainable parameters of its adapters, by formula.
        is_eligible: Whether the space and the budget admit it, so that it may be the answer.
        end: How it ended.
        reason: Why it failed or was infeasible; empty otherwise.
        history: Validation score at each report that it made.
        card: Its score card, where it is complete.
        seconds: Wall-clock time of its training; None where it has not ended.
        started: When it was asked for, UTC; None while it waits.
        training: Settings in place of the study's own.
        n_steps: Optimizer steps that it took; None where they were not counted.
    """

    number: int
    role: str
    layout: str
    layout_id: str
    n_adapter_parameters: int
    is_eligible: bool
    end: TrialEnd
    reason: str
    history: tuple[float, ...]
    card: ScoreCard | None
    seconds: float | None
    started: datetime | None
    training: TrainingChoice = NO_CHOICE
    n_steps: int | None = None

    @property
    def score(self) -> float | None:
        """The final validation score of a complete trial."""
        return self.card.score if self.card else None

    @property
    def is_baseline(self) -> bool:
        """Whether the study put it first in its queue, to measure the others by."""
        return self.role != SEARCHED and not self.is_start

    @property
    def is_start(self) -> bool:
        """Whether the study starts from it: it was found elsewhere, or made of such a layout."""
        return is_start(self.role)

    @property
    def name(self) -> str:
        """The role where it has one of its own, the layout's notation where it was proposed.

        With the training settings behind it where the space proposes those.
        """
        return self.training.name_with(self.layout if self.role == SEARCHED else self.role)


@dataclass(frozen=True, slots=True)
class FinalRecord:
    """One retraining of a layout: a replicate with its own seed, scored on the test split too."""

    layout_id: str
    replicate: int
    card: ScoreCard


@dataclass(frozen=True, slots=True)
class ReferenceRecord:
    """One training that the answer is compared with, and that can't be the answer.

    Args:
        role: ``full fine-tuning``, or the name of a random layout of the answer's size.
        layout: Its notation; empty where the backbone itself is trained.
        like: Id of the answer whose size it has; empty where it is for any answer.
        replicate: From 1; 0 for trainings that only helped to choose a setting.
        card: Its score card.
        training: Settings in place of the study's own: those of the layout that it is like.
    """

    role: str
    layout: str
    like: str
    replicate: int
    card: ScoreCard
    training: TrainingChoice = NO_CHOICE


@dataclass(frozen=True, slots=True)
class PoolingRecord:
    """How tokens become one feature in this study.

    Args:
        pooling: Its name.
        scores: Validation score of the head probe by pooling, where several were compared.
    """

    pooling: str
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class StudyRecord:
    """Everything that a study holds.

    Args:
        name: The study's name.
        storage: Its SQLite address.
        definition: Its choices and facts.
        goal: What the last search was to reach.
        provenance: Package versions and platform of the process that made it.
        trials: All trials, by number.
        finals: All retrainings, by layout and replicate.
        references: Trainings that the answer is compared with, by role and replicate.
        confirmations: Trainings of layouts after they were chosen as the answer, from seeds of
            their own, by layout and replicate.
        proxy_map: None before it is computed.
        pooling: None before it is chosen.
        notes: What was found in the data, a line each.
        queue_notes: By role, why a baseline is missing, what it does without, or why a layout from
            elsewhere is not admitted.
        layout_proxies: Scores of whole layouts by layout id and proxy, where they were computed.
        switches: What switches learned; None where none were trained.
        sampler_versions: By the first trial that it proposed for, which version of the sampler
            proposed; empty in studies made before versions were kept.
        alike: By layout id, how many random layouts of its size were found; where all were, none.
        gaps: Why trainings gave no score, by the keys of the score cards that the study lacks.
    """

    name: str
    storage: str
    definition: StudyDefinition
    goal: Goal
    provenance: dict[str, str]
    trials: tuple[TrialRecord, ...]
    finals: tuple[FinalRecord, ...]
    references: tuple[ReferenceRecord, ...]
    proxy_map: ProxyMap | None
    pooling: PoolingRecord | None
    notes: tuple[str, ...]
    queue_notes: dict[str, str] = field(default_factory=dict)
    layout_proxies: Mapping[str, dict[str, float]] = field(default_factory=dict)
    switches: SwitchRecord | None = None
    sampler_versions: Mapping[int, int] = field(default_factory=dict)
    confirmations: tuple[FinalRecord, ...] = ()
    alike: Mapping[str, int] = field(default_factory=dict)
    gaps: Mapping[str, str] = field(default_factory=dict)

    @property
    def command(self) -> str:
        """The command that makes this study again on a fresh storage, or continues it here."""
        return search_command(self.definition, self.goal, self.name, self.storage)

    def ended(self, end: TrialEnd) -> list[TrialRecord]:
        """The trials that ended so."""
        return [trial for trial in self.trials if trial.end is end]

    @property
    def ranking(self) -> list[TrialRecord]:
        """Complete trials, best first; ties go to fewer parameters, then to the earlier trial."""
        complete = [trial for trial in self.trials if trial.card is not None]
        sign = self.definition.sign
        return sorted(
            complete, key=lambda t: (-sign * (t.score or 0.0), t.n_adapter_parameters, t.number)
        )

    @property
    def incumbent(self) -> TrialRecord | None:
        """The best complete trial that space and budget admit, and no measurement excludes."""
        slow = self.too_slow
        admitted = (t for t in self.ranking if t.is_eligible and t.layout_id not in slow)
        return next(admitted, None)

    @property
    def latencies(self) -> dict[str, list[float]]:
        """By layout id, the latencies that its retrainings measured, relative to the backbone's."""
        found: dict[str, list[float]] = {}
        for final in self.finals:
            if (factor := final.card.costs.latency_factor) is not None:
                found.setdefault(final.layout_id, []).append(factor)
        return found

    @property
    def too_slow(self) -> dict[str, float]:
        """By layout id, median measured latencies above the limit, which predictions kept.

        Each measurement is a median over pairs of passes; one of them may still be off on a busy
        machine, so a study with a limit measures at every seed, and the median over these counts.
        """
        limit = parse_budget(None, 1, max_latency=self.definition.max_latency)
        medians = {layout_id: median(each) for layout_id, each in self.latencies.items()}
        return {
            layout_id: factor
            for layout_id, factor in medians.items()
            if limit.excess(LayoutCosts(0, latency_factor=factor))
        }

    def trial(self, number: int) -> TrialRecord:
        """The trial of this number.

        Raises:
            StudyError: If there is none.
        """
        if not 0 <= number < len(self.trials):
            held = f"trials 0 to {len(self.trials) - 1}" if self.trials else "no trials"
            raise StudyError(f"study {self.name!r} has {held}, got {number}")
        return self.trials[number]

    def trial_of(self, layout_id: str) -> TrialRecord:
        """The first complete trial of this layout; one that failed is the last resort."""
        found = [trial for trial in self.trials if trial.layout_id == layout_id]
        return next((trial for trial in found if trial.card), found[0])


CARDS = TypeAdapter(ScoreCard)
PROXY_MAPS = TypeAdapter(ProxyMap)
GOALS = TypeAdapter(Goal)
REFERENCES = TypeAdapter(ReferenceRecord)
POOLINGS = TypeAdapter(PoolingRecord)


def read_study(study: optuna.Study, address: str) -> StudyRecord:
    """Read a whole study.

    Raises:
        StudyError: If it was not made by this package.
    """
    attributes = study.user_attrs
    if DEFINITION not in attributes:
        raise StudyError(f"study {study.study_name!r} was not made by placement-search")
    stored_pooling = attributes.get(POOLING)
    return StudyRecord(
        name=study.study_name,
        storage=address,
        definition=read_definition(study),
        goal=GOALS.validate_python(attributes[GOAL]),
        provenance=attributes[PROVENANCE],
        trials=tuple(_record(trial) for trial in study.get_trials(deepcopy=False)),
        finals=read_finals(attributes),
        confirmations=read_finals(attributes, CONFIRMATION),
        references=read_references(attributes),
        proxy_map=read_proxy_map(attributes),
        pooling=POOLINGS.validate_python(stored_pooling) if stored_pooling else None,
        notes=tuple(attributes.get(NOTES, ())),
        queue_notes=attributes.get(QUEUE_NOTES, {}),
        layout_proxies=_after(attributes, LAYOUT_PROXIES),
        switches=read_switches(attributes),
        sampler_versions=read_sampler_versions(attributes),
        alike=_after(attributes, ALIKE),
        gaps=read_gaps(attributes),
    )


def read_definition(study: optuna.Study) -> StudyDefinition:
    """What a study is. One of an earlier version has a proxy map where it holds one or may get one.

    Raises:
        StudyError: If another version of this package wrote something else.
    """
    attributes = study.user_attrs
    # Before its first trial nothing depends on the map yet.
    has_map = PROXY_MAP in attributes or not study.get_trials(deepcopy=False)
    return StudyDefinition.from_json({"has_proxy_map": has_map} | attributes[DEFINITION])


def load_record(storage: str, study_name: str | None = None) -> StudyRecord:
    """Read a study by its name, or the only one of its storage where none is given.

    Raises:
        StudyError: If there is no such study, or several and no name.
    """
    return read_study(load_study(storage, study_name), storage)


def read_finals(attributes: Mapping[str, Any], kind: str = FINALIST) -> tuple[FinalRecord, ...]:
    """The retrainings of a kind that a study's attributes hold, by layout and replicate."""
    finals = []
    for key, value in _after(attributes, kind).items():
        layout_id, _, replicate = key.partition("/")
        finals.append(FinalRecord(layout_id, int(replicate), CARDS.validate_python(value)))
    return tuple(sorted(finals, key=lambda final: (final.layout_id, final.replicate)))


def read_proxy_map(attributes: Mapping[str, Any]) -> ProxyMap | None:
    """The proxy map that a study's attributes hold; None before it is computed."""
    stored = attributes.get(PROXY_MAP)
    return PROXY_MAPS.validate_python(stored) if stored else None


def read_sampler_versions(attributes: Mapping[str, Any]) -> dict[int, int]:
    """The versions of a study's sampler by the first trial that each proposed for."""
    return {int(first): made for first, made in attributes.get(SAMPLER_VERSIONS, {}).items()}


def read_references(attributes: Mapping[str, Any]) -> tuple[ReferenceRecord, ...]:
    """The reference trainings that a study's attributes hold, by role and replicate."""
    found = [
        REFERENCES.validate_python(v) for k, v in attributes.items() if k.startswith(REFERENCE)
    ]
    return tuple(sorted(found, key=lambda r: (r.like, r.role, r.replicate)))


def _after(attributes: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {k.removeprefix(prefix): v for k, v in attributes.items() if k.startswith(prefix)}


def _record(trial: FrozenTrial) -> TrialRecord:
    attributes = trial.user_attrs
    end = _end(trial)
    card = CARDS.validate_python(attributes[CARD]) if end is TrialEnd.COMPLETE else None
    return TrialRecord(
        number=trial.number,
        role=attributes[ROLE],
        layout=attributes[LAYOUT],
        layout_id=attributes[LAYOUT_ID],
        n_adapter_parameters=attributes[N_PARAMETERS],
        is_eligible=attributes[IS_ELIGIBLE],
        end=end,
        reason=attributes.get(REASON, "") if trial.state is TrialState.FAIL else "",
        history=tuple(value for _, value in sorted(trial.intermediate_values.items())),
        card=card,
        seconds=card.train_seconds if card else attributes.get(SECONDS),
        started=_in_utc(trial.datetime_start),
        training=training_of(attributes),
        n_steps=card.n_steps if card else attributes.get(STEPS),
    )


def _in_utc(read: datetime | None) -> datetime | None:
    """A time in UTC, without saying so; Optuna stores UTC, and reads it as the reader's local time.

    So a record gives the same report in every time zone.
    """
    return read and read.astimezone(UTC).replace(tzinfo=None, fold=0)


def _end(trial: FrozenTrial) -> TrialEnd:
    if trial.state is TrialState.FAIL:
        return TrialEnd(trial.user_attrs.get(END, TrialEnd.FAILED))
    return TrialEnd(trial.state.name.lower())
