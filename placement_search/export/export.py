"""Export: train a study's layout again from its seed, compare the score, write both files."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path

from placement_search.engine.in_process import InProcessEngine
from placement_search.errors import ExportError
from placement_search.evaluation.estimates import mean_estimate
from placement_search.evaluation.evaluate import Evaluated
from placement_search.evaluation.plan import TrainingPlan
from placement_search.evaluation.score_card import ScoreCard
from placement_search.evaluation.workbench import Workbench
from placement_search.export.check import CHECK_SEED, check_logits
from placement_search.export.layout_file import (
    SCHEMA_VERSION,
    BackboneEntry,
    CheckEntry,
    CostEntry,
    DataEntry,
    IntervalEntry,
    LayoutFile,
    ProvenanceEntry,
    ScoreEntry,
    ScoresEntry,
    TaskEntry,
    TrainingEntry,
    connection_entries,
)
from placement_search.export.peft_folder import check_peft, check_peft_folder, write_peft
from placement_search.export.units import to_original_units
from placement_search.export.write import packed, write_files
from placement_search.layout import parse_layout
from placement_search.modules import MODULE_TYPES
from placement_search.output_files import check_folder
from placement_search.rounding import score_text
from placement_search.study.answer import find_answer
from placement_search.study.progress import Progress, Silence
from placement_search.study.records import StudyRecord, TrialRecord
from placement_search.study.retraining import retraining
from placement_search.tasks.task import Task


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Args:
        paths: The layout file, its weights, and what was written for PEFT.
        trial: The trial that the layout comes from.
        recorded: The validation score that the study holds for the exported seed.
        reproduced: The same after training again.
    """

    paths: tuple[Path, ...]
    trial: TrialRecord
    recorded: float
    reproduced: float


def choose_trial(record: StudyRecord, number: int | None) -> TrialRecord:
    """The trial of this number, else the study's answer, else its incumbent.

    Raises:
        ExportError: If there is no such complete trial.
    """
    if number is not None:
        trial = record.trial(number)
        if trial.card is None:
            raise ExportError(
                f"trial {number} is {trial.end}, only complete trials can be exported; "
                "placement-search trials lists them"
            )
        return trial
    answer = find_answer(record)
    if answer is not None:
        return answer.chosen.trial
    if record.incumbent is None:
        raise ExportError(
            f"study {record.name!r} has no complete trial yet that its space and budget admit; go "
            "on with it, or name a trial (--trial)"
        )
    return record.incumbent


def export_layout(
    record: StudyRecord,
    bench: Workbench,
    folder: Path | str,
    *,
    number: int | None = None,
    peft: Path | str | None = None,
    progress: Progress | None = None,
) -> Exported:
    """Write ``layout.json`` and ``layout.safetensors`` of a study's layout into ``folder``.

    The study stores numbers and no weights, so the layout is trained again: from the first seed of
    the finals where it took part, else from the search's own. The same machine gives the same
    score; another may differ in the last digits, and both scores are returned.

    Args:
        record: The study.
        bench: The study's backbone and data.
        folder: Made where it is missing; files of an earlier export are replaced.
        number: A trial to export in place of the answer.
        peft: A folder that gets the same layout as PEFT loads it; see `write_peft`.
        progress: Is told of every epoch.

    Raises:
        ExportError: If there is no such complete trial, or backbone or data are not the study's, or
            PEFT can't express the layout; it is not trained then.
        OutputError: If ``folder`` is a file or can't be made, or ``peft`` is or holds another
            adapter.
    """
    folder = check_folder(folder)
    trial = choose_trial(record, number)
    if peft is not None:
        check_peft_folder(peft, _owner(record))
    _check_same_study(record, bench)
    held = [final for final in record.finals if final.layout_id == trial.layout_id]
    finals = [final.card for final in held]
    known = finals[0] if finals else _first_training(trial, record)
    replicate = held[0].replicate if held else 0
    layout = parse_layout(trial.layout, MODULE_TYPES)
    if peft is not None:
        check_peft(layout, bench.backbone.places)
    request = retraining(record.definition, layout, replicate, trial.training)
    plan = replace(request.plan, reports_per_epoch=1)
    request = replace(request, seed=known.seed, plan=plan, is_final=False)
    told = progress or Silence()
    evaluated = InProcessEngine(bench).train(
        request, lambda epoch, score: told.advance(f"export: epoch {epoch}, {score_text(score)}")
    )
    source = _Source(record, bench, trial, finals, known)
    to_original_units(evaluated.model, bench.task)
    weights = packed(evaluated.model)
    file = _describe(source, evaluated, request.plan, weights.sha256)
    paths: tuple[Path, ...] = write_files(folder, file, weights)
    if peft is not None:
        paths += write_peft(evaluated.model, peft, _owner(record))
    return Exported(paths, trial, known.score, evaluated.card.score)


def _owner(record: StudyRecord) -> str:
    """Whose exports may replace each other: those of one study on its backbone and data."""
    asked = record.definition
    return (
        f"study {record.name} on backbone {asked.backbone.fingerprint} and data "
        f"{asked.data_fingerprint}"
    )


def _check_same_study(record: StudyRecord, bench: Workbench) -> None:
    asked = record.definition
    pairs = {
        "backbone": (asked.backbone.fingerprint, bench.backbone.facts.fingerprint),
        "data": (asked.data_fingerprint, bench.task.fingerprint),
    }
    for what, (stored, given) in pairs.items():
        if stored != given:
            raise ExportError(
                f"the {what} has changed since study {record.name!r} was made: "
                f"fingerprint {given}, in the study {stored}"
            )


@dataclass(frozen=True, slots=True, eq=False)
class _Source:
    """What an exported layout comes from: study, trial, retrainings, and the one exported."""

    record: StudyRecord
    bench: Workbench
    trial: TrialRecord
    finals: list[ScoreCard]
    known: ScoreCard


def _describe(
    source: _Source, evaluated: Evaluated, plan: TrainingPlan, weights_sha256: str
) -> LayoutFile:
    model, record, bench = evaluated.model, source.record, source.bench
    task = bench.task
    layout = model.layout
    costs = replace(evaluated.card.costs, latency_factor=source.known.costs.latency_factor)
    return LayoutFile(
        schema_version=SCHEMA_VERSION,
        tool_version=version("placement-search"),
        layout_id=layout.id,
        weights_sha256=weights_sha256,
        notation=layout.notation,
        first_pass=layout.first_pass,
        backbone=BackboneEntry(**asdict(bench.backbone.facts)),
        task=TaskEntry(
            name=task.name,
            target=task.target,
            metric=task.metric.name,
            is_higher_better=task.metric.is_higher_better,
            label_names=list(task.label_names),
            data=DataEntry(**asdict(record.definition.data)),
            pooling=model.pooling,
            max_tokens=_max_tokens(task),
        ),
        connections=connection_entries(layout),
        costs=CostEntry(**asdict(costs)),
        scores=_scores(source, evaluated),
        check=CheckEntry(seed=CHECK_SEED, logits=check_logits(model, CHECK_SEED).tolist()),
        provenance=ProvenanceEntry(
            study=record.name,
            trial=source.trial.number,
            role=source.trial.role,
            data_fingerprint=record.definition.data_fingerprint,
            command=record.command,
            packages=record.provenance,
        ),
        training=_training(source.trial),
        plan=asdict(plan),
    )


def _max_tokens(task: Task) -> int | None:
    ids = task.train.inputs.get("input_ids")
    return None if ids is None else ids.shape[1]


def _training(trial: TrialRecord) -> TrainingEntry | None:
    return TrainingEntry(**asdict(trial.training)) if trial.training.notation else None


def _scores(source: _Source, evaluated: Evaluated) -> ScoresEntry:
    cards, record = source.finals, source.record
    again = [c.card for c in record.confirmations if c.layout_id == source.trial.layout_id]
    known, score = source.known, evaluated.card.score
    # The test score belongs to the weights that the study scored; others have none.
    exported = replace(
        known, score=score, test_score=known.test_score if score == known.score else None
    )
    return ScoresEntry(
        exported=_score(exported),
        search=_score(_card(source.trial)),
        finals=[_score(card) for card in cards],
        validation=_interval([card.score for card in cards]),
        test=_tested(cards),
        after_choice=_tested(again),
    )


def _card(trial: TrialRecord) -> ScoreCard:
    if trial.card is None:
        raise ExportError(f"trial {trial.number} has no score card")
    return trial.card


def _first_training(trial: TrialRecord, record: StudyRecord) -> ScoreCard:
    """The card of the trial's own training; of replicates, whose mean it holds, the first one."""
    card = _card(trial)
    return card if record.definition.replicates == 1 else replace(card, score=trial.history[0])


def _score(card: ScoreCard) -> ScoreEntry:
    return ScoreEntry(seed=card.seed, validation=card.score, test=card.test_score)


def _tested(cards: Sequence[ScoreCard]) -> IntervalEntry | None:
    return _interval([card.test_score for card in cards if card.test_score is not None])


def _interval(scores: list[float]) -> IntervalEntry | None:
    return IntervalEntry(**asdict(mean_estimate(scores))) if scores else None
